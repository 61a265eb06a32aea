// What activates a feature map or a neuron: in the drawing, and in the nine images of the run's data
// that activate it most. After Zeiler and Fergus, arXiv 1311.2901, figure 2.

import { figure, h, integer, svg } from "./dom.js";
import { decode, decodeSigned, greyPicture, signedPicture } from "./pixels.js";

/**
 * @param answer of the server: see ProjectionsJson
 * @param about { title, noun, map, weights, pixels }: what the map is called; the map and its weights
 *   as pictures, or null; and what the projection to pixels is: DECONVNET, NO_SWITCHES, its WEIGHTS,
 *   or NOTHING that can be understood
 */
export function projections(answer, about) {
  return [
    h("h3", {}, about.title),
    inDrawing(answer, about),
    h("h3", {}, "The top nine"),
    ...topNine(answer, about),
  ];
}

export const DECONVNET = "deconvnet: what made it large";
export const NO_SWITCHES = "deconvnet: what makes it large"; // the same for each image
export const WEIGHTS = "its weights";
export const NOTHING = "";

function inDrawing({ place, drawing }, { noun, map, weights, pixels, words }) {
  const isActive = drawing.activation > 0;
  const value = drawing.activation.toFixed(1).replace("-", "−");
  const [row, column] = place;
  const shown = greyPicture(decode(drawing.image), 28, `the ${words.image}`);
  const figures = [];
  if (map) {
    const largest = isActive ? framed(map, [row, column, row + 1, column + 1]) : map;
    figures.push(figure(largest, `the map; its largest value is ${value}`));
  }
  if (!isActive || seesAll(drawing)) figures.push(figure(shown, `the ${words.image}`));
  else figures.push(figure(framed(shown, drawing.region), "this value sees what is in the frame"));
  if (isActive && pixels) figures.push(figure(deconvnet(drawing, sideOf([drawing])), pixels));
  if (weights) figures.push(figure(weights, "the weights of its filter"));
  const pictures = h("div", { class: "figures" }, figures);
  return h(
    "div",
    { class: "stack" },
    pictures,
    note(meaning(isActive && pixels, { noun, words }, value)),
  );
}

function meaning(pixels, { noun, words }, value) {
  const { light, image } = words;
  const colours = `${light} at the blue pixels makes it larger, ${light} at the grey ones smaller`;
  if (pixels === WEIGHTS) return `The neuron's value is ${value}: ${colours}.`;
  if (pixels)
    return `Deconvnet goes back from the ${noun}'s value, ${value}, to the pixels: ${colours}.`;
  return `The ${noun}'s value for this ${image} is ${value}.`;
}

const note = (text) => h("p", { class: "quiet" }, text);

const seesAll = ({ region: [top, left, bottom, right] }) =>
  bottom - top === 28 && right - left === 28;

/** The images; and what deconvnet finds in each, unless it is the same for all. */
function topNine({ drawing, top_nine: nine, searched, data }, { noun, pixels }) {
  const images = `${integer(searched)} validation images of ${data}`;
  if (!nine.length) return [note(`None of ${images} activates this ${noun}.`)];
  const side = sideOf(nine);
  const areParts = nine.some((each) => !seesAll(each));
  const isShownAbove = drawing.activation > 0 && pixels === NO_SWITCHES;
  const isPair = pixels === DECONVNET || (pixels === NO_SWITCHES && !isShownAbove);
  const items = nine.map((each) => {
    const pictures = isPair ? [patch(each, side), deconvnet(each, side)] : patch(each, side);
    return h("li", {}, h("div", {}, pictures), h("span", {}, each.label));
  });
  const text = [
    `Of ${images}, these activate this ${noun} most.`,
    areParts ? "You see the part of each that it looks at." : "",
    isPair ? "Beside each is what deconvnet finds in it." : "",
    `What they have in common is what the ${noun} detects.`,
    isShownAbove
      ? "(Deconvnet gives the picture above for each of them: it differs only after a max pool.)"
      : "",
  ];
  return [
    note(text.filter(Boolean).join(" ")),
    h("ol", { class: isPair ? "nine pairs" : "nine" }, items),
  ];
}

/** A picture with a frame around a part of it: top, left, bottom, right. */
function framed(shown, region) {
  const [top, left, bottom, right] = region;
  const frame = { x: left, y: top, width: right - left, height: bottom - top };
  const viewBox = `0 0 ${shown.width} ${shown.height}`;
  const overlay = svg("svg", { viewBox, "aria-hidden": "true" }, svg("rect", frame));
  return h("div", { class: "framed" }, shown, overlay);
}

/** The side of the squares that all these regions fit into; one at an edge is smaller. */
function sideOf(all) {
  return Math.max(
    ...all.map(({ region: [top, left, bottom, right] }) => Math.max(bottom - top, right - left)),
  );
}

/** The pixels of a square of that side that holds the region. */
function cropped(values, [top, left], side) {
  const first = (start) => Math.min(start, 28 - side);
  const part = new values.constructor(side * side);
  for (let row = 0; row < side; row++) {
    const start = 28 * (first(top) + row) + first(left);
    part.set(values.subarray(start, start + side), side * row);
  }
  return part;
}

const patch = ({ image, region, label }, side) =>
  greyPicture(cropped(decode(image), region, side), side, `part of a ${label}`);

const deconvnet = ({ pixels, region }, side) =>
  signedPicture(cropped(decodeSigned(pixels), region, side), side, "deconvnet picture");
