// The digit that a live part works on: one of MNIST's first, or the user's own drawing. It stands in
// the address as PREFIX-digit and PREFIX-ink.

import { recall, recallNumber } from "./address.js";
import { h } from "./dom.js";
import { fileBytes } from "./files.js";
import { normalize } from "./normalize.js";
import { Pad, padCanvas } from "./pad.js";
import { digitPictures } from "./pixels.js";
import { decodeExamples } from "./session.js";

const PIXELS = 784;
const SHOWN_DIGITS = 8;
const LOADING = "Loading 20 digits (16 kB) …";

export class DigitChoice {
  /** `onChange` is called when the user has chosen another digit, or has drawn. */
  constructor(prefix, onChange) {
    this.keys = { digit: `${prefix}-digit`, ink: `${prefix}-ink` };
    this.onChange = onChange;
    this.digits = []; // 784 pixels each, 0 to 255; empty until they are loaded
    this.labels = []; // of these digits
    this.number = 0; // of the digit that is chosen; a drawing hides it
    this.isOwn = false; // whether the user has drawn it
    this.problem = ""; // what is wrong in the address
    this.pixels = new Uint8Array(PIXELS);
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Digits" });
    this.loading = h("p", { class: "quiet", role: "status" }, LOADING);
    this.canvas = padCanvas("Sheet to draw a digit of your own on.");
    this.sheet = h("div", { class: "sheet", hidden: true }, this.canvas);
    this.pad = new Pad(this.canvas, (lifted) => lifted && !this.sheet.hidden && this.change());
    const own = h("button", { onclick: () => this.openSheet() }, "Draw your own");
    this.elements = [h("div", { class: "tools" }, this.loading, this.chips, own), this.sheet];
  }

  async load() {
    const bytes = await fileBytes("data/mnist-few.bin").finally(() => this.loading.remove());
    const { pixels, labels } = decodeExamples(bytes);
    this.labels = labels.slice(0, SHOWN_DIGITS);
    this.digits = Array.from({ length: SHOWN_DIGITS }, (_, i) =>
      pixels.subarray(PIXELS * i, PIXELS * (i + 1)),
    );
    const names = chipNames(this.labels);
    const chips = this.digits.map((digit, i) =>
      h("button", { "aria-label": names[i], onclick: () => this.take(i) }, ...digitPictures(digit)),
    );
    this.chips.replaceChildren(...chips);
    this.show();
  }

  readAddress() {
    const range = { standard: 0, min: 0, max: SHOWN_DIGITS - 1, step: 1 };
    const { value, problem } = recallNumber(this.keys.digit, range);
    this.number = value;
    this.problem = problem;
    const ink = recall(this.keys.ink);
    if (ink !== this.pad.text) this.pad.text = ink;
    this.sheet.hidden = !ink;
    this.show();
  }

  /** What `readAddress` needs, for `remember`. */
  state() {
    const ink = this.sheet.hidden ? "" : this.pad.text;
    return { [this.keys.digit]: this.number || "", [this.keys.ink]: ink };
  }

  /** The label of what is shown; null if the user has drawn it. */
  get label() {
    return this.isOwn ? null : this.labels[this.number];
  }

  take(number) {
    this.number = number;
    this.sheet.hidden = true;
    this.change();
  }

  openSheet() {
    this.sheet.hidden = false;
    this.pad.clear();
    this.canvas.focus();
  }

  change() {
    this.show();
    this.onChange();
  }

  /** On an empty sheet, the digit that was chosen stays. */
  show() {
    const { values, width, height } = this.pad.ink();
    const own = this.sheet.hidden ? null : normalize(values, width, height);
    this.isOwn = own !== null;
    this.pixels = own ?? this.digits[this.number] ?? new Uint8Array(PIXELS);
    [...this.chips.children].forEach((chip, i) => {
      chip.setAttribute("aria-pressed", this.pixels === this.digits[i]);
    });
  }

  release() {
    this.pad.release();
  }
}

/** "a 5"; "a 1, 2 of 2" if a label occurs more than once. */
function chipNames(labels) {
  return labels.map((label, i) => {
    const name = `a${label === 8 ? "n" : ""} ${label}`;
    const count = labels.filter((other) => other === label).length;
    const position = labels.slice(0, i + 1).filter((other) => other === label).length;
    return count > 1 ? `${name}, ${position} of ${count}` : name;
  });
}
