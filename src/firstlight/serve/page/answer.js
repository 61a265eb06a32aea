// What was read, for people: the digits, and for each what the network saw and how sure it is.

import { h, percent, svg } from "./dom.js";
import { bytes, grey } from "./pixels.js";

const DOUBT = 0.1; // what is more probable than this is named, when it is not sure

/** "7", or "not sure: 3 or 8". */
export function verdict(digit, classes) {
  if (digit.digit !== "?") return digit.digit;
  const likely = ranked(digit, classes).filter(([, p], i) => i < 2 || (p > DOUBT && i < 3));
  return `not sure: ${likely.map(([name]) => (name === "none" ? "no digit" : name)).join(" or ")}`;
}

const ranked = (digit, classes) =>
  digit.probabilities.map((p, i) => [classes[i], p]).sort((one, other) => other[1] - one[1]);

/** The line that is read first. */
export function headline(answer) {
  if (!answer) return "nothing drawn";
  if (answer.error) return answer.error;
  if (!answer.digits.length) return "no digit in this";
  if (answer.digits.length === 1) return verdict(answer.digits[0], answer.classes);
  return answer.text;
}

/** A card a digit. */
export function cards(answer) {
  return (answer?.digits ?? []).map((digit) => {
    const says = verdict(digit, answer.classes);
    const seen = grey(bytes(digit.image), 28, "what the network saw, 28 by 28 pixels");
    return h("article", { class: "card digit" },
      h("div", {}, seen),
      h("div", {}, h("p", { class: "says" }, h("b", {}, says), h("span", {}, percent(digit.confidence))), bars(digit, answer.classes)));
  });
}

/** A bar a class, as high as it is probable. */
export function bars(digit, classes) {
  const best = Math.max(...digit.probabilities), wide = 18, high = 58;
  const label = ranked(digit, classes).slice(0, 3).map(([name, p]) => `${name}: ${percent(p)}`).join(", ");
  const columns = digit.probabilities.map((p, i) => {
    const height = Math.max(1, p * high), here = p === best ? "best" : "";
    return svg("g", { class: here },
      svg("rect", { class: "track", x: i * wide + 2, y: 0, width: wide - 4, height: high, rx: 3 }),
      svg("rect", { class: "bar", x: i * wide + 2, y: high - height, width: wide - 4, height, rx: Math.min(3, height / 2) }),
      svg("text", { x: i * wide + wide / 2, y: high + 14 }, classes[i] === "none" ? "–" : classes[i]));
  });
  const box = `0 0 ${wide * classes.length} ${high + 18}`;
  return svg("svg", { class: "bars", viewBox: box, role: "img", "aria-label": label }, ...columns);
}
