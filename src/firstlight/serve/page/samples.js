// Images and a network's predictions; those that changed since the last time are framed.

import { h } from "./dom.js";
import { digitPictures } from "./pixels.js";

export function samples() {
  const grid = h("div", { class: "samples" });
  const summary = h("p", { class: "quiet", "aria-live": "polite" });
  let wasCorrect = null; // by image, at the last call of `show`

  /** `images` are the pixels of all of them. */
  function show({ predicted, labels, images }) {
    if (!grid.children.length) grid.append(...cells(images));
    const isCorrect = predicted.map((digit, i) => digit === labels[i]);
    [...grid.children].forEach((cell, i) => {
      cell.classList.toggle("correct", isCorrect[i]);
      cell.classList.toggle("changed", wasCorrect !== null && wasCorrect[i] !== isCorrect[i]);
      cell.lastChild.textContent = predicted[i];
      cell.title = isCorrect[i]
        ? `${predicted[i]}, correct`
        : `predicted ${predicted[i]}, but it is a ${labels[i]}`;
    });
    summary.textContent = summarize(isCorrect, wasCorrect ?? isCorrect);
    wasCorrect = isCorrect;
  }

  return { element: h("div", { class: "stack" }, summary, grid), show };
}

const cells = (images) => digitPictures(images).map((picture) => h("div", {}, picture, h("span")));

function summarize(isCorrect, wasCorrect) {
  const correct = isCorrect.filter(Boolean).length;
  const gained = isCorrect.filter((now, i) => now && !wasCorrect[i]).length;
  const lost = isCorrect.filter((now, i) => !now && wasCorrect[i]).length;
  const text = `${correct} of ${isCorrect.length} correct`;
  return gained || lost ? `${text}; ${gained} newly correct, ${lost} newly wrong` : text;
}
