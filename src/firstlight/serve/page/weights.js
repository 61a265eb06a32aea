// The weights of a network's first layer as pictures.

import { h } from "./dom.js";
import { decodeSigned, mapPictures, signedPicture } from "./pixels.js";

const PIXELS = 28 * 28;

const isWeightsOf = (weights, layer) => weights.name === `${layer.stage}/kernel`;

/** The weights of one filter, or of one neuron, as a picture; null if they are not known. */
export function weightsPicture(weights, layer, number) {
  if (!weights || !isWeightsOf(weights, layer) || number >= weights.shape[0]) return null;
  const [, height, width] = weights.shape;
  const size = height * width;
  const own = decodeSigned(weights.pixels).subarray(size * number, size * (number + 1));
  return signedPicture(own, width, `weights of ${number}`);
}

/**
 * All weights of the layer, if they are known: of softmax with ten classes, times the image too.
 *
 * `classes` are the names of the layer's neurons; null if it is not the output.
 */
export function weightsBlock(weights, image, layer, { words, classes }) {
  if (!weights || !isWeightsOf(weights, layer)) return null;
  if (classes?.length === 10 && weights.shape[0] === 10 && weights.shape[1] === 28)
    return products(weights, image, classes);
  return h("details", {}, h("summary", {}, "Its weights"), filters(weights, words));
}

/** Each filter's weights as a picture. */
export function filters(weights, { light }) {
  const [n, height, width] = weights.shape;
  const grid = h("div", { class: "maps" }, ...mapPictures(weights, (i) => `filter ${i}`));
  grid.style.setProperty("--size", height > 12 ? "64px" : "44px");
  const some = weights.count > n ? `The first ${n} of ${weights.count}` : `The ${n}`;
  const text =
    `${some} units of ${weights.name.split("/")[0]}, ${height}×${width} weights each. ` +
    `Blue: ${light} here makes the unit's value larger. Grey: ${light} here makes it smaller.`;
  return h("div", { class: "stack" }, h("p", { class: "quiet" }, text), grid);
}

/** Softmax: a picture of weights per class, whose products with the image add up to the logit. */
function products(weights, image, classes) {
  const all = decodeSigned(weights.pixels);
  const parts = classes.map((name, i) => {
    const own = all.subarray(PIXELS * i, PIXELS * (i + 1));
    const product = Float32Array.from(own, (weight, pixel) => (weight * image[pixel]) / 255);
    const sum = product.reduce((total, value) => total + value, 0);
    const logit = sum * (weights.largest / 127) + (weights.biases[i] ?? 0);
    return { name, own, product, logit };
  });
  const highest = Math.max(...parts.map(({ logit }) => logit));
  const figures = parts.map(({ name, own, product, logit }) =>
    h(
      "figure",
      { class: logit === highest ? "best" : "" },
      signedPicture(own, 28, `weights of ${name}`),
      signedPicture(product, 28, `weights × input for ${name}`),
      h("figcaption", {}, `${name}: ${logit.toFixed(1).replace("-", "−")}`),
    ),
  );
  const text =
    "Above: the weights of each class. Below: weights × input; blue counts for the class, grey against " +
    "it. The number is the sum plus the bias of the class.";
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "quiet" }, text),
    h("div", { class: "maps ten" }, ...figures),
  );
}
