// The view Look inside: the output of each layer of a network for a digit that the user draws.

import { recall, remember } from "./address.js";
import { bars, verdictLine } from "./answer.js";
import { errorLine, field, h } from "./dom.js";
import { Pad, padCanvas } from "./pad.js";
import {
  colors,
  decode,
  decodeSigned,
  greyPicture,
  mapPictures,
  mix,
  picture,
  signedPicture,
} from "./pixels.js";
import { Reader } from "./reader.js";
import { about, get, post, runPath } from "./server.js";

const PIXELS = 28 * 28;
const MIN_OCCLUSION_RANGE = 0.05; // so that a network that is always sure shows no noise
const LAYER_NAMES = {
  Conv2D: "convolution",
  SparseConvolution: "convolution",
  BatchNorm: "batch normalisation",
  ReLU: "ReLU, negative values become 0",
  Dense: "neurons",
  EinsumDense: "neurons",
  Rescaling: "0 to 255 becomes 0 to 1",
  Subsampling: "mean of 2×2 values",
  MaxPooling2D: "maximum of 2×2 values",
  ZeroPadding2D: "zero padding",
  GlobalAveragePooling2D: "mean of each map",
};

export function enter(page) {
  const canvas = padCanvas("Sheet to draw a digit on.");
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw a digit here.");
  const networkSelect = h("select", { onchange: () => chooseRun(networkSelect.value) });
  networkSelect.append(readerOption());
  const chips = h("div", { class: "chips", "aria-label": "Digits on the sheet" });
  const input = h("figure");
  const occlusion = h("figure");
  const prediction = h("div");
  const inputCard = h("div", { class: "card input-card" }, input, occlusion);
  const error = errorLine();
  const layers = h("section", { class: "layers", "aria-live": "polite" });

  page.append(
    h(
      "section",
      { class: "stack" },
      field("network", networkSelect),
      h("div", { class: "sheet" }, canvas, hint),
      h(
        "div",
        { class: "tools" },
        h("button", { onclick: () => pad.undo() }, "Undo"),
        h("button", { onclick: () => pad.clear() }, "Clear"),
        chips,
      ),
      prediction,
    ),
    h("div", { class: "stack" }, error, inputCard, layers),
  );

  let digits = []; // that were read on the sheet
  let classes = []; // of the reader
  let selected = 0; // the index of the digit whose layers are shown
  let requests = 0;
  let left = false;
  const pad = new Pad(canvas, (lifted) => {
    if (!lifted) return;
    remember({ ink: pad.text });
    reader.update();
  });
  const reader = new Reader(() => (pad.empty ? null : pad.pgm()), showDigits);

  function showDigits(answer) {
    if (left) return;
    hint.hidden = !pad.empty;
    digits = answer?.digits ?? [];
    selected = Math.min(selected, Math.max(0, digits.length - 1));
    chips.replaceChildren(...(digits.length > 1 ? digits.map(chip) : []));
    select(selected);
    if (answer?.error) error.textContent = answer.error;
  }

  function chip(digit, index) {
    const label = `digit ${index + 1}`;
    const shown = greyPicture(decode(digit.image), 28);
    return h("button", { "aria-label": label, onclick: () => select(index) }, shown);
  }

  async function select(index) {
    selected = index;
    remember({ digit: index || "" });
    for (const [i, button] of [...chips.children].entries())
      button.setAttribute("aria-pressed", i === index);
    requests += 1;
    const number = requests;
    const run = recall("run");
    try {
      if (digits.length) await lookInside(digits[index].image, run, number);
      else await showNothing(run, number);
    } catch (problem) {
      if (number === requests) error.textContent = problem.message;
    }
  }

  async function lookInside(image, run, number) {
    error.textContent = run && !layers.children.length ? "TensorFlow is starting …" : "";
    const answer = await post("occlusion", run ? { image, run } : { image });
    const weights = run ? await get(`${runPath(run)}/weights`) : null;
    if (number === requests) show(decode(image), answer, weights);
  }

  /** Without a digit: the weights of the run's first layer. */
  async function showNothing(run, number) {
    inputCard.hidden = true;
    error.textContent = "";
    prediction.replaceChildren();
    layers.replaceChildren();
    if (!run) {
      const text = "Draw a digit to see where the reader looks.";
      layers.replaceChildren(
        quiet(`${text} Choose a run to see the output of each of its layers.`),
      );
      return;
    }
    const weights = await get(`${runPath(run)}/weights`).catch(() => null); // it may have none yet
    if (weights && number === requests) layers.replaceChildren(filterBlock(weights));
  }

  function show(image, answer, weights) {
    const { probabilities } = answer;
    const highest = Math.max(...probabilities);
    const names =
      probabilities.length === classes.length ? classes : probabilities.map((_, i) => String(i));
    const name = names[probabilities.indexOf(highest)];
    error.textContent = "";
    inputCard.hidden = false;
    prediction.replaceChildren(verdictLine(name, highest), bars({ probabilities }, names));
    input.replaceChildren(
      greyPicture(image, 28, "the network's input"),
      h("figcaption", {}, "the network's input: 28×28 pixels"),
    );
    occlusion.replaceChildren(
      occlusionPicture(image, answer.occlusion.flat()),
      h(
        "figcaption",
        {},
        "where the network looks: it is less sure if 8×8 pixels around a blue pixel are covered",
      ),
    );
    layers.replaceChildren(...blocks(image, answer.layers, weights));
  }

  function chooseRun(run) {
    remember({ run, by: run ? "" : "reader" });
    layers.replaceChildren();
    select(selected);
  }

  async function onAddress() {
    const [{ runs }, server] = await Promise.all([get("runs"), about()]);
    if (left) return;
    const names = runs.filter((run) => run.network).map(({ name }) => name);
    const options = names.map((name) => h("option", { value: name }, name));
    networkSelect.replaceChildren(readerOption(), ...options);
    classes = server.classes;
    if (!recall("run") && !recall("by") && server.run) remember({ run: server.run });
    networkSelect.value = recall("run");
    if (pad.pointer === null && recall("ink") !== pad.text) pad.text = recall("ink");
    selected = Number(recall("digit")) || 0;
    reader.update();
  }

  onAddress().catch((problem) => {
    error.textContent = problem.message;
  });
  return {
    onAddress,
    leave() {
      left = true;
      pad.release();
    },
  };
}

const readerOption = () => h("option", { value: "" }, "the reader");

const quiet = (text) => h("p", { class: "quiet" }, text);

/** The digit in dark grey; over it, in blue, how much the probability falls where it is covered. */
function occlusionPicture(image, probabilities) {
  const { accent } = colors();
  const highest = Math.max(...probabilities);
  const range = Math.max(highest - Math.min(...probabilities), MIN_OCCLUSION_RANGE);
  const colorAt = (i) => {
    const grey = 0.55 * image[i];
    const fall = (highest - probabilities[i]) / range;
    return mix([grey, grey, grey], accent, 0.85 * fall);
  };
  return picture(28, 28, colorAt, "where the network looks");
}

/** A block for the first layer's weights and one for each layer's output. */
function blocks(image, layers, weights) {
  if (!weights) return [quiet("Choose a run to see the output of each of its layers.")];
  const isSoftmax = weights.name === "layer1/kernel" && weights.shape[0] === 10;
  const first = isSoftmax ? productBlock(weights, image) : filterBlock(weights);
  return [first, ...layers.map(layerBlock)];
}

const block = (title, note, ...children) =>
  h("article", { class: "card layer" }, h("h3", {}, title, h("span", {}, note)), ...children);

function filterBlock(weights) {
  const [n, height, width] = weights.shape;
  const grid = h("div", { class: "maps" }, ...mapPictures(weights, (i) => `filter ${i + 1}`));
  grid.style.setProperty("--size", height > 12 ? "64px" : "44px");
  const ofAll = weights.count > n ? `first ${n} of ${weights.count}` : n;
  return block(weights.name, `weights of the ${ofAll} filters, ${height}×${width} each`, grid);
}

/** Softmax: a picture of weights per digit, whose products with the image add up to the logit. */
function productBlock(weights, image) {
  const all = decodeSigned(weights.pixels);
  const digits = Array.from({ length: 10 }, (_, digit) => {
    const own = all.subarray(PIXELS * digit, PIXELS * (digit + 1));
    const products = Float32Array.from(own, (weight, i) => (weight * image[i]) / 255);
    const sum = products.reduce((total, product) => total + product, 0);
    const logit = sum * (weights.largest / 127) + (weights.biases[digit] ?? 0);
    return { digit, own, products, logit };
  });
  const highest = Math.max(...digits.map(({ logit }) => logit));
  const figures = digits.map(({ digit, own, products, logit }) =>
    h(
      "figure",
      { class: logit === highest ? "best" : "" },
      signedPicture(own, 28, `weights of the digit ${digit}`),
      signedPicture(products, 28, `weights × input for the digit ${digit}`),
      h("figcaption", {}, `${digit}: ${logit.toFixed(1).replace("-", "−")}`),
    ),
  );
  const note =
    "Blue counts for the digit, grey against it. The number is the sum plus the digit's bias; " +
    "the digit with the largest number is the prediction.";
  return block("weights, and weights × input", note, h("div", { class: "maps ten" }, ...figures));
}

function layerBlock(layer) {
  const [n, height, width] = layer.shape;
  const isFlat = height === 1;
  const label = (i) => (isFlat ? layer.name : `map ${i + 1} of ${layer.name}`);
  const grid = h("div", { class: isFlat ? "neurons" : "maps" }, ...mapPictures(layer, label));
  grid.style.setProperty("--size", mapSize(height));
  let size = `${layer.count} maps of ${height}×${width}`;
  if (layer.count > n) size += `, the first ${n} are shown`;
  if (isFlat) size = `${width} values`;
  return block(layer.name, `${LAYER_NAMES[layer.type] ?? layer.type}: ${size}`, grid);
}

function mapSize(height) {
  if (height > 20) return "72px";
  return height > 10 ? "56px" : "40px";
}
