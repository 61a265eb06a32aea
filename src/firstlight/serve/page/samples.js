// A hundred test images and what a network says of each: those that turned since are framed.

import { h } from "./dom.js";
import { bytes, grey } from "./pixels.js";

export function samples() {
  const place = h("div", { class: "samples" });
  const line = h("p", { class: "quiet", "aria-live": "polite" });
  let before = null;
  return {
    element: h("div", { class: "stack" }, line, place),
    show({ predicted, labels, images }) {
      const right = predicted.map((digit, i) => digit === labels[i]);
      if (!place.children.length && images) {
        const all = bytes(images);
        place.append(...labels.map((_, i) => h("div", {}, grey(all.subarray(784 * i, 784 * (i + 1)), 28), h("span"))));
      }
      [...place.children].forEach((cell, i) => {
        cell.className = right[i] ? "right" : "";
        cell.classList.toggle("flipped", before !== null && before[i] !== right[i]);
        cell.lastChild.textContent = predicted[i];
        cell.title = right[i] ? `${predicted[i]}, right` : `${predicted[i]}, but it is a ${labels[i]}`;
      });
      const turned = before ? right.filter((now, i) => now && !before[i]).length : 0;
      const lost = before ? right.filter((now, i) => !now && before[i]).length : 0;
      line.textContent = `${right.filter(Boolean).length} of ${right.length} right`
        + (turned || lost ? `; ${turned} turned right, ${lost} turned wrong` : "");
      before = right;
    },
  };
}
