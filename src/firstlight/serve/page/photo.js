// A photograph, with a box over each digit that was read in it.

import { verdict } from "./answer.js";
import { h, svg } from "./dom.js";

export function photo(file) {
  const url = URL.createObjectURL(file);
  const image = h("img", { src: url, alt: "the picture that is read" });
  const place = h("div", { class: "photo" }, image);
  return {
    element: place,
    forget: () => URL.revokeObjectURL(url),
    mark(answer) {
      place.querySelector("svg")?.remove();
      if (answer?.digits) place.append(boxes(answer));
    },
  };
}

function boxes({ digits, size, classes }) {
  const [width, height] = size;
  const line = Math.max(width, height) / 320; // on the screen about two pixels, however large it is
  const drawn = digits.map((digit) => {
    const [x, y, w, h] = digit.box;
    const letter = Math.max(h * 0.4, line * 8);
    const says = digit.digit === "?" ? "?" : verdict(digit, classes);
    return svg("g", { class: digit.digit === "?" ? "unsure" : "" },
      svg("rect", { x, y, width: w, height: h, rx: line * 2, "stroke-width": line }),
      svg("text", { x: x + w / 2, y: y - line * 2, "font-size": letter, "stroke-width": line * 2 }, says));
  });
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...drawn);
}

/** Calls `take(file)` with every picture dropped on the page or pasted into it; returns the end. */
export function pictures(take) {
  const first = (list) => [...(list ?? [])].find((file) => file.type.startsWith("image/"));
  const over = (event) => event.preventDefault();
  const drop = (event) => {
    event.preventDefault();
    const file = first(event.dataTransfer.files);
    if (file) take(file);
  };
  const paste = (event) => {
    const file = first(event.clipboardData.files);
    if (file) take(file);
  };
  const heard = { dragover: over, drop, paste };
  for (const [kind, listener] of Object.entries(heard)) addEventListener(kind, listener);
  return () => {
    for (const [kind, listener] of Object.entries(heard)) removeEventListener(kind, listener);
  };
}
