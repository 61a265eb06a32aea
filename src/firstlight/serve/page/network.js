// Networks in plain JavaScript, with the names of the lessons; onnx.js runs a whole file with it.
//
// An array is { shape, values }: its values are float32 numbers, row by row. Sums are added up in
// 64 bits and rounded once. N is the number of images of a batch. Nothing here touches the page.

export function array(shape, values = null) {
  return { shape, values: values ?? new Float32Array(sizeOf(shape)) };
}

/** The number of values of a shape. */
export const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);

// --- The data --------------------------------------------------------------------------------

/** Pixels 0 to 255 of N images → (N, 784), 0 to 1. */
export const flat = (pixels) =>
  array(
    [pixels.length / 784, 784],
    Float32Array.from(pixels, (value) => value / 255),
  );

/** Labels (N) → (N, classes): 3 becomes 0 0 0 1 0 0 0 0 0 0. */
export function oneHot(labels, classes) {
  const rows = array([labels.length, classes]);
  labels.forEach((label, i) => {
    rows.values[i * classes + label] = 1;
  });
  return rows;
}

/** The rows of an array (N, length) that have these numbers. */
export function takeRows(a, numbers) {
  const length = a.shape[1];
  const taken = array([numbers.length, length]);
  numbers.forEach((number, i) => {
    taken.values.set(a.values.subarray(number * length, (number + 1) * length), i * length);
  });
  return taken;
}

// --- Forward ---------------------------------------------------------------------------------

/** (N, K) · (K, M) → (N, M). */
export function matmul(a, b) {
  const [n, k] = a.shape;
  const m = b.shape[1];
  const product = array([n, m]);
  const sums = new Float64Array(m);
  for (let row = 0; row < n; row++) {
    sums.fill(0);
    for (let i = 0; i < k; i++) {
      const value = a.values[row * k + i];
      if (value === 0) continue; // most pixels are paper
      for (let column = 0; column < m; column++) sums[column] += value * b.values[i * m + column];
    }
    product.values.set(sums, row * m);
  }
  return product;
}

/** Sums, value by value. An axis of length 1, or one that is missing in front, is repeated. */
export const add = (a, b) => combine(a, b, (x, y) => x + y);

/** Products, value by value, with the axes of `add`. */
export const multiply = (a, b) => combine(a, b, (x, y) => x * y);

function combine(a, b, operation) {
  const axes = Math.max(a.shape.length, b.shape.length);
  const [one, other] = [a, b].map(({ shape }) => withAxes(shape, axes));
  const shape = one.map((length, axis) => (length === 1 ? other[axis] : length));
  const [left, right] = [repeat(a.values, one, shape), repeat(b.values, other, shape)];
  return array(
    shape,
    left.map((value, i) => operation(value, right[i])),
  );
}

/** (M) with 2 axes is (1, M). */
const withAxes = (shape, axes) => [...Array(axes - shape.length).fill(1), ...shape];

/** Values of the shape `from`, repeated along its axes of length 1 until they have the shape `to`. */
function repeat(values, from, to) {
  let repeated = values;
  let size = 1; // of the block of values behind an axis
  for (let axis = to.length - 1; axis >= 0; axis--) {
    if (from[axis] !== to[axis]) repeated = repeatBlocks(repeated, size, to[axis]);
    size *= to[axis];
  }
  return repeated;
}

function repeatBlocks(values, size, times) {
  const repeated = new Float32Array(values.length * times);
  for (let i = 0; i < repeated.length; i++) {
    const block = Math.floor(i / (size * times));
    repeated[i] = values[block * size + (i % size)];
  }
  return repeated;
}

const map = (a, operation) => array(a.shape, a.values.map(operation));

/** (…) → (…): values below zero become zero. */
export const relu = (a) => map(a, (value) => Math.max(value, 0));

export const tanh = (a) => map(a, Math.tanh);

/** Logits (N, classes) → the logarithms of their probabilities, (N, classes). */
function logProbabilities(logits) {
  const [n, classes] = logits.shape;
  const logarithms = array([n, classes]);
  for (let i = 0; i < n; i++) {
    const row = logits.values.subarray(i * classes, (i + 1) * classes);
    const highest = Math.max(...row); // exp of a large number would overflow
    const sum = row.reduce((total, logit) => total + Math.exp(logit - highest), 0);
    for (let j = 0; j < classes; j++)
      logarithms.values[i * classes + j] = row[j] - highest - Math.log(sum);
  }
  return logarithms;
}

/** Logits (N, classes) → their probabilities, (N, classes); each row adds up to 1. */
export const softmax = (logits) => map(logProbabilities(logits), Math.exp);

/** Labels and logits (N, classes) → the cross entropy of each image (N), in nats. */
export function softmaxCrossEntropy(labels, logits) {
  const [n, classes] = logits.shape;
  const losses = array([n]);
  logProbabilities(logits).values.forEach((logarithm, i) => {
    if (labels.values[i]) losses.values[Math.floor(i / classes)] -= labels.values[i] * logarithm;
  });
  return losses;
}

/** (N) → one number. */
export const mean = (a) => a.values.reduce((sum, value) => sum + value, 0) / a.values.length;

/** (N, classes) → the number of the largest value of each row. */
export function argmax(a) {
  const [n, classes] = a.shape;
  return Array.from({ length: n }, (_, i) => {
    const row = a.values.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
}

/** Another order of the axes: `transpose(a, [1, 0])` turns (N, M) into (M, N). */
export function transpose(a, order) {
  const turned = array(order.map((axis) => a.shape[axis]));
  const steps = order.map((axis) => sizeOf(a.shape.slice(axis + 1))); // to the next along an axis
  const [length, step] = [turned.shape.at(-1), steps.at(-1)];
  const index = order.map(() => 0); // of the row that is filled
  for (let start = 0; start < turned.values.length; start += length) {
    const source = index.reduce((sum, number, axis) => sum + number * steps[axis], 0);
    for (let i = 0; i < length; i++) turned.values[start + i] = a.values[source + i * step];
    advance(index, turned.shape);
  }
  return turned;
}

/** The index of the next row: like an odometer, without the last axis. */
function advance(index, shape) {
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    index[axis] += 1;
    if (index[axis] < shape[axis]) return;
    index[axis] = 0;
  }
}

// --- Backward --------------------------------------------------------------------------------

/** The slopes of the mean cross entropy for the logits: (probabilities − labels) / N. */
export function logitSlopes(labels, logits) {
  const n = logits.shape[0];
  const slopes = logProbabilities(logits).values.map(
    (logarithm, i) => (Math.exp(logarithm) - labels.values[i]) / n,
  );
  return array(logits.shape, slopes);
}

/** What went in (N, K), the slopes of what came out (N, M) → the slopes of weights (K, M). */
export const weightSlopes = (a, slopes) => matmul(transpose(a, [1, 0]), slopes);

/** The slopes of sums (N, M) → the slopes of biases (M). */
export function biasSlopes(slopes) {
  const m = slopes.shape[1];
  const sums = new Float64Array(m);
  slopes.values.forEach((slope, i) => {
    sums[i % m] += slope;
  });
  return array([m], Float32Array.from(sums));
}

/** The slopes of sums (N, M), weights (K, M) → the slopes of what went in (N, K). */
export const inputSlopes = (slopes, weights) => matmul(slopes, transpose(weights, [1, 0]));

/** The slopes of activations pass where the activation is above zero; elsewhere they are 0. */
export const reluSlopes = (activations, slopes) =>
  array(
    slopes.shape,
    slopes.values.map((slope, i) => (activations.values[i] > 0 ? slope : 0)),
  );

/** Takes a step against the slopes: each parameter changes by −rate times its slope. */
export function descend(parameters, slopes, rate) {
  parameters.forEach(({ values }, group) => {
    for (let i = 0; i < values.length; i++) values[i] -= rate * slopes[group].values[i];
  });
}

// --- Dense layers, one after the other, with ReLU between them -------------------------------

export const dense = (x, weights, biases) => add(matmul(x, weights), biases);

/**
 * Images (N, 784) → the activations of each layer: the images first, the logits (N, 10) last.
 *
 * `parameters` is [weights1, biases1, weights2, biases2, …].
 */
export function forward(images, parameters) {
  const activations = [images];
  for (let i = 0; i < parameters.length; i += 2) {
    const sums = dense(activations.at(-1), parameters[i], parameters[i + 1]);
    const isLast = i + 2 === parameters.length;
    activations.push(isLast ? sums : relu(sums));
  }
  return activations;
}

/** The slopes of the cost for each group of parameters, in their order: backpropagation. */
export function gradient(activations, labels, parameters) {
  let slopes = logitSlopes(labels, activations.at(-1));
  const all = [];
  for (let layer = parameters.length / 2 - 1; layer >= 0; layer--) {
    const input = activations[layer];
    all.unshift(weightSlopes(input, slopes), biasSlopes(slopes));
    if (layer > 0) slopes = reluSlopes(input, inputSlopes(slopes, parameters[2 * layer]));
  }
  return all;
}

/** Takes a training step: changes the parameters, and returns the cost before it. */
export function trainStep(images, labels, parameters, rate) {
  const activations = forward(images, parameters);
  const cost = mean(softmaxCrossEntropy(labels, activations.at(-1)));
  descend(parameters, gradient(activations, labels, parameters), rate);
  return cost;
}

// --- Convolutional layers, forward only ------------------------------------------------------
//
// Images and maps are (N, channels, height, width), as in ONNX. What slides over them is a window:
// { size: [height, width], strides: [down, right], pads: [above, left, below, right] }. The pads
// are rows and columns around the image.

/**
 * Images (N, C, height, width), kernels (maps, C, size) → maps (N, maps, rows, columns).
 *
 * Each value of a map is the sum of products of its kernel and a part of the image. The pads are 0.
 */
export function convolution(images, kernels, window) {
  const [n, channels] = images.shape;
  const [rows, columns] = places(images.shape, window);
  const maps = array([n, kernels.shape[0], rows, columns]);
  const length = channels * sizeOf(window.size);
  for (let i = 0; i < n; i++) {
    const parts = patches(imageOf(images, i), window); // (rows·columns, C·size)
    innerProducts(kernels.values, parts, imageOf(maps, i).values, length);
  }
  return maps;
}

/** How often a window fits into images below each other, and side by side. */
const places = ([, , ...lengths], { size, strides, pads }) =>
  lengths.map((length, axis) => {
    const padded = pads[axis] + length + pads[axis + 2];
    return Math.floor((padded - size[axis]) / strides[axis]) + 1;
  });

/** One image of a batch; it shares the batch's values. */
function imageOf({ shape: [, ...shape], values }, i) {
  const length = sizeOf(shape);
  return array([1, ...shape], values.subarray(i * length, (i + 1) * length));
}

/** The part of an image that each place of a map sees: a row of C·size values for each place. */
function patches(image, window) {
  const [rows, columns] = places(image.shape, window);
  const channels = image.shape[1];
  const length = channels * sizeOf(window.size);
  const parts = new Float32Array(rows * columns * length);
  for (let place = 0; place < rows * columns; place++) {
    const part = parts.subarray(place * length, (place + 1) * length);
    copyPatch(image, cornerOf(place, columns, window), window.size, part);
  }
  return parts;
}

/** The upper left pixel under a window, [y, x]; it can lie outside of the image. */
const cornerOf = (place, columns, { strides, pads }) => [
  Math.floor(place / columns) * strides[0] - pads[0],
  (place % columns) * strides[1] - pads[1],
];

/** Copies what a window covers of each channel; outside of the image it stays 0. */
function copyPatch({ shape: [, channels, height, width], values }, [y, x], [rows, columns], part) {
  const [left, right] = [Math.max(0, -x), Math.min(columns, width - x)];
  for (let channel = 0; channel < channels; channel++) {
    for (let row = Math.max(0, -y); row < Math.min(rows, height - y); row++) {
      const from = (channel * height + y + row) * width + x;
      const to = (channel * rows + row) * columns;
      for (let column = left; column < right; column++) part[to + column] = values[from + column];
    }
  }
}

/**
 * Rows a (M, length) and b (K, length) → their inner products (M, K), into `products`.
 *
 * Two rows of each at a time: a value that has been loaded is then used twice. Of an odd number of
 * rows, the last one is computed twice.
 */
function innerProducts(a, b, products, length) {
  const [m, k] = [a.length / length, b.length / length];
  for (let i = 0; i < m; i += 2) {
    const i2 = Math.min(i + 1, m - 1);
    for (let j = 0; j < k; j += 2) {
      const j2 = Math.min(j + 1, k - 1);
      let ij = 0;
      let ij2 = 0;
      let i2j = 0;
      let i2j2 = 0;
      for (let x = 0; x < length; x++) {
        const a1 = a[i * length + x];
        const a2 = a[i2 * length + x];
        const b1 = b[j * length + x];
        const b2 = b[j2 * length + x];
        ij += a1 * b1;
        ij2 += a1 * b2;
        i2j += a2 * b1;
        i2j2 += a2 * b2;
      }
      products[i * k + j] = ij;
      products[i * k + j2] = ij2;
      products[i2 * k + j] = i2j;
      products[i2 * k + j2] = i2j2;
    }
  }
}

/** The largest value under a window, for each map: (N, C, height, width) → (N, C, rows, columns). */
export const maxPool = (maps, window) => pool(maps, window, (values) => Math.max(...values));

/** The mean of the values under a window; the pads do not count. */
export const averagePool = (maps, window) =>
  pool(maps, window, (values) => values.reduce((sum, value) => sum + value, 0) / values.length);

function pool(maps, window, combineValues) {
  const [n, channels] = maps.shape;
  const [rows, columns] = places(maps.shape, window);
  const pooled = array([n, channels, rows, columns]);
  for (let i = 0; i < pooled.values.length; i++) {
    const map = Math.floor(i / (rows * columns));
    const corner = cornerOf(i % (rows * columns), columns, window);
    pooled.values[i] = combineValues(valuesUnder(maps, map, corner, window.size));
  }
  return pooled;
}

/** The values of one map that a window covers; what lies outside of the map is left out. */
function valuesUnder({ shape: [, , height, width], values }, map, [y, x], [rows, columns]) {
  const covered = [];
  for (let row = Math.max(0, y); row < Math.min(height, y + rows); row++) {
    const start = (map * height + row) * width;
    for (let column = Math.max(0, x); column < Math.min(width, x + columns); column++)
      covered.push(values[start + column]);
  }
  return covered;
}

/** The mean of each map: (N, C, height, width) → (N, C, 1, 1). */
export const globalAveragePool = (maps) =>
  averagePool(maps, { size: maps.shape.slice(2), strides: [1, 1], pads: [0, 0, 0, 0] });

/** Batch norm, as a trained network applies it: each map with its own mean and variance (C). */
export function batchNorm(maps, { gamma, beta, mean, variance, epsilon }) {
  const channels = gamma.values.length;
  const scales = gamma.values.map((value, c) => value / Math.sqrt(variance.values[c] + epsilon));
  const shifts = beta.values.map((value, c) => value - mean.values[c] * scales[c]);
  const perMap = (values) => array([1, channels, 1, 1], values);
  return add(multiply(maps, perMap(scales)), perMap(shifts));
}
