// A live part of chapter 6: a digit, and sixteen versions of it as training would see them.

import { recall, remember } from "./address.js";
import { augmented } from "./augment.js";
import { errorLine, h } from "./dom.js";
import { fileBytes } from "./files.js";
import { normalize } from "./normalize.js";
import { Pad, padCanvas } from "./pad.js";
import { digitPictures, greyPicture } from "./pixels.js";
import { decodeExamples, randomNumbers } from "./session.js";

const PIXELS = 784;
const VERSIONS = 16;
const SHOWN_DIGITS = 8;
const KNOBS = {
  rotate: { max: 180, step: 1, unit: "°", meaning: "turned by up to so many degrees" },
  scale: { max: 0.5, step: 0.01, unit: "", meaning: "larger or smaller by up to this fraction" },
  shear: { max: 1, step: 0.05, unit: "", meaning: "slanted, as writing is" },
  shift: { max: 8, step: 0.1, unit: " pixels", meaning: "moved by up to so many pixels" },
  elastic: { max: 6, step: 0.1, unit: " pixels", meaning: "bent by a smooth random field" },
  stroke: { max: 1, step: 0.05, unit: "", meaning: "strokes thicker or thinner" },
  noise: { max: 100, step: 1, unit: " of 255", meaning: "random grey on each pixel" },
};
const CHAPTER = { rotate: 8, scale: 0.08, shear: 0.1, shift: 0.7, elastic: 1, stroke: 0, noise: 0 };
const NOTHING = { rotate: 0, scale: 0, shear: 0, shift: 0, elastic: 0, stroke: 0, noise: 0 };
const EXPLANATION =
  "In each pass the network sees another version of the image. Change the strengths, and look " +
  "whether a person would still give each version the same label.";
const TOO_FAR =
  "Turned by more than 90°, a 6 can become a 9. Its label is then wrong, and the network learns " +
  "something that is not true.";

export function mount(element) {
  const view = new Augmentation();
  element.classList.add("card", "stack", "augmentation");
  element.append(...view.elements());
  view.start().catch(({ message }) => {
    view.error.textContent = message;
  });
  return { onAddress: () => view.readAddress(), leave: () => view.leave() };
}

class Augmentation {
  constructor() {
    this.error = errorLine();
    this.digits = [];
    this.pixels = new Uint8Array(PIXELS);
    this.seed = 0;
    this.knobs = Object.fromEntries(Object.keys(KNOBS).map((name) => [name, this.knob(name)]));
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Digits" });
    this.original = h("div");
    this.versions = h("div", { class: "versions" });
    this.warning = h("p", { "aria-live": "polite" });
    this.padCanvas = padCanvas("Sheet to draw a digit of your own on.");
    this.sheet = h("div", { class: "sheet", hidden: true }, this.padCanvas);
    this.pad = new Pad(this.padCanvas, (lifted) => lifted && this.drawn());
  }

  knob(name) {
    const { max, step } = KNOBS[name];
    const input = h("input", { type: "range", min: 0, max, step, oninput: () => this.change() });
    return { input, value: h("output") };
  }

  elements() {
    const button = (text, onclick) => h("button", { onclick }, text);
    const rows = Object.entries(this.knobs).map(([name, { input, value }]) =>
      h(
        "label",
        {},
        h("b", {}, name),
        input,
        value,
        h("span", { class: "quiet" }, KNOBS[name].meaning),
      ),
    );
    return [
      h("h4", {}, "Try it: many from one"),
      h("p", {}, EXPLANATION),
      h(
        "div",
        { class: "tools" },
        this.chips,
        button("Draw your own", () => this.openSheet()),
      ),
      this.sheet,
      h("div", { class: "knobs" }, ...rows),
      h(
        "div",
        { class: "tools" },
        button("Draw again", () => this.again()),
        button("As in the chapter", () => this.choose(CHAPTER)),
        button("No change", () => this.choose(NOTHING)),
        button("Too much", () => this.choose({ ...CHAPTER, rotate: 180 })),
      ),
      this.warning,
      h("div", { class: "from" }, this.original, this.versions),
      this.error,
    ];
  }

  async start() {
    const { pixels } = decodeExamples(await fileBytes("data/mnist-few.bin"));
    this.digits = Array.from({ length: SHOWN_DIGITS }, (_, i) =>
      pixels.subarray(PIXELS * i, PIXELS * (i + 1)),
    );
    const chips = this.digits.map((digit, i) =>
      h(
        "button",
        { "aria-label": `digit ${i + 1}`, onclick: () => this.take(i) },
        ...digitPictures(digit),
      ),
    );
    this.chips.replaceChildren(...chips);
    this.readAddress();
  }

  readAddress() {
    if (!this.digits.length) return;
    const ink = recall("aug-ink");
    if (ink !== this.pad.text) this.pad.text = ink;
    this.sheet.hidden = !ink;
    const number = Math.floor(Number(recall("aug-digit"))) || 0;
    this.pixels = this.ownDigit() ?? this.digits[Math.min(SHOWN_DIGITS - 1, Math.max(0, number))];
    this.seed = Math.floor(Number(recall("aug-seed"))) || 0;
    for (const [name, { input }] of Object.entries(this.knobs))
      input.value = recall(`aug-${name}`, String(CHAPTER[name]));
    this.show();
  }

  change() {
    this.show();
    const strengths = Object.entries(this.strengths()).map(([name, strength]) => [
      `aug-${name}`,
      strength === CHAPTER[name] ? "" : strength,
    ]);
    const ink = this.sheet.hidden ? "" : this.pad.text;
    remember({ ...Object.fromEntries(strengths), "aug-ink": ink, "aug-seed": this.seed || "" });
  }

  take(number) {
    this.sheet.hidden = true;
    this.pixels = this.digits[number];
    remember({ "aug-digit": number || "" });
    this.change();
  }

  openSheet() {
    this.sheet.hidden = false;
    this.pad.clear();
    this.padCanvas.focus();
  }

  drawn() {
    if (this.sheet.hidden) return;
    this.pixels = this.ownDigit() ?? new Uint8Array(PIXELS);
    this.change();
  }

  /** The user's drawing as a network gets it; null if nothing is drawn. */
  ownDigit() {
    const { values, width, height } = this.pad.ink();
    return normalize(values, width, height);
  }

  again() {
    this.seed += 1;
    this.change();
  }

  choose(strengths) {
    for (const [name, { input }] of Object.entries(this.knobs)) input.value = strengths[name];
    this.change();
  }

  strengths() {
    return Object.fromEntries(
      Object.entries(this.knobs).map(([name, { input }]) => [name, Number(input.value)]),
    );
  }

  show() {
    const strengths = this.strengths();
    for (const [name, { value }] of Object.entries(this.knobs))
      value.textContent = `${strengths[name]}${KNOBS[name].unit}`;
    const warning = strengths.rotate > 90 ? TOO_FAR : "";
    if (this.warning.textContent !== warning) this.warning.textContent = warning; // it is read aloud
    [...this.chips.children].forEach((chip, i) => {
      chip.setAttribute("aria-pressed", this.pixels === this.digits[i]);
    });
    const random = randomNumbers(this.seed);
    const versions = Array.from({ length: VERSIONS }, (_, i) =>
      greyPicture(augmented(this.pixels, strengths, random), 28, `version ${i + 1}`),
    );
    this.original.replaceChildren(greyPicture(this.pixels, 28, "the image itself"));
    this.versions.replaceChildren(...versions);
  }

  leave() {
    this.pad.release();
  }
}
