// A small network in plain JavaScript, with the names of chapters 1 and 4 of the lessons.
//
// An array is { shape, values }: its values are float32 numbers, row by row. Sums are added up in
// 64 bits and rounded once. N is the number of images of a batch. Nothing here touches the page.

export function array(shape, values = null) {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, values: values ?? new Float32Array(size) };
}

const reshape = (a, shape) => ({ shape, values: a.values });

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

/** Adds biases (M) to each row of (…, M). */
export function add(a, biases) {
  const m = biases.values.length;
  return array(
    a.shape,
    a.values.map((value, i) => value + biases.values[i % m]),
  );
}

/** (…) → (…): values below zero become zero. */
export const relu = (a) =>
  array(
    a.shape,
    a.values.map((value) => Math.max(value, 0)),
  );

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

// --- Backward --------------------------------------------------------------------------------

/** (N, M) → (M, N). */
function transpose(a) {
  const [n, m] = a.shape;
  const turned = array([m, n]);
  for (let row = 0; row < n; row++)
    for (let column = 0; column < m; column++)
      turned.values[column * n + row] = a.values[row * m + column];
  return turned;
}

/** The slopes of the mean cross entropy for the logits: (probabilities − labels) / N. */
export function logitSlopes(labels, logits) {
  const n = logits.shape[0];
  const slopes = logProbabilities(logits).values.map(
    (logarithm, i) => (Math.exp(logarithm) - labels.values[i]) / n,
  );
  return array(logits.shape, slopes);
}

/** What went in (N, K), the slopes of what came out (N, M) → the slopes of weights (K, M). */
export const weightSlopes = (a, slopes) => matmul(transpose(a), slopes);

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
export const inputSlopes = (slopes, weights) => matmul(slopes, transpose(weights));

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

/**
 * Images (N, height, width, C), kernel (size, size, C, maps) → (N, ⌈height / stride⌉, …, maps).
 *
 * Each value of a map is the sum of products of the kernel and a part of the image. The padding is
 * "same": zeros around the image.
 */
export function convolution(images, kernel, stride = 1) {
  const [n, height, width] = images.shape;
  const [size, , channels, maps] = kernel.shape;
  const parts = patches(images, size, stride); // (N·rows·columns, size·size·C)
  const sums = matmul(parts, reshape(kernel, [size * size * channels, maps]));
  return reshape(sums, [n, Math.ceil(height / stride), Math.ceil(width / stride), maps]);
}

/** The part of the image that each place of a map sees: (N·rows·columns, size·size·C). */
function patches(images, size, stride) {
  const [n, height, width, channels] = images.shape;
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const [top, left] = [paddingBefore(height, size, stride), paddingBefore(width, size, stride)];
  const length = size * size * channels;
  const parts = array([n * rows * columns, length]);
  for (let i = 0; i < n * rows * columns; i++) {
    const image = Math.floor(i / (rows * columns));
    const y = stride * (Math.floor(i / columns) % rows) - top;
    const x = stride * (i % columns) - left;
    copyPatch(images, [image, y, x], parts.values.subarray(i * length, (i + 1) * length), size);
  }
  return parts;
}

/** Copies size × size pixels whose upper left corner is (y, x); outside the image they stay 0. */
function copyPatch(images, [image, y, x], patch, size) {
  const [, height, width, channels] = images.shape;
  for (let row = 0; row < size; row++) {
    if (y + row < 0 || y + row >= height) continue;
    for (let column = 0; column < size; column++) {
      if (x + column < 0 || x + column >= width) continue;
      const start = ((image * height + y + row) * width + x + column) * channels;
      const pixel = images.values.subarray(start, start + channels);
      patch.set(pixel, (row * size + column) * channels);
    }
  }
}

/** The zeros above (or left of) an image; if their number is odd, there is one more below. */
const paddingBefore = (length, size, stride) =>
  Math.floor(Math.max((Math.ceil(length / stride) - 1) * stride + size - length, 0) / 2);

/** Batch norm, as a trained network applies it: each map (…, M) with its mean and variance (M). */
export function batchNorm(x, { gamma, beta, mean, variance }, epsilon = 0.001) {
  const m = gamma.values.length;
  const scales = gamma.values.map((value, j) => value / Math.sqrt(variance.values[j] + epsilon));
  const normed = x.values.map(
    (value, i) => (value - mean.values[i % m]) * scales[i % m] + beta.values[i % m],
  );
  return array(x.shape, normed);
}

/** (N, height, width, M) → (N, height · width · M). */
export const flatten = (x) => reshape(x, [x.shape[0], x.values.length / x.shape[0]]);
