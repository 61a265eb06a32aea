// A sheet to draw one digit on, and what a network makes of it. It needs no server: the network is
// a file, computed here. The exported HTML file consists of it.

import { card, verdict } from "./answer.js";
import { h, percent, svg } from "./dom.js";
import { normalize } from "./normalize.js";
import { Pad, padCanvas, parseStrokes } from "./pad.js";
import { signedPicture } from "./pixels.js";
import { recognize } from "./recognizer.js";

const SHOWN_MAPS = 32;
const HOW =
  "Draw one digit on the sheet: with the mouse, a finger or a pen, or with the arrow keys and the " +
  "space bar. Or try this one:";
const INPUT =
  "Left: all that the network gets, your digit in 28×28 pixels. Right: its probabilities.";
const NO_DIGIT =
  "This small network reads one digit at a time: if you have drawn two, undo one. If you have drawn " +
  "one, it looks like no digit to the network.";
const COLOURS = "Blue: the pattern is there. Grey: its opposite is.";

const STEPS = { norm: "batch normalisation", relu: "ReLU" };

// A 2, as a pad writes its strokes.
const EXAMPLE =
  "8i5e8l548p4r8u4e91449a3u9k3m9v3ga73bak38ax37bb37bo3ac03fcc3mcm3ucu44d04gd44sd555" +
  "d55id25wcy6acr6ock72cc7gc27ubs88bh8nb492as9iaf9ya2ae9qau9eba92bp8sc28kcc8dcl88cq" +
  "8wcm9sciakchbcchc4cjcucldkcoe4cq";

const EXAMPLE_BOX = "250 60 310 450"; // what of the sheet the button shows

/**
 * Fill an element: draw, and the model of onnx.js answers. It may be a promise: one can draw before
 * the network is there.
 *
 * Returns a function that must be called before the element is removed: it stops listening.
 */
export function mount(element, model) {
  const tryOut = new TryOut();
  element.classList.add("tryout");
  element.append(...tryOut.elements());
  tryOut.show();
  tryOut.take(model);
  return () => tryOut.release();
}

class TryOut {
  constructor() {
    this.model = null; // until it is there
    this.waiting = "the network is loading";
    this.canvas = padCanvas("Sheet to draw a digit on.");
    this.hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw one digit here.");
    this.headline = h("output", { class: "headline", "aria-live": "polite" });
    this.start = h("div", { class: "stack" }, h("p", {}, HOW), this.exampleButton());
    this.details = h("div", { class: "stack" });
    this.layer = h("div", { class: "first-layer" });
    this.undo = h("button", { onclick: () => this.pad.undo() }, "Undo");
    this.clear = h("button", { onclick: () => this.pad.clear() }, "Clear");
    this.frame = 0; // the number of the animation frame in which the next answer is shown
    this.pad = new Pad(this.canvas, () => this.change());
    this.released = new AbortController();
    const isDark = matchMedia("(prefers-color-scheme: dark)"); // pictures have its colours
    isDark.addEventListener("change", () => this.show(), { signal: this.released.signal });
  }

  elements() {
    const sheet = h("div", { class: "sheet" }, this.canvas, this.hint);
    const tools = h("div", { class: "tools" }, this.undo, this.clear);
    const answer = [this.headline, this.start, this.details];
    return [
      h("section", { class: "stack", "aria-label": "Draw" }, sheet, tools),
      h("section", { class: "stack", "aria-label": "Answer" }, ...answer),
      this.layer,
    ];
  }

  exampleButton() {
    const lines = parseStrokes(EXAMPLE).map((stroke) =>
      svg("polyline", { points: stroke.join(" ") }),
    );
    const picture = svg("svg", { viewBox: EXAMPLE_BOX, "aria-hidden": "true" }, ...lines);
    const onclick = () => this.drawExample();
    return h(
      "button",
      { class: "example", "aria-label": "Draw the example, a 2", onclick },
      picture,
    );
  }

  async take(model) {
    try {
      this.model = await model;
    } catch ({ message }) {
      this.waiting = message;
    }
    this.show();
  }

  drawExample() {
    this.pad.setStrokes(parseStrokes(EXAMPLE));
    this.canvas.focus(); // the button is hidden now
  }

  /** Answer once for all that the pen does until the next frame. */
  change() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.show());
  }

  show() {
    const { values, width, height } = this.pad.ink();
    const pixels = normalize(values, width, height);
    const answer = pixels && this.model && recognize(this.model, pixels);
    this.hint.hidden = !this.pad.empty;
    this.undo.disabled = this.clear.disabled = this.pad.empty;
    this.start.hidden = pixels !== null;
    if (answer) this.say(verdict(answer, this.model.classes));
    else this.say(pixels ? this.waiting : "nothing drawn");
    this.details.replaceChildren(...(answer ? explained(answer, this.model.classes, pixels) : []));
    this.layer.replaceChildren(...(answer ? firstLayer(answer.maps) : []));
  }

  say(text) {
    if (this.headline.textContent !== text) this.headline.textContent = text; // it is read aloud
    this.headline.classList.toggle("words", !/^\d$/.test(text));
  }

  release() {
    cancelAnimationFrame(this.frame);
    this.released.abort();
    this.pad.release();
  }
}

function explained(answer, classes, pixels) {
  const note = [INPUT, `Below ${percent(answer.threshold)} it says "not sure".`];
  if (classes.includes("none")) note.push("The bar above the dash means: no digit.");
  const reason = answer.digit === "none" ? [h("p", {}, NO_DIGIT)] : [];
  return [...reason, card(answer, classes, pixels), h("p", { class: "quiet" }, note.join(" "))];
}

/** The maps of the first layer that makes several of the image; a network of neurons has none. */
function firstLayer(maps) {
  const [name, first] = Object.entries(maps).find(([, { shape }]) => shape[0] > 1) ?? [];
  if (!first) return [];
  const count = first.shape[0];
  const shown = count > SHOWN_MAPS ? `; the first ${SHOWN_MAPS} are shown` : "";
  const note = `${count} maps, one for each pattern that it looks for${shown}. ${COLOURS}`;
  return [
    h(
      "article",
      { class: "card stack" },
      h(
        "div",
        {},
        h("h2", {}, `The first layer: ${readable(name)}`),
        h("p", { class: "quiet" }, note),
      ),
      h("div", { class: "maps" }, ...pictures(first)),
    ),
  ];
}

/** "conv1_norm" → "conv1, after batch normalisation": in an exported file, layers are merged. */
function readable(name) {
  const [, stage, step] = name.match(/^(.+)_(norm|relu)$/) ?? [];
  return stage ? `${stage}, after ${STEPS[step]}` : name;
}

/** The first maps as pictures, with one scale of colours. */
function pictures({ shape: [count, height, width], values }) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const signed = values.map((value) => (127 * value) / largest);
  const size = height * width;
  return Array.from({ length: Math.min(count, SHOWN_MAPS) }, (_, i) =>
    signedPicture(signed.subarray(i * size, (i + 1) * size), width, `map ${i + 1}`),
  );
}
