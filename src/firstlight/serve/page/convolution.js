// A live part of chapter 5: a filter slides over a digit, by hand.

import { recall, remember, wrong } from "./address.js";
import { DigitChoice } from "./choice.js";
import { errorLine, h } from "./dom.js";
import { array, convolution, relu } from "./network.js";
import { colors, mix } from "./pixels.js";

const SIDE = 28; // pixels of the digit
const SIZE = 3; // of the filter
const PLACES = SIDE - SIZE + 1; // of the filter below each other, and side by side
const CELL = 12; // pixels of a canvas for each pixel of a picture
const NINTH = 1 / 9;
const WINDOW = { size: [SIZE, SIZE], strides: [1, 1], pads: [0, 0, 0, 0] };
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const FILTERS = {
  upper: { title: "upper edges", weights: [-1, -1, -1, 0, 0, 0, 1, 1, 1] },
  left: { title: "left edges", weights: [-1, 0, 1, -1, 0, 1, -1, 0, 1] },
  blur: { title: "blur", weights: Array(SIZE * SIZE).fill(NINTH) },
  sharpen: { title: "sharpen", weights: [0, -1, 0, -1, 5, -1, 0, -1, 0] },
};
const MAX_WEIGHT = 10;
const FIRST_PLACE = [6, 11];
const KERNEL = `the name of a filter or nine numbers from −${MAX_WEIGHT} to ${MAX_WEIGHT}`;
const PLACE = `two whole numbers from 0 to ${PLACES - 1}`;
const EQUAL_CONTRAST = 0.179; // luminance on which black and white text have the same contrast
const HINT = "Each weight of blur is 1/9: the sum is the mean of the nine pixels.";
const LEGEND =
  "In the products and in the map, blue is above 0, white is 0 and red is below 0. The stronger the " +
  "colour, the farther from 0. Grey places of the map are still empty.";
const DARK_LEGEND = LEGEND.replace("white", "the background");
const EXPLANATION =
  "Slide the frame over the digit, with the mouse, a finger or the arrow keys. Each pixel in the " +
  "frame is multiplied by the weight at its place. The sum of the nine products is one pixel of the map.";

export function mount(element) {
  const view = new Convolution();
  element.classList.add("convolution");
  element.append(...view.elements());
  view.start().catch(({ message }) => {
    view.error.textContent = message;
  });
  return { onAddress: () => view.readAddress(), leave: () => view.leave() };
}

class Convolution {
  constructor() {
    this.error = errorLine();
    this.linkError = errorLine(); // what is wrong in the address
    this.mapState = h("p", { class: "quiet" });
    this.legend = h("p", { class: "quiet" });
    this.choice = new DigitChoice("conv", () => this.begin());
    this.kernel = FILTERS.upper.weights;
    this.visited = new Set(); // places of the map that are filled
    this.place = [0, 0]; // row and column of the frame's upper left pixel
    this.canvas = this.makeCanvas(SIDE, "The digit. The arrow keys move the frame.");
    this.mapCanvas = this.makeCanvas(PLACES, "The map. The arrow keys move the frame.");
    this.weights = Array.from({ length: SIZE * SIZE }, (_, i) => this.weightInput(i));
    this.filterButtons = Object.entries(FILTERS).map(([key, { title }]) =>
      h("button", { "data-key": key, onclick: () => this.choose(key) }, title),
    );
    this.under = h("div", { class: "nine" });
    this.products = h("div", { class: "nine" });
    this.hint = h("p", { class: "quiet", hidden: true }, HINT);
    this.sum = h("p", { class: "sum", "aria-live": "polite" });
    this.relu = h("input", { type: "checkbox", role: "switch", onchange: () => this.change() });
    this.released = new AbortController();
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
      onkeyup: () => this.save(), // a browser refuses an address that changes with each step
      onpointerup: () => this.save(),
      onpointercancel: () => this.save(),
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
      onchange: () => this.readWeights(),
    });
  }

  elements() {
    const figure = (title, content) => h("figure", {}, h("figcaption", {}, title), content);
    return [
      h("p", {}, EXPLANATION),
      ...this.choice.elements,
      h("div", { class: "tools" }, h("span", {}, "Filter:"), ...this.filterButtons),
      h("div", { class: "two" }, figure("digit", this.canvas), figure("map", this.mapCanvas)),
      this.mapState,
      h(
        "div",
        { class: "sums" },
        figure("pixels, 0 to 1", this.under),
        h("b", { "aria-hidden": "true" }, "×"),
        figure("weights", h("div", { class: "nine" }, ...this.weights)),
        h("b", { "aria-hidden": "true" }, "="),
        figure("products", this.products),
      ),
      this.hint,
      this.sum,
      h(
        "div",
        { class: "tools" },
        h("button", { class: "main", onclick: () => this.fill() }, "Fill the map"),
        h("button", { onclick: () => this.empty() }, "Empty it"),
        h("label", { class: "switch" }, this.relu, "ReLU: below 0 becomes 0"),
      ),
      this.legend,
      this.error,
      this.linkError,
    ];
  }

  // --- What it does --------------------------------------------------------------------------

  async start() {
    this.readAddress();
    await this.choice.load();
    this.show();
  }

  /** The address says digit, filter, place, and which places of the map are filled. */
  readAddress() {
    this.choice.readAddress();
    const filter = recall("conv-filter", "upper");
    const kernel = FILTERS[filter]?.weights ?? kernelOf(filter);
    this.setKernel(kernel ?? FILTERS.upper.weights);
    this.relu.checked = recall("conv-relu") === "on";
    const place = placeOf(recall("conv-at", FIRST_PLACE.join(",")));
    this.place = place ?? FIRST_PLACE;
    const problems = [
      this.choice.problem,
      kernel ? "" : wrong("conv-filter", KERNEL, "upper"),
      place ? "" : wrong("conv-at", PLACE, FIRST_PLACE.join(",")),
    ];
    this.linkError.textContent = problems.filter(Boolean).join(" ");
    this.visited = placesOf(recall("conv-map")).add(indexOf(this.place));
    this.show();
  }

  save() {
    this.linkError.textContent = "";
    remember({
      ...this.choice.state(),
      "conv-filter": this.filterName() ?? this.kernel.join(","),
      "conv-at": this.place.join(","),
      "conv-map": this.visited.size > 1 ? runLengths(this.visited) : "",
      "conv-relu": this.relu.checked ? "on" : "",
    });
  }

  setKernel(kernel) {
    this.kernel = kernel;
    this.error.textContent = "";
    this.weights.forEach((input, i) => {
      input.value = shownWeight(kernel[i]);
    });
  }

  /** What the user has typed; a weight that was left as it is shown stays exact. */
  readWeights() {
    const isWrong = this.weights.some((input) => input.value === "" || !input.checkValidity());
    this.error.textContent = isWrong
      ? `a weight is a number from −${MAX_WEIGHT} to ${MAX_WEIGHT}`
      : "";
    if (isWrong) return;
    this.kernel = this.weights.map(({ value }, i) =>
      value === shownWeight(this.kernel[i]) ? this.kernel[i] : Number(value),
    );
    this.change();
  }

  choose(key) {
    this.setKernel(FILTERS[key].weights);
    this.change();
  }

  /** Another digit: the map begins anew, unless it was full. */
  begin() {
    if (this.visited.size < PLACES * PLACES) this.visited = new Set([indexOf(this.place)]);
    this.change();
  }

  change() {
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
    this.show();
  }

  fill() {
    this.visited = new Set(allPlaces());
    this.change();
  }

  /** What is under the frame stays: the numbers below the pictures are about it. */
  empty() {
    this.visited = new Set([indexOf(this.place)]);
    this.change();
  }

  filterName() {
    const isShown = ([, { weights }]) => weights.every((weight, i) => weight === this.kernel[i]);
    return Object.entries(FILTERS).find(isShown)?.[0];
  }

  // --- What it shows -------------------------------------------------------------------------

  show() {
    const name = this.filterName();
    for (const button of this.filterButtons)
      button.setAttribute("aria-pressed", button.dataset.key === name);
    this.hint.hidden = name !== "blur";
    this.showSum();
    this.showDigit();
    this.showMap();
  }

  showSum() {
    const pixels = this.pixelsInFrame();
    const products = pixels.map((pixel, i) => pixel * this.kernel[i]);
    const sum = products.reduce((total, product) => total + product, 0);
    const largest = Math.max(...this.kernel.map(Math.abs)) || 1;
    const colorOf = signedColors(largest);
    const grey = (pixel) => Array(3).fill(255 * pixel);
    this.under.replaceChildren(...pixels.map((pixel) => coloredNumber(pixel, grey(pixel))));
    this.products.replaceChildren(...products.map((each) => coloredNumber(each, colorOf(each))));
    const [row, column] = this.place;
    const after = this.relu.checked ? `, and ${shown(Math.max(0, sum))} after ReLU` : "";
    this.sum.textContent = `Row ${row}, column ${column}: the sum is ${shown(sum)}${after}.`;
  }

  /** The nine pixels, 0 to 1. */
  pixelsInFrame() {
    const [top, left] = this.place;
    return Array.from({ length: SIZE * SIZE }, (_, i) => {
      const [row, column] = [top + Math.floor(i / SIZE), left + (i % SIZE)];
      return this.choice.pixels[SIDE * row + column] / 255;
    });
  }

  showDigit() {
    const { accent } = colors();
    const context = this.canvas.getContext("2d");
    this.choice.pixels.forEach((value, i) => {
      paintCell(context, SIDE, i, [value, value, value]);
    });
    const [top, left] = this.place;
    paintFrame(context, [left, top], SIZE, accent);
  }

  /** The sums at all places, rows of 26; float32. */
  sums() {
    const image = array(
      [1, 1, SIDE, SIDE],
      Float32Array.from(this.choice.pixels, (value) => value / 255),
    );
    const kernels = array([1, 1, SIZE, SIZE], Float32Array.from(this.kernel));
    const map = convolution(image, kernels, WINDOW);
    return (this.relu.checked ? relu(map) : map).values;
  }

  showMap() {
    const { accent, ink, paper } = colors();
    const sums = this.sums();
    const largest = Math.max(...sums.map(Math.abs)) || 1;
    this.mapState.textContent = mapState(sums, this.visited);
    this.legend.textContent = isDark.matches ? DARK_LEGEND : LEGEND;
    const colorOf = signedColors(largest);
    const context = this.mapCanvas.getContext("2d");
    sums.forEach((sum, i) => {
      const isFilled = this.visited.has(i);
      paintCell(context, PLACES, i, isFilled ? colorOf(sum) : mix(paper, ink, 0.16));
    });
    const [top, left] = this.place;
    paintFrame(context, [left, top], 1, accent);
  }

  leave() {
    this.released.abort();
    this.choice.release();
  }
}

const isDark = matchMedia("(prefers-color-scheme: dark)");

/** How much of the map is filled, and how large its values are. */
function mapState(sums, visited) {
  const values = sums.filter((_, i) => visited.has(i));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const filled = `${visited.size} of ${PLACES * PLACES} places filled`;
  const part = visited.size === PLACES * PLACES ? "filled" : filled;
  const range = low === high ? `value ${shown(low)}` : `values ${shown(low)} to ${shown(high)}`;
  return `The map: ${part}, ${range}.`;
}

const insideMap = (value) => Math.min(PLACES - 1, Math.max(0, Math.round(value) || 0));

const indexOf = ([row, column]) => PLACES * row + column;

const allPlaces = () => Array.from({ length: PLACES * PLACES }, (_, i) => i);

/** The places of the map that are filled, as text: how many are empty, filled, empty, … */
function runLengths(visited) {
  const lengths = [0];
  for (const place of allPlaces()) {
    const isFilled = lengths.length % 2 === 0;
    if (visited.has(place) === isFilled) lengths[lengths.length - 1] += 1;
    else lengths.push(1);
  }
  return lengths.join(",");
}

/** What `runLengths` has written → the places that are filled. */
function placesOf(text) {
  const visited = new Set();
  let place = 0;
  numbers(text).forEach((length, i) => {
    const end = Math.min(PLACES * PLACES, place + Math.max(0, length));
    for (; place < end; place++) {
      if (i % 2) visited.add(place);
    }
  });
  return visited;
}

const numbers = (text) => text.split(",").map((part) => Number(part) || 0);

/** Weights that stand in an address: "1,0,-1,…"; null if they are wrong. */
function kernelOf(text) {
  const given = text.split(",").map(Number);
  const areRight = given.every((weight) => Math.abs(weight) <= MAX_WEIGHT);
  return areRight && given.length === SIZE * SIZE ? given : null;
}

/** A place that stands in an address, "6,11"; null if it is wrong. */
function placeOf(text) {
  const given = text.split(",").map(Number);
  const areRight = given.every((each) => Number.isInteger(each) && each === insideMap(each));
  return areRight && given.length === 2 ? given : null;
}

const shownWeight = (weight) => (weight === NINTH ? "0.11" : String(weight));

/** "0.5", "−1", "0". */
function shown(value) {
  const rounded = Math.round(100 * value) / 100 || 0; // no −0
  return String(rounded).replace("-", "−");
}

/** A function of a number, which returns its colour; at ±`largest` the colour is full. */
function signedColors(largest) {
  const { accent, wrong: red, paper } = colors();
  return (value) => mix(paper, value > 0 ? accent : red, Math.abs(value) / largest);
}

/** A number on its colour, black or white: the one with more contrast. */
function coloredNumber(value, color) {
  const cell = h("span", {}, shown(value));
  cell.style.backgroundColor = `rgb(${color.map(Math.round)})`;
  cell.style.color = luminance(color) > EQUAL_CONTRAST ? "#000" : "#fff";
  return cell;
}

/** From 0 (black) to 1 (white), as WCAG 2 defines it. */
function luminance(color) {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
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
