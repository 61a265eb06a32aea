// A live part of chapter 5: a filter slides over a digit, by hand.

import { recall, remember } from "./address.js";
import { errorLine, h } from "./dom.js";
import { fileBytes } from "./files.js";
import { array, convolution, relu } from "./network.js";
import { normalize } from "./normalize.js";
import { Pad, padCanvas } from "./pad.js";
import { colors, digitPictures, mix } from "./pixels.js";
import { decodeExamples } from "./session.js";

const SIDE = 28; // pixels of the digit
const SIZE = 3; // of the filter
const PLACES = SIDE - SIZE + 1; // of the filter below each other, and side by side
const CELL = 12; // pixels of a canvas for each pixel of a picture
const SHOWN_DIGITS = 8;
const WINDOW = { size: [SIZE, SIZE], strides: [1, 1], pads: [0, 0, 0, 0] };
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const FILTERS = {
  upper: { title: "upper edges", weights: [-1, -1, -1, 0, 0, 0, 1, 1, 1] },
  left: { title: "left edges", weights: [-1, 0, 1, -1, 0, 1, -1, 0, 1] },
  blur: { title: "blur", weights: Array(SIZE * SIZE).fill(0.11) },
  sharpen: { title: "sharpen", weights: [0, -1, 0, -1, 5, -1, 0, -1, 0] },
};
const MAX_WEIGHT = 10;
const EXPLANATION =
  "Slide the frame over the digit, with the mouse, a finger or the arrow keys. Each pixel in the " +
  "frame is multiplied by the weight at its place. The sum of the nine products is one pixel of the map.";

export function mount(element) {
  const view = new Convolution();
  element.classList.add("card", "stack", "convolution");
  element.append(...view.elements());
  view.start().catch(({ message }) => {
    view.error.textContent = message;
  });
  return { onAddress: () => view.readAddress(), leave: () => view.leave() };
}

class Convolution {
  constructor() {
    this.error = errorLine();
    this.digits = []; // 784 pixels each, 0 to 255
    this.pixels = new Uint8Array(SIDE * SIDE);
    this.visited = new Set(); // places of the map that are filled
    this.place = [0, 0]; // row and column of the frame's upper left pixel
    this.canvas = this.makeCanvas(SIDE, "The digit. The arrow keys move the frame.");
    this.mapCanvas = this.makeCanvas(PLACES, "The map. The arrow keys move the frame.");
    this.weights = Array.from({ length: SIZE * SIZE }, (_, i) => this.weightInput(i));
    this.filterButtons = Object.entries(FILTERS).map(([key, { title }]) =>
      h("button", { "data-key": key, onclick: () => this.choose(key) }, title),
    );
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Digits" });
    this.under = h("div", { class: "nine" });
    this.products = h("div", { class: "nine" });
    this.sum = h("p", { class: "sum", "aria-live": "polite" });
    this.relu = h("input", { type: "checkbox", role: "switch", onchange: () => this.change() });
    this.padCanvas = padCanvas("Sheet to draw a digit of your own on.");
    this.sheet = h("div", { class: "sheet", hidden: true }, this.padCanvas);
    this.pad = new Pad(this.padCanvas, (lifted) => lifted && this.drawn());
    this.released = new AbortController();
    const isDark = matchMedia("(prefers-color-scheme: dark)");
    isDark.addEventListener("change", () => this.show(), { signal: this.released.signal });
  }

  // --- What it consists of -------------------------------------------------------------------

  makeCanvas(side, label) {
    const canvas = h("canvas", {
      width: side * CELL,
      height: side * CELL,
      tabindex: 0,
      role: "application",
      "aria-label": label,
      onkeydown: (event) => this.key(event),
      onpointerdown: (event) => canvas.setPointerCapture(event.pointerId),
    });
    const follow = (event) => event.buttons && this.moveTo(placeUnder(event, canvas, side));
    for (const type of ["pointerdown", "pointermove"]) canvas.addEventListener(type, follow);
    return canvas;
  }

  weightInput(i) {
    const [row, column] = [Math.floor(i / SIZE) + 1, (i % SIZE) + 1];
    return h("input", {
      type: "number",
      step: "any",
      min: -MAX_WEIGHT,
      max: MAX_WEIGHT,
      "aria-label": `weight in row ${row}, column ${column}`,
      onchange: () => this.change(),
    });
  }

  elements() {
    const figure = (title, content) => h("figure", {}, h("figcaption", {}, title), content);
    const own = h("button", { onclick: () => this.openSheet() }, "Draw your own");
    return [
      h("h4", {}, "Try it: a filter by hand"),
      h("p", {}, EXPLANATION),
      h("div", { class: "tools" }, this.chips, own),
      this.sheet,
      h("div", { class: "tools" }, h("span", {}, "Filter:"), ...this.filterButtons),
      h("div", { class: "two" }, figure("digit", this.canvas), figure("map", this.mapCanvas)),
      h(
        "div",
        { class: "sums" },
        figure("pixels, 0 to 1", this.under),
        h("b", { "aria-hidden": "true" }, "×"),
        figure("weights", h("div", { class: "nine" }, ...this.weights)),
        h("b", { "aria-hidden": "true" }, "="),
        figure("products", this.products),
      ),
      this.sum,
      h(
        "div",
        { class: "tools" },
        h("button", { class: "main", onclick: () => this.fill() }, "Fill the map"),
        h("button", { onclick: () => this.empty() }, "Empty it"),
        h("label", { class: "switch" }, this.relu, "ReLU: below 0 becomes 0"),
      ),
      h("p", { class: "quiet" }, "In the map, blue is above 0, and grey is below 0."),
      this.error,
    ];
  }

  // --- What it does --------------------------------------------------------------------------

  async start() {
    const { pixels } = decodeExamples(await fileBytes("data/mnist-few.bin"));
    this.digits = Array.from({ length: SHOWN_DIGITS }, (_, i) =>
      pixels.subarray(SIDE * SIDE * i, SIDE * SIDE * (i + 1)),
    );
    const chips = this.digits.map((digit, i) =>
      h(
        "button",
        { "aria-label": `digit ${i + 1}`, onclick: () => this.take(i) },
        ...digitPictures(digit),
      ),
    );
    this.chips.replaceChildren(...chips);
    this.readAddress();
  }

  /** The address says digit, filter, place, and which places of the map are filled. */
  readAddress() {
    if (!this.digits.length) return;
    const ink = recall("conv-ink");
    if (ink !== this.pad.text) this.pad.text = ink;
    this.pixels = this.ownDigit() ?? this.digits[chosen(recall("conv-digit"))];
    this.sheet.hidden = !ink;
    const weights =
      FILTERS[recall("conv-filter", "upper")]?.weights ?? numbers(recall("conv-filter"));
    this.weights.forEach((input, i) => {
      input.value = weights[i] ?? 0;
    });
    this.relu.checked = recall("conv-relu") === "on";
    this.place = numbers(recall("conv-at", "6,11")).map(insideMap);
    this.visited = new Set(recall("conv-map") === "all" ? allPlaces() : [indexOf(this.place)]);
    this.show();
  }

  save() {
    const isFull = this.visited.size === PLACES * PLACES;
    remember({
      "conv-ink": this.sheet.hidden ? "" : this.pad.text,
      "conv-filter": this.filterName() ?? this.kernel().join(","),
      "conv-at": this.place.join(","),
      "conv-map": isFull ? "all" : "",
      "conv-relu": this.relu.checked ? "on" : "",
    });
  }

  take(number) {
    this.sheet.hidden = true;
    this.pixels = this.digits[number];
    remember({ "conv-digit": number || "" });
    this.begin();
  }

  openSheet() {
    this.sheet.hidden = false;
    this.pad.clear();
    this.padCanvas.focus();
  }

  drawn() {
    if (this.sheet.hidden) return;
    this.pixels = this.ownDigit() ?? new Uint8Array(SIDE * SIDE);
    this.begin();
  }

  /** The user's drawing as a network gets it; null if nothing is drawn. */
  ownDigit() {
    const { values, width, height } = this.pad.ink();
    return normalize(values, width, height);
  }

  choose(key) {
    FILTERS[key].weights.forEach((weight, i) => {
      this.weights[i].value = weight;
    });
    this.change();
  }

  /** Another digit: the map begins anew, unless it was full. */
  begin() {
    if (this.visited.size < PLACES * PLACES) this.visited = new Set([indexOf(this.place)]);
    this.change();
  }

  change() {
    const wrong = this.weights.find((input) => input.value === "" || !input.checkValidity());
    this.error.textContent = wrong
      ? `a weight is a number from −${MAX_WEIGHT} to ${MAX_WEIGHT}`
      : "";
    if (wrong) return;
    this.show();
    this.save();
  }

  key(event) {
    const step = ARROWS[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.moveTo([this.place[0] + step[0], this.place[1] + step[1]]);
  }

  moveTo(place) {
    this.place = place.map(insideMap);
    this.visited.add(indexOf(this.place));
    this.change();
  }

  fill() {
    this.visited = new Set(allPlaces());
    this.change();
  }

  empty() {
    this.visited = new Set([indexOf(this.place)]);
    this.change();
  }

  kernel() {
    return this.weights.map((input) => Number(input.value));
  }

  filterName() {
    const kernel = this.kernel();
    const isShown = ([, { weights }]) => weights.every((weight, i) => weight === kernel[i]);
    return Object.entries(FILTERS).find(isShown)?.[0];
  }

  // --- What it shows -------------------------------------------------------------------------

  show() {
    const name = this.filterName();
    for (const button of this.filterButtons)
      button.setAttribute("aria-pressed", button.dataset.key === name);
    [...this.chips.children].forEach((chip, i) => {
      chip.setAttribute("aria-pressed", this.pixels === this.digits[i]);
    });
    this.showSum();
    this.showDigit();
    this.showMap();
  }

  showSum() {
    const [top, left] = this.place;
    const kernel = this.kernel();
    const pixels = kernel.map((_, i) => {
      const [row, column] = [top + Math.floor(i / SIZE), left + (i % SIZE)];
      return this.pixels[SIDE * row + column] / 255;
    });
    const products = pixels.map((pixel, i) => pixel * kernel[i]);
    const sum = products.reduce((total, product) => total + product, 0);
    this.under.replaceChildren(...pixels.map((value) => h("span", {}, shown(value))));
    this.products.replaceChildren(...products.map((value) => h("span", {}, shown(value))));
    const after = this.relu.checked ? `, and ${shown(Math.max(0, sum))} after ReLU` : "";
    this.sum.textContent = `Row ${top}, column ${left}: the sum is ${shown(sum)}${after}.`;
  }

  showDigit() {
    const { accent } = colors();
    const context = this.canvas.getContext("2d");
    this.pixels.forEach((value, i) => {
      paintCell(context, SIDE, i, [value, value, value]);
    });
    const [top, left] = this.place;
    paintFrame(context, [left, top], SIZE, accent);
  }

  /** The sums at all places, rows of 26; float32. */
  sums() {
    const image = array(
      [1, 1, SIDE, SIDE],
      Float32Array.from(this.pixels, (value) => value / 255),
    );
    const kernels = array([1, 1, SIZE, SIZE], Float32Array.from(this.kernel()));
    const map = convolution(image, kernels, WINDOW);
    return (this.relu.checked ? relu(map) : map).values;
  }

  showMap() {
    const { accent, ink, paper } = colors();
    const sums = this.sums();
    const largest = Math.max(...sums.map(Math.abs)) || 1;
    const context = this.mapCanvas.getContext("2d");
    sums.forEach((sum, i) => {
      const color = mix(paper, sum > 0 ? accent : ink, Math.abs(sum) / largest);
      const isFilled = this.visited.has(i);
      paintCell(context, PLACES, i, isFilled ? color : mix(paper, ink, 0.08));
    });
    const [top, left] = this.place;
    paintFrame(context, [left, top], 1, accent);
  }

  leave() {
    this.released.abort();
    this.pad.release();
  }
}

const insideMap = (value) => Math.min(PLACES - 1, Math.max(0, Math.round(value) || 0));

const indexOf = ([row, column]) => PLACES * row + column;

const allPlaces = () => Array.from({ length: PLACES * PLACES }, (_, i) => i);

const numbers = (text) => text.split(",").map((part) => Number(part) || 0);

const chosen = (text) => Math.min(SHOWN_DIGITS - 1, Math.max(0, Math.floor(Number(text)) || 0));

/** "0.5", "−1", "0". */
function shown(value) {
  const rounded = Math.round(100 * value) / 100 || 0; // no −0
  return String(rounded).replace("-", "−");
}

/** The place whose middle is under the pointer. */
function placeUnder(event, canvas, side) {
  const box = canvas.getBoundingClientRect();
  const before = side === SIDE ? (SIZE - 1) / 2 : 0;
  const pixel = (offset, length) => Math.floor((offset / length) * side) - before;
  return [pixel(event.clientY - box.top, box.height), pixel(event.clientX - box.left, box.width)];
}

function paintCell(context, side, i, color) {
  context.fillStyle = `rgb(${color.map(Math.round)})`;
  context.fillRect(CELL * (i % side), CELL * Math.floor(i / side), CELL, CELL);
}

function paintFrame(context, [x, y], size, color) {
  context.strokeStyle = `rgb(${color})`;
  context.lineWidth = 3;
  context.strokeRect(CELL * x + 1.5, CELL * y + 1.5, CELL * size - 3, CELL * size - 3);
}
