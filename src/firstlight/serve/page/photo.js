// A photograph, with a box around each digit that was read in it.

import { verdict } from "./answer.js";
import { h, svg } from "./dom.js";

export function photo(file) {
  const url = URL.createObjectURL(file);
  const image = h("img", { src: url, alt: "the picture that is read" });
  const element = h("div", { class: "photo" }, image);
  return {
    element,
    release: () => URL.revokeObjectURL(url),
    mark(answer) {
      element.querySelector("svg")?.remove();
      if (answer?.digits) element.append(boxes(answer));
    },
  };
}

function boxes({ digits, unread, size, classes }) {
  const [width, height] = size;
  const lineWidth = Math.max(width, height) / 320; // about two pixels on the screen
  const groups = [
    ...digits.map((digit) => box(digit, classes, lineWidth)),
    ...unread.map((place) => frame(place, "", lineWidth, true)),
  ];
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...groups);
}

function box(digit, classes, lineWidth) {
  const unsure = digit.digit === "?";
  return frame(digit.box, unsure ? "?" : verdict(digit, classes), lineWidth, unsure);
}

function frame([x, y, width, height], text, lineWidth, unsure) {
  const rect = { x, y, width, height, rx: lineWidth * 2, "stroke-width": lineWidth };
  const label = {
    x: x + width / 2,
    y: y - lineWidth * 2,
    "font-size": Math.max(height * 0.4, lineWidth * 8),
    "stroke-width": lineWidth * 2,
  };
  return svg("g", { class: unsure ? "unsure" : "" }, svg("rect", rect), svg("text", label, text));
}

/**
 * Calls `onPicture(file)` for each picture that is dropped on the page or pasted into it.
 * Returns a function that stops it.
 */
export function listenForPictures(onPicture) {
  const firstPicture = (files) => [...(files ?? [])].find(({ type }) => type.startsWith("image/"));
  const take = (files) => {
    const file = firstPicture(files);
    if (file) onPicture(file);
  };
  const listeners = {
    dragover: (event) => event.preventDefault(), // otherwise nothing can be dropped
    drop: (event) => {
      event.preventDefault();
      take(event.dataTransfer.files);
    },
    paste: (event) => take(event.clipboardData.files),
  };
  for (const [type, listener] of Object.entries(listeners)) addEventListener(type, listener);
  return () => {
    for (const [type, listener] of Object.entries(listeners)) removeEventListener(type, listener);
  };
}
