// The first graph of chapter 1, and its session: the session holds the values of the variables.

import {
  add,
  argmax,
  array,
  biasSlopes,
  dense,
  descend,
  flat,
  logitSlopes,
  matmul,
  mean,
  oneHot,
  softmaxCrossEntropy,
  takeRows,
  weightSlopes,
} from "./network.js";

const PIXELS = 784;
const CLASSES = 10;

/** The server's answer: the pixels of n images, then their n labels. */
export function decodeExamples(bytes) {
  const n = bytes.length / (PIXELS + 1);
  const pixels = bytes.subarray(0, n * PIXELS);
  return { pixels, labels: [...bytes.subarray(n * PIXELS)], images: flat(pixels) };
}

export class Session {
  /** The seed decides the first weights and the order of the images. */
  constructor(train, { rate, batchSize, seed }) {
    const random = randomNumbers(seed);
    this.train = { images: train.images, labels: oneHot(train.labels, CLASSES) };
    this.nextRows = shuffled(train.labels.length, random);
    this.rate = rate;
    this.batchSize = batchSize;
    this.step = 0;
    this.weights = array([PIXELS, CLASSES]);
    this.weights.values.forEach((_, i, values) => {
      values[i] = truncatedNormal(random);
    });
    this.firstWeights = this.weights.values.slice();
    this.biases = array([CLASSES]);
  }

  /** Takes a training step on the next batch; returns all that it has computed. */
  run() {
    const rows = this.nextRows(this.batchSize);
    const input = takeRows(this.train.images, rows); // (N, 784)
    const labels = takeRows(this.train.labels, rows); // (N, 10)
    const product = matmul(input, this.weights); // (N, 784) · (784, 10) → (N, 10)
    const logits = add(product, this.biases); // (N, 10)
    const losses = softmaxCrossEntropy(labels, logits); // (N)
    const cost = mean(losses); // one number

    const ofLogits = logitSlopes(labels, logits); // (N, 10)
    const ofBiases = biasSlopes(ofLogits); // (10)
    const ofWeights = weightSlopes(input, ofLogits); // (784, 10)
    descend([this.weights, this.biases], [ofWeights, ofBiases], this.rate);
    this.step += 1;
    const slopes = { logits: ofLogits, biases: ofBiases, weights: ofWeights };
    return { rows, input, labels, product, logits, losses, cost, slopes };
  }

  /** The digits that it predicts for images (N, 784). */
  predict(images) {
    return argmax(dense(images, this.weights, this.biases));
  }

  /** What training has added to the first weights (784, 10). */
  learned() {
    const change = this.weights.values.map((weight, i) => weight - this.firstWeights[i]);
    return array(this.weights.shape, change);
  }
}

/** Random numbers from 0 to 1 (mulberry32). With the same seed they are not those of TensorFlow. */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A normal random number (Box and Muller). */
export function normal(random) {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/** A normal random number; beyond two standard deviations it is drawn again. */
export function truncatedNormal(random) {
  const value = normal(random);
  return Math.abs(value) > 2 ? truncatedNormal(random) : value;
}

/** A function that returns the next `count` rows: each pass over all rows has a new order. */
export function shuffled(n, random) {
  const order = Array.from({ length: n }, (_, i) => i);
  let next = n;
  return (count) =>
    Array.from({ length: count }, () => {
      if (next === n) {
        shuffle(order, random);
        next = 0;
      }
      return order[next++];
    });
}

/** Fisher and Yates. */
function shuffle(order, random) {
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
}
