// One drawn digit → 28×28 pixels, as MNIST's were made: what reading/normalize.py does with a digit
// that the reader has cut out. All ink is one digit here; several are the reader's business.
//
// A grid is { width, height, values }: ink from 0 to 1, row by row. The reader also widens hairlines;
// a pad's pen is never so thin.

const IMAGE_SIDE = 28; // pixels
const BOX_SIDE = 20;
const OVERSAMPLING = 4; // everything is done on pixels a quarter as wide; 4×4 are averaged at the end
const MIN_STROKE_WIDTH = 2; // pixels of the 28×28 image

/** Ink 0 to 255 (width × height values, light on black) → 784 pixels, 0 to 255; null without ink. */
export function normalize(ink, width, height) {
  const digit = trim({ width, height, values: withSteepEdges(ink) });
  if (!digit) return null;
  const fine = centerByMass(thicken(fitToBox(digit)));
  return Uint8Array.from(averages(fine), (value) => Math.round(255 * value));
}

/** Grey edges become narrower, as in `component_blob` of reading/locate.py: 0 to 255 → 0 to 1. */
function withSteepEdges(ink) {
  const sum = ink.reduce((total, value) => total + value, 0);
  const squares = ink.reduce((total, value) => total + value * value, 0);
  const darkness = sum ? squares / sum : 1; // of the strokes: their edges count for little
  return new Float32Array(ink).map((value) => clip(2 * (value / darkness - 0.25)));
}

const clip = (value) => Math.min(1, Math.max(0, value));

/** The grid without the empty rows and columns around the ink; null if there is no ink. */
function trim({ width, height, values }) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  values.forEach((value, i) => {
    if (value < 0.5) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
  });
  if (left >= right) return null;
  const trimmed = grid(right - left, bottom - top);
  for (let y = top; y < bottom; y++) {
    const row = values.subarray(y * width + left, y * width + right);
    trimmed.values.set(row, (y - top) * trimmed.width);
  }
  return trimmed;
}

const grid = (width, height) => ({ width, height, values: new Float32Array(width * height) });

/** Scales the longer side to 80 (20 pixels, oversampled). */
function fitToBox(ink) {
  const factor = (BOX_SIDE * OVERSAMPLING) / Math.max(ink.width, ink.height);
  const side = (length) => Math.max(1, roundHalfToEven(length * factor));
  const narrow = resizeRows(ink, side(ink.width));
  return turn(resizeRows(turn(narrow), side(ink.height)));
}

/** Python's round(). */
function roundHalfToEven(value) {
  const rounded = Math.round(value);
  return value % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** Rows become columns. */
function turn({ width, height, values }) {
  const turned = grid(height, width);
  values.forEach((value, i) => {
    turned.values[(i % width) * height + Math.floor(i / width)] = value;
  });
  return turned;
}

/** Each row with another number of values: Pillow's bilinear resampling, which averages areas. */
function resizeRows(ink, width) {
  const resized = grid(width, ink.height);
  for (let x = 0; x < width; x++) {
    const { first, weights } = resamplingWeights(x, ink.width, width);
    for (let y = 0; y < ink.height; y++) {
      const start = y * ink.width + first;
      const sum = weights.reduce((total, weight, i) => total + weight * ink.values[start + i], 0);
      resized.values[y * width + x] = sum;
    }
  }
  return resized;
}

/** The weights of the values that become the x-th of `to` values, and where the first one is. */
function resamplingWeights(x, from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  const center = (x + 0.5) * scale;
  const first = Math.max(0, Math.floor(center - support + 0.5));
  const last = Math.min(from, Math.floor(center + support + 0.5));
  const triangle = Array.from({ length: last - first }, (_, i) =>
    Math.max(0, 1 - Math.abs(first + i - center + 0.5) / support),
  );
  const sum = triangle.reduce((total, weight) => total + weight, 0);
  return { first, weights: triangle.map((weight) => weight / sum) };
}

/** A thin pen's strokes become MIN_STROKE_WIDTH wide: each value is the largest of a disc around it. */
function thicken(ink) {
  const missing = MIN_STROKE_WIDTH * OVERSAMPLING - medianStrokeWidth(ink);
  const radius = roundHalfToEven(missing / 2);
  if (radius < 1) return ink;
  const thick = grid(ink.width + 2 * radius, ink.height + 2 * radius);
  for (let dy = -radius; dy <= radius; dy++) {
    const reach = Math.round(Math.sqrt(radius ** 2 - dy ** 2));
    for (let dx = -reach; dx <= reach; dx++) stamp(thick, ink, radius + dx, radius + dy);
  }
  return fitToBox(thick);
}

/** Puts ink on a grid, its upper left corner at (left, top); where there is more ink, that stays. */
function stamp(onto, { width, values }, left, top) {
  values.forEach((value, i) => {
    const place = (top + Math.floor(i / width)) * onto.width + left + (i % width);
    if (value > onto.values[place]) onto.values[place] = value;
  });
}

/**
 * The width of the pen: of the stretches of ink along its row and its column, each value has a
 * shorter one; this is the median of those.
 */
function medianStrokeWidth(ink) {
  const rows = runLengths(ink);
  const columns = turn(runLengths(turn(ink)));
  const shorter = rows.values.map((length, i) => Math.min(length, columns.values[i]));
  const sorted = shorter.filter((length) => length > 0).sort();
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** How long the stretch of ink in its row is, for each value; 0 where there is none. */
function runLengths({ width, height, values }) {
  const lengths = grid(width, height);
  for (let i = 0, start = 0; i < values.length; i++) {
    if (values[i] < 0.5 || i % width === 0) start = values[i] < 0.5 ? i + 1 : i;
    lengths.values.fill(i + 1 - start, start, i + 1);
  }
  return lengths;
}

/** 112×112 (28 pixels, oversampled) with the centre of mass as near to the middle as possible. */
function centerByMass(ink) {
  const side = IMAGE_SIDE * OVERSAMPLING;
  const frame = grid(side, side);
  let [mass, x, y] = [0, 0, 0];
  ink.values.forEach((value, i) => {
    mass += value;
    x += value * ((i % ink.width) + 0.5);
    y += value * (Math.floor(i / ink.width) + 0.5);
  });
  const start = (center, length) =>
    Math.min(Math.max(roundHalfToEven(side / 2 - center), 0), side - length);
  stamp(frame, ink, start(x / mass, ink.width), start(y / mass, ink.height));
  return frame;
}

/** The mean of each 4×4 values. */
function averages({ width, values }) {
  const means = new Float32Array(IMAGE_SIDE ** 2);
  values.forEach((value, i) => {
    const row = Math.floor(i / width / OVERSAMPLING);
    const column = Math.floor((i % width) / OVERSAMPLING);
    means[row * IMAGE_SIDE + column] += value / OVERSAMPLING ** 2;
  });
  return means;
}
