// A photograph, with a box around each digit that was read in it.

import { verdict } from "./answer.js";
import { h, svg } from "./dom.js";
import { placeLabels } from "./labels.js";

export function photo(file) {
  const url = URL.createObjectURL(file);
  const image = h("img", { src: url, alt: "the picture that is read" });
  const element = h("div", { class: "photo" }, image);
  let reading = null;
  function draw() {
    element.querySelector("svg")?.remove();
    const isOnScreen = element.clientWidth > 0;
    if (reading?.digits && isOnScreen) element.append(boxes(reading, element));
  }
  const observer = new ResizeObserver(draw);
  observer.observe(image);
  return {
    element,
    release() {
      observer.disconnect();
      URL.revokeObjectURL(url);
    },
    mark(answer) {
      reading = answer;
      draw();
    },
  };
}

/** A box around each digit, with its label; lines and letters are as large on every screen. */
function boxes({ digits, unread = [], size, classes }, element) {
  const [width, height] = size;
  const pixel = Math.max(width / element.clientWidth, height / element.clientHeight);
  const texts = digits.map((digit) => (digit.digit === "?" ? "?" : verdict(digit, classes)));
  const labels = placeLabels(
    digits.map(({ box }, i) => ({ box, text: texts[i] })),
    size,
    pixel,
  );
  const groups = digits.map((digit, i) => {
    const { fontSize, ...place } = labels[i];
    return svg(
      "g",
      { class: digit.digit === "?" ? "unsure" : "" },
      frame(digit.box, pixel),
      svg("text", { ...place, "font-size": fontSize, "stroke-width": 4 * pixel }, texts[i]),
    );
  });
  const marks = unread.map((box) => svg("g", { class: "unsure" }, frame(box, pixel)));
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...groups,
    ...marks,
  );
}

const frame = ([x, y, width, height], pixel) =>
  svg("rect", { x, y, width, height, rx: 4 * pixel, "stroke-width": 2 * pixel });

/**
 * Calls `onFile(file)` for each file that is dropped on the page or pasted into it: of several, the
 * first picture. Returns a function that stops it.
 */
export function listenForPictures(onFile) {
  const take = (files) => {
    const all = [...(files ?? [])];
    const file = all.find(({ type }) => type.startsWith("image/")) ?? all[0];
    if (file) onFile(file);
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
