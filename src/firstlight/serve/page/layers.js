// A network's layers, one at a time: their order as a row of buttons, and what the chosen one makes
// of a digit.

import { figure, h, svg } from "./dom.js";
import { decodeSigned, mapPictures, signedPicture } from "./pixels.js";
import { weightsBlock } from "./weights.js";

export const INPUT = ""; // stands for the input, which is no layer
const MAX_NEURONS = 12; // that are listed, the strongest first
const COARSE = 10; // rows of a map in which a drawing is hardly recognised

const NEURONS = {
  name: "neurons",
  does: "Each neuron multiplies all values of the layer before by its weights and adds them up.",
};
const times = (size) => size.join("×");
const KINDS = {
  Conv2D: convolution,
  SparseConvolution: convolution,
  DepthwiseConv2D: convolution,
  SeparableConv2D: convolution,
  BatchNorm: {
    name: "batch normalisation",
    does:
      "Batch normalisation scales and shifts each map, so that its values have a usual size. The " +
      "pattern stays.",
  },
  ReLU: {
    name: "ReLU",
    does: "ReLU sets negative values to 0. What is left says where the filter found its pattern.",
  },
  MaxPooling2D: pool("maximum", "keeps the largest"),
  AveragePooling2D: pool("mean", "takes the mean"),
  Subsampling: pool("mean", "takes the mean", ", times a weight of its map, and squashes it"),
  GlobalAveragePooling2D: {
    name: "mean of each map",
    does: "It takes the mean of each map: one number is left of it.",
  },
  Dense: NEURONS,
  EinsumDense: NEURONS,
};

function convolution({ window, strides }, isFirst) {
  const steps = strides[0] > 1 ? ` in steps of ${strides[0]}` : "";
  const input = isFirst ? "the picture" : "the maps of the layer before";
  return {
    name: `convolution ${times(window)}`,
    does:
      `A filter for each map slides over ${input}${steps}. It sees ${times(window)} values at a ` +
      "time. The map is large where the filter finds its pattern.",
  };
}

function pool(name, does, more = "") {
  return ({ window }) => ({
    name: `${name} of ${times(window)} values`,
    does: `It ${does} of each ${times(window)} values${more}. The maps get smaller.`,
  });
}

/** What the layer is called, and what it does. */
function kind(layer, isFirst) {
  const known = KINDS[layer.type];
  if (typeof known === "function" && layer.window) return known(layer, isFirst);
  return typeof known === "object" ? known : { name: layer.type, does: "" };
}

const isFlat = (layer) => layer.shape[0] * layer.shape[1] === 1;

function sizeOf(layer) {
  const [, height, width] = layer.shape;
  return isFlat(layer) ? String(width) : `${height}×${width}×${layer.count}`;
}

/** What `layers` holds, by stage: [[conv1, conv1_norm, conv1_relu], [conv2, …], …]. */
function stages(layers) {
  const groups = new Map();
  for (const layer of layers) groups.set(layer.stage, [...(groups.get(layer.stage) ?? []), layer]);
  return [...groups.values()];
}

const stageOf = (layers, name) => stages(layers).find((all) => all.some((l) => l.name === name));

/** The row of buttons; `choose(name)` gets INPUT or the name of a stage's last layer. */
export function flow(layers, chosen, choose) {
  const own = stageOf(layers, chosen);
  const button = (name, title, size, isChosen) =>
    h(
      "li",
      {},
      h(
        "button",
        { "aria-pressed": String(isChosen), "data-key": name, onclick: () => choose(name) },
        title,
        h("span", {}, size),
      ),
    );
  return h(
    "ol",
    { class: "flow", "aria-label": "Layers, in order" },
    button(INPUT, "input", "28×28", !own),
    stages(layers).map((all) =>
      button(all.at(-1).name, all[0].stage, sizeOf(all.at(-1)), all[0].stage === own?.[0].stage),
    ),
  );
}

// --- A layer -----------------------------------------------------------------------------------

/**
 * @param layers all of the network's
 * @param name of the chosen one
 * @param shown { image, classes, weights, map }: the digit, the names of the classes, the weights of
 *   the first layer, and the number of the chosen map (null: the strongest)
 * @param onLayer is called with a name, onMap with a number
 * @returns { element, detail, map }: `detail` is to be filled with what activates the map
 */
export function layerPanel(
  layers,
  name,
  { image, classes, weights, map, words },
  { onLayer, onMap },
) {
  const layer = layers.find((each) => each.name === name);
  const stage = stageOf(layers, name);
  const first = kind(stage[0], stage[0] === layers[0]);
  const isOutput = isOutputOf(layers, layer, classes);
  const values = decodeSigned(layer.pixels);
  const isShown = Number.isInteger(map) && map >= 0 && map < shownCount(layer);
  const chosen = isShown ? map : strongest(layer, values);
  const choices = isFlat(layer)
    ? neuronChoices(layer, values, isOutput ? classes : null, { chosen, onMap })
    : mapChoices(layer, { chosen, onMap });
  const detail = h("section", { class: "detail" });
  const element = h(
    "article",
    { class: "card layer" },
    h("h2", {}, stage[0].name, h("span", {}, `${first.name}: ${countText(layer)}`)),
    first.does ? h("p", {}, first.does) : null,
    steps(stage, layer, onLayer),
    h("p", { class: "quiet" }, lookText(layer, values, isOutput)),
    weightsBlock(weights, image, layer, { words, classes: isOutput ? classes : null }),
    h("div", { class: "choices" }, choices, detail),
  );
  return { element, detail, map: chosen };
}

/** Whether the layer has a neuron for each class. */
export const isOutputOf = (layers, layer, classes) =>
  layer === layers.at(-1) && isFlat(layer) && layer.shape[2] === classes.length;

const shownCount = ({ shape }) => (isFlat({ shape }) ? shape[2] : shape[0]);

function countText(layer) {
  const [n, height, width] = layer.shape;
  if (isFlat(layer)) return `${width} values`;
  const text = `${layer.count} ${layer.count === 1 ? "map" : "maps"} of ${height}×${width}`;
  return layer.count > n ? `${text}; the first ${n} are shown` : text;
}

/** The number of the map that has the largest value. */
function strongest(layer, values) {
  const size = isFlat(layer) ? 1 : layer.shape[1] * layer.shape[2];
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return Math.floor(best / size);
}

/** The layers of a stage, if it has several: a button for each, and what the chosen one does. */
function steps(stage, chosen, onLayer) {
  if (stage.length === 1) return null;
  const buttons = stage.map((layer) =>
    h(
      "button",
      {
        "aria-pressed": String(layer === chosen),
        "data-key": `step ${layer.name}`,
        onclick: () => onLayer(layer.name),
      },
      kind(layer).name,
    ),
  );
  const label = h("span", { class: "quiet" }, "shown after");
  const note = chosen === stage[0] ? null : h("p", { class: "quiet" }, kind(chosen).does);
  const group = { class: "tools steps", role: "group", "aria-label": "Steps of this layer" };
  return [h("div", group, label, buttons), note];
}

function lookText(layer, values, isOutput) {
  if (isOutput)
    return (
      "It has a number for each class. The class with the largest number is the answer; softmax makes " +
      "probabilities of them. Choose a class to see what speaks for it."
    );
  const negative = values.some((value) => value < 0) ? ", grey below 0" : "";
  const shades = `Blue is above 0${negative}, and the stronger the colour, the larger the number.`;
  if (isFlat(layer)) return `${shades} Choose a neuron to see what it responds to.`;
  const look =
    layer.shape[1] > COARSE
      ? "The maps still look like the picture: see what each keeps of it."
      : "The maps are coarse: each value says whether the pattern was found in that part.";
  return `${shades} ${look} Choose a map to see what it responds to.`;
}

/** A map for each radio button: one stop of the Tab key, and arrow keys choose. */
function mapChoices(layer, { chosen, onMap }) {
  const labels = mapPictures(layer, (i) => `map ${i}`).map((shown, i) => {
    return h(
      "label",
      {},
      radio(i, i === chosen, onMap),
      shown,
      h("span", { "aria-hidden": "true" }, i),
    );
  });
  const grid = h("fieldset", { class: "maps" }, legend(`Maps of ${layer.name}`), ...labels);
  grid.style.setProperty("--size", mapSize(layer.shape[1]));
  return grid;
}

const legend = (text) => h("legend", { class: "visually-hidden" }, text);

const radio = (number, checked, onChoose) =>
  h("input", {
    type: "radio",
    name: "map",
    value: number,
    checked,
    class: "visually-hidden",
    onchange: () => onChoose(number),
  });

function mapSize(height) {
  if (height > 20) return "64px";
  return height > COARSE ? "52px" : "40px";
}

/** All neurons as a strip, and a radio button for each of the strongest; for each class's, if any. */
function neuronChoices(layer, values, classes, { chosen, onMap }) {
  const count = values.length;
  const order = Array.from({ length: count }, (_, i) => i);
  if (!classes) order.sort((one, other) => values[other] - values[one]);
  const listed = order.slice(0, classes ? count : MAX_NEURONS);
  if (!listed.includes(chosen)) listed.push(chosen);
  const hasNegative = values.some((value) => value < 0);
  const rows = listed.map((i) => {
    const value = (values[i] * layer.largest) / 127;
    const name = classes?.[i] ?? String(i);
    return h(
      "label",
      {},
      radio(i, i === chosen, onMap),
      h("b", {}, name),
      level(values[i], hasNegative),
      h("span", {}, value.toFixed(1).replace("-", "−")),
    );
  });
  const title = classes ? "Classes" : `The strongest of ${count} neurons`;
  return h(
    "div",
    { class: "stack" },
    classes ? null : strip(values, count),
    h("fieldset", { class: "neurons" }, h("legend", {}, title), ...rows),
  );
}

/** A bar to the right for a value above 0, to the left for one below; `hasNegative`: if any is. */
function level(value, hasNegative) {
  const zero = hasNegative ? 127 : 0;
  const width = Math.abs(value);
  const x = value < 0 ? zero - width : zero;
  const whole = zero + 127;
  return svg(
    "svg",
    { viewBox: `0 0 ${whole} 10`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", x: 0, y: 0, width: whole, height: 10 }),
    svg("rect", { class: value < 0 ? "bar negative" : "bar", x, y: 0, width, height: 10 }),
  );
}

/** The neurons as one picture, row by row. */
function strip(values, count) {
  const width = Math.min(count, 40);
  const padded = new Int8Array(width * Math.ceil(count / width));
  padded.set(values);
  const shown = signedPicture(padded, width, `the ${count} values`);
  return figure(shown, `all ${count} values, row by row`);
}

/** The chosen map as a picture of its own; null for a neuron. */
export function mapPicture(layer, number) {
  if (isFlat(layer) || number >= layer.shape[0]) return null;
  const [, height, width] = layer.shape;
  const size = height * width;
  const own = decodeSigned(layer.pixels).subarray(size * number, size * (number + 1));
  return signedPicture(own, width, `map ${number}`);
}
