// The picture of the first graph. Its boxes show the values of the last step, and light up in the
// order in which a step computes them: forward to the cost, and backward to the variables.

import { h } from "./dom.js";
import { svgPicture } from "./panzoom.js";
import { greyPicture } from "./pixels.js";

const NUMBERS_IN_BOX = 3;
const CENTRE = 14 * 28 + 14; // the pixel in the middle of an image: there is ink
const TITLE_HEIGHT = 58; // of the picture; the page has its own title
const HINT =
  "Switch on “slowly” and take one step: the boxes light up, in the order in which it computes " +
  "their values.";
const SIDEWAYS = "The graph is wider than the screen: swipe it sideways.";
const ALT =
  "The graph: matmul takes input and layer1_weights; adding layer1_biases gives the logits; " +
  "softmax cross entropy takes the logits and the labels; its mean is the cost; the optimizer " +
  "changes the variables";
const FORWARD = "forward:";
const BACKWARD = "backwards:";
const UPDATE = "update:";
const WAITING = "The grey buttons wait until the step is over.";
const AFTERWARDS =
  "A step goes forward to the cost and backwards to the slopes, and then updates all weights. Each " +
  "box shows its value in the last step; variables, after it.";

/**
 * The parts of a step, in order: what each computes, and the boxes and arrows that light up.
 *
 * `boxes` is box → the value that it shows from now on; null if it keeps what it shows. `arrows`
 * are pairs of boxes, in the direction of the picture's arrow.
 */
export const stages = (session, values) => [
  {
    text: "the images of the batch come in, with their labels",
    value: values.input,
    boxes: { input: values.input, labels: values.labels },
    arrows: [],
  },
  {
    text: "each image times the weights; of the first image, a number for each digit",
    value: values.product,
    boxes: { matmul: values.product },
    arrows: ["input matmul", "layer1_weights matmul"],
  },
  {
    text: "adding the biases gives the logits; of the first image, one for each digit",
    value: values.logits,
    boxes: { logits: values.logits },
    arrows: ["matmul logits", "layer1_biases logits"],
  },
  {
    text: "how wrong is each answer? Of the first ten images",
    value: values.losses,
    boxes: { softmax_cross_entropy: values.losses },
    arrows: ["logits softmax_cross_entropy", "labels softmax_cross_entropy"],
  },
  {
    text: "the mean of the batch is the cost",
    value: values.cost,
    boxes: { cost: values.cost },
    arrows: ["softmax_cross_entropy cost"],
  },
  ...backwardStages(session, values),
];

const backwardStages = (session, { slopes }) =>
  [
    {
      text: "slopes of the logits, (probabilities − labels) / N; of the first image, one for each digit",
      value: slopes.logits,
      boxes: { softmax_cross_entropy: null, logits: null },
      arrows: ["softmax_cross_entropy cost", "logits softmax_cross_entropy"],
    },
    {
      text: "slopes of the biases, the sums over the batch; one for each digit",
      value: slopes.biases,
      boxes: { layer1_biases: null },
      arrows: ["layer1_biases logits"],
    },
    {
      text: "slopes of the weights, inputᵀ · slopes of the logits; of the pixel in the middle, one for each digit",
      value: slopes.weights,
      boxes: { matmul: null, layer1_weights: null },
      arrows: ["matmul logits", "layer1_weights matmul"],
    },
    {
      text: `new weights, weights − ${session.rate} · slopes; of the pixel in the middle, one for each digit`,
      value: session.weights,
      boxes: { optimizer: null, layer1_weights: session.weights, layer1_biases: session.biases },
      arrows: ["optimizer layer1_weights", "optimizer layer1_biases"],
      direction: UPDATE,
    },
  ].map((stage) => ({ direction: BACKWARD, ...stage }));

export function walk(svgText) {
  const drawing = svgPicture(svgText);
  cutTitleOff(drawing);
  drawing.setAttribute("aria-label", ALT);
  const boxes = new Map(
    [...drawing.querySelectorAll(".node")].map((box) => [box.dataset.name, box]),
  );
  const arrows = new Map(
    [...drawing.querySelectorAll("[data-from]")].map((arrow) => [
      `${arrow.dataset.from} ${arrow.dataset.to}`,
      arrow,
    ]),
  );
  const frame = scrollingFrame(drawing);
  const sideways = h("p", { class: "quiet sideways" }, SIDEWAYS);
  const element = h("div", { class: "walk" }, sideways, frame);
  const text = h("p", {}, HINT);
  const image = h("div");
  const note = h("div", { class: "arrived" }, image, text);

  /** Light the boxes and arrows of a stage, and show its value. `part` is "2 of 9". */
  function light(stage, part) {
    const { text: meaning, value, boxes: shown, arrows: passed, direction = FORWARD } = stage;
    putOut();
    const litBoxes = Object.keys(shown).map((name) => boxes.get(name));
    const classes = { [BACKWARD]: ["lit", "backward"], [UPDATE]: ["lit", "update"] };
    for (const part of [...litBoxes, ...passed.map((ends) => arrows.get(ends))])
      part?.classList.add(...(classes[direction] ?? ["lit"]));
    fillBoxes(shown);
    scrollTo(frame, litBoxes[0]);
    const waiting = h("span", { class: "quiet" }, `Part ${part}. ${WAITING}`);
    text.replaceChildren(h("b", {}, direction), ` ${meaning}${description(value)}`, waiting);
    image.replaceChildren(...(isImages(value) ? [firstImage(value)] : []));
  }

  function putOut() {
    for (const part of [...boxes.values(), ...arrows.values()])
      part.classList.remove("lit", "backward", "update");
  }

  /** A box has its name, its shape and, in a second line, its numbers. */
  function fillBoxes(shown) {
    for (const [name, value] of Object.entries(shown)) {
      if (value === null || !boxes.has(name)) continue;
      const [, shape, numbers] = boxes.get(name).querySelectorAll("text");
      if (value.shape) shape.textContent = value.shape.join("×");
      if (!isImages(value)) numbers.textContent = sample(value, NUMBERS_IN_BOX);
    }
  }

  /** Show the values of a step that is over in all boxes. */
  function fill(ofStep) {
    putOut();
    for (const stage of ofStep) fillBoxes(stage.boxes);
    image.replaceChildren();
    text.textContent = AFTERWARDS;
  }

  return { element, note, light, fill };
}

/** On a phone the picture is wider than its frame: the Tab key must reach it then. */
function scrollingFrame(drawing) {
  const frame = h("div", { class: "graph still", role: "group", "aria-label": "Graph" }, drawing);
  const watcher = new ResizeObserver(() => {
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
    fadeEdges(frame);
  });
  watcher.observe(frame);
  frame.addEventListener("scroll", () => fadeEdges(frame), { passive: true });
  return frame;
}

/** Mark the edges behind which there is more of the picture. */
function fadeEdges(frame) {
  const hidden = frame.scrollWidth - frame.clientWidth;
  frame.classList.toggle("more-left", frame.scrollLeft > 1);
  frame.classList.toggle("more-right", frame.scrollLeft < hidden - 1);
}

/** Move the box to the middle of its frame, as far as the frame scrolls. */
function scrollTo(frame, box) {
  if (!box || frame.scrollWidth <= frame.clientWidth) return;
  const [outer, inner] = [frame, box].map((each) => each.getBoundingClientRect());
  frame.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
}

function cutTitleOff(drawing) {
  const [x, y, width, height] = drawing.getAttribute("viewBox").split(" ").map(Number);
  const rest = [x, y + TITLE_HEIGHT, width, height - TITLE_HEIGHT];
  drawing.setAttribute("viewBox", rest.join(" "));
}

const isImages = (value) => value.shape?.[1] === 784;

/** The shape and some numbers of a value. */
function description(value) {
  const shape = value.shape ? ` (${value.shape.join("×")})` : "";
  return isImages(value) ? shape : `${shape}: ${sample(value, 10)}`;
}

/** A few numbers of a value: of the pixel in the middle, or of the first image. */
function sample(value, count) {
  if (!value.shape) return value.toFixed(4);
  const start = value.shape[0] === 784 ? 10 * CENTRE : 0;
  const numbers = [...value.values.subarray(start, start + Math.min(count, 10))];
  const isWhole = value.values.length <= count;
  return `${numbers.map(shortText).join("  ")}${isWhole ? "" : " …"}`;
}

function shortText(number) {
  if (Number.isInteger(number)) return String(number);
  return number.toFixed(Math.abs(number) < 0.1 ? 4 : 2).replace("-", "−");
}

const firstImage = (images) =>
  greyPicture(
    images.values.subarray(0, 784).map((value) => 255 * value),
    28,
    "the first image of the batch",
  );
