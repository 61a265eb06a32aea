// The answer of the reader: for each digit, the network's input and the class probabilities.

import { h, percent, svg } from "./dom.js";
import { decode, greyPicture } from "./pixels.js";

const MIN_PROBABILITY = 0.1; // of a third digit that is named when the network is not sure
const CAPTION = "The ink of each digit, like MNIST's: 28\u00a0×\u00a028 pixels.";
const STRIP_CAPTION =
  "What the line reader sees: the line, 32\u00a0pixels high. Below it: where it sees which digit.";
const BAR_WIDTH = 18;
const BAR_HEIGHT = 58;
const LABEL_HEIGHT = 18;

/** The text for a digit: "7", "no digit", or "not sure: 3 or 8". */
export function verdict(digit, classes) {
  if (digit.digit !== "?") return nameOf(digit.digit);
  const [first, second, third] = ranked(digit, classes);
  const likely = third.probability > MIN_PROBABILITY ? [first, second, third] : [first, second];
  return `not sure: ${likely.map(({ name }) => nameOf(name)).join(" or ")}`;
}

const nameOf = (name) => (name === "none" ? "no digit" : name);

/** The classes with their probabilities, the most probable first. */
const ranked = ({ probabilities }, classes) =>
  probabilities
    .map((probability, i) => ({ name: classes[i], probability }))
    .sort((one, other) => other.probability - one.probability);

/** The text in large letters. */
export function headline(answer) {
  if (!answer) return "nothing drawn";
  if (answer.error) return answer.error;
  if (!answer.digits.length) return "no digit found";
  if (answer.digits.length === 1) return verdict(answer.digits[0], answer.classes);
  return answer.text;
}

/** What is not in the text: marks that were not read, pages that were not opened. */
export function remark(answer) {
  const note = answer?.note ?? "";
  return note === "no digits found" ? "" : note; // the headline says that
}

/** A card for each digit; the first one explains its picture. */
export const cards = (answer) =>
  (answer?.digits ?? []).map((digit, i) =>
    card(digit, answer.classes, decode(digit.image), i === 0 ? CAPTION : ""),
  );

/** A card for each line: the line reader's input, and each digit below its place. */
export const strips = (answer) =>
  (answer?.strips ?? []).map((strip, i) => stripCard(strip, i === 0 ? STRIP_CAPTION : ""));

function stripCard({ pixels, width, digits, columns }, caption) {
  const dark = decode(pixels).map((value) => 255 - value);
  const label = `the line reader's input: ${width} by 32 pixels`;
  const places = digits.map((digit, i) => {
    const place = h("span", {}, digit);
    place.style.setProperty("left", `${(100 * columns[i]) / width}%`);
    return place;
  });
  const shown = h("div", { class: "strip" }, greyPicture(dark, width, label), ...places);
  shown.style.setProperty("max-width", `${(width * 96) / 32}px`);
  return h(
    "article",
    { class: "card line" },
    shown,
    caption && h("p", { class: "quiet" }, caption),
  );
}

/** The network's input (784 pixels) and what the network says about it. */
export function card(digit, classes, pixels, caption = "") {
  const shown = greyPicture(pixels, 28, "the network's input: 28 by 28 pixels");
  const text = verdictLine(verdict(digit, classes), digit.confidence);
  const details = h("div", {}, text, bars(digit, classes));
  const note = caption ? h("p", { class: "quiet" }, caption) : null;
  return h("article", { class: "card digit" }, h("div", {}, shown), details, note);
}

export const verdictLine = (text, confidence) =>
  h("p", { class: "verdict" }, h("b", {}, text), h("span", {}, percent(confidence)));

/** A bar for each class; its height is the class's probability. */
export function bars({ probabilities }, classes) {
  const highest = Math.max(...probabilities);
  const label = ranked({ probabilities }, classes)
    .slice(0, 3)
    .map(({ name, probability }) => `${name}: ${percent(probability)}`)
    .join(", ");
  const columns = probabilities.map((probability, i) =>
    bar(classes[i], probability, { left: i * BAR_WIDTH, isBest: probability === highest }),
  );
  const viewBox = `0 0 ${BAR_WIDTH * classes.length} ${BAR_HEIGHT + LABEL_HEIGHT}`;
  return svg("svg", { class: "bars", viewBox, role: "img", "aria-label": label }, ...columns);
}

function bar(name, probability, { left, isBest }) {
  const x = left + 2;
  const width = BAR_WIDTH - 4;
  const height = Math.max(1, probability * BAR_HEIGHT);
  const y = BAR_HEIGHT - height;
  const rx = Math.min(3, height / 2);
  const middle = { x: left + BAR_WIDTH / 2, y: BAR_HEIGHT + 14 };
  return svg(
    "g",
    { class: isBest ? "best" : "" },
    svg("rect", { class: "track", x, y: 0, width, height: BAR_HEIGHT, rx: 3 }),
    svg("rect", { class: "bar", x, y, width, height, rx }),
    svg("text", middle, name === "none" ? "–" : name),
  );
}
