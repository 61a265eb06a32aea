// A sheet to draw one digit on, and what a network makes of it. It needs no server: the network is
// a file, computed here. The exported HTML file consists of it.

import { card, verdict } from "./answer.js";
import { h, svg } from "./dom.js";
import { normalize } from "./normalize.js";
import { Pad, padCanvas, parseStrokes } from "./pad.js";
import { signedPicture } from "./pixels.js";
import { recognize } from "./recognizer.js";

const SHOWN_MAPS = 32;
const HOW =
  "Draw one digit on the sheet: with the mouse, a finger or a pen, or with the arrow keys and the " +
  "space bar. Or take this one:";
const INPUT =
  "Left: all that the network gets, your digit in 28×28 pixels. Right: its probabilities.";
const NO_DIGIT = " The bar above the dash means: no digit.";
// A 2, as a pad writes its strokes.
const EXAMPLE =
  "8i5e8l548p4r8u4e91449a3u9k3m9v3ga73bak38ax37bb37bo3ac03fcc3mcm3ucu44d04gd44sd555" +
  "d55id25wcy6acr6ock72cc7gc27ubs88bh8nb492as9iaf9ya2ae9qau9eba92bp8sc28kcc8dcl88cq" +
  "8wcm9sciakchbcchc4cjcucldkcoe4cq";

/**
 * Fill an element: draw, and the model of onnx.js answers.
 *
 * Returns a function that must be called before the element is removed: it stops listening.
 */
export function mount(element, model) {
  const canvas = padCanvas("Sheet to draw a digit on.");
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw one digit here.");
  const headline = h("output", { class: "headline", "aria-live": "polite" });
  const details = h("div", { class: "stack" });
  const layer = h("div", { class: "first-layer" });
  const undo = h("button", { onclick: () => pad.undo() }, "Undo");
  const clear = h("button", { onclick: () => pad.clear() }, "Clear");
  const start = h("div", { class: "stack" }, h("p", {}, HOW), exampleButton(drawExample));

  const pad = new Pad(canvas, () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(show); // once for all that the pen does until then
  });
  let frame = 0;

  function drawExample() {
    pad.setStrokes(parseStrokes(EXAMPLE));
    canvas.focus(); // the button is hidden now
  }

  function show() {
    const { values, width, height } = pad.ink();
    const pixels = normalize(values, width, height);
    const answer = pixels && recognize(model, pixels);
    const text = answer ? verdict(answer, model.classes) : "nothing drawn";
    hint.hidden = !pad.empty;
    start.hidden = answer !== null;
    undo.disabled = clear.disabled = pad.empty;
    if (headline.textContent !== text) headline.textContent = text; // it is read aloud
    headline.classList.toggle("words", !/^\d$/.test(text));
    details.replaceChildren(...(answer ? explained(answer, model.classes, pixels) : []));
    layer.replaceChildren(...(answer ? firstLayer(answer.maps) : []));
  }

  const sheet = h("div", { class: "sheet" }, canvas, hint);
  const tools = h("div", { class: "tools" }, undo, clear);
  element.classList.add("tryout");
  element.append(
    h("section", { class: "stack", "aria-label": "Draw" }, sheet, tools),
    h("section", { class: "stack", "aria-label": "Answer" }, headline, start, details),
    layer,
  );
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  isDark.addEventListener("change", show); // pictures have the colours of the scheme
  show();

  return () => {
    cancelAnimationFrame(frame);
    isDark.removeEventListener("change", show);
    pad.release();
  };
}

function exampleButton(onclick) {
  const lines = parseStrokes(EXAMPLE).map((stroke) =>
    svg("polyline", { points: stroke.join(" ") }),
  );
  const picture = svg("svg", { viewBox: "250 60 310 450", "aria-hidden": "true" }, ...lines);
  return h("button", { class: "example", "aria-label": "Draw the example, a 2", onclick }, picture);
}

function explained(answer, classes, pixels) {
  const note = INPUT + (classes.includes("none") ? NO_DIGIT : "");
  return [card(answer, classes, pixels), h("p", { class: "quiet" }, note)];
}

/** The maps of the first layer that makes several of the image; a network of neurons has none. */
function firstLayer(maps) {
  const [name, first] = Object.entries(maps).find(([, { shape }]) => shape[0] > 1) ?? [];
  if (!first) return [];
  const count = first.shape[0];
  const shown = count > SHOWN_MAPS ? `; the first ${SHOWN_MAPS} are shown` : "";
  const note = `${count} maps, one for each pattern that it looks for${shown}. Blue: the pattern is there. Grey: its opposite is.`;
  return [
    h(
      "article",
      { class: "card stack" },
      h("div", {}, h("h2", {}, `The first layer: ${name}`), h("p", { class: "quiet" }, note)),
      h("div", { class: "maps" }, ...pictures(first).slice(0, SHOWN_MAPS)),
    ),
  ];
}

function pictures({ shape: [count, height, width], values }) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const signed = values.map((value) => (127 * value) / largest);
  const size = height * width;
  return Array.from({ length: count }, (_, i) =>
    signedPicture(signed.subarray(i * size, (i + 1) * size), width, `map ${i + 1}`),
  );
}
