// A live part of chapter 6: a digit, and sixteen versions of it as training would see them.

import { recallNumber, remember } from "./address.js";
import { augmented } from "./augment.js";
import { DigitChoice } from "./choice.js";
import { errorLine, h } from "./dom.js";
import { greyPicture } from "./pixels.js";
import { randomNumbers } from "./session.js";

const VERSIONS = 16;
const KNOBS = {
  rotate: { max: 180, step: 1, unit: "°", meaning: "turned either way, up to this angle" },
  scale: {
    max: 0.5,
    step: 0.01,
    unit: " of the size",
    meaning: "wider or narrower, higher or lower, by up to this fraction",
  },
  shear: {
    max: 1,
    step: 0.05,
    unit: " of the height",
    meaning: "slanted either way, as handwriting is",
  },
  shift: { max: 8, step: 0.1, unit: " pixels", meaning: "moved across and down, up to so far" },
  elastic: {
    max: 6,
    step: 0.1,
    unit: " pixels",
    meaning:
      "bent by a smooth field: its 7 × 7 knots are shifted at random, with this standard " +
      "deviation; a pixel moves about half as far",
  },
  stroke: {
    max: 1,
    step: 0.05,
    unit: " pixels",
    meaning: "strokes thicker or thinner, up to so far at each edge",
  },
  blur: {
    max: 1,
    step: 0.05,
    unit: " of the mean",
    meaning: "each pixel mixed with the mean of five in its row, then in its column",
  },
  noise: {
    max: 100,
    step: 1,
    unit: " of 255",
    meaning: "random grey on each pixel, with up to this standard deviation",
  },
};
const NOTHING = Object.fromEntries(Object.keys(KNOBS).map((name) => [name, 0]));
const CHAPTER = { ...NOTHING, rotate: 8, scale: 0.08, shear: 0.1, shift: 0.7, elastic: 1 };
const EXPLANATION =
  "In each pass the network sees another version of the image. Change the strengths, and look " +
  "whether a person would still give each version the same label.";
const MAX_SEED = 1_000_000;
const WRONG_LABEL = "Its label is then wrong, and the network learns something that is not true.";
const UPSIDE_DOWN =
  "Turned by more than 90°, a digit is upside down. Nobody writes it so: the network learns what it " +
  "does not need.";

export function mount(element) {
  const view = new Augmentation();
  element.classList.add("augmentation");
  element.append(...view.elements());
  view.start().catch(({ message }) => {
    view.error.textContent = message;
  });
  return { onAddress: () => view.readAddress(), leave: () => view.leave() };
}

class Augmentation {
  constructor() {
    this.error = errorLine();
    this.linkError = errorLine(); // what is wrong in the address
    this.choice = new DigitChoice("aug", () => this.change());
    this.seed = 0;
    this.knobs = Object.fromEntries(Object.keys(KNOBS).map((name) => [name, this.knob(name)]));
    this.original = h("div");
    this.originalName = h("figcaption");
    this.versions = h("div", { class: "versions" });
    this.pictures = h(
      "div",
      { class: "from" },
      h("figure", {}, this.original, this.originalName),
      h("figure", {}, this.versions, h("figcaption", {}, `${VERSIONS} versions of it`)),
    );
    this.warning = h("p", { "aria-live": "polite" });
  }

  knob(name) {
    const { max, step } = KNOBS[name];
    const input = h("input", {
      type: "range",
      min: 0,
      max,
      step,
      "aria-label": name,
      "aria-describedby": `aug-meaning-${name}`,
      oninput: () => this.show(),
      onchange: () => this.save(), // a browser refuses an address that changes with each step
    });
    return { input, value: h("output") };
  }

  elements() {
    const rows = Object.entries(this.knobs).map(([name, { input, value }]) =>
      h(
        "label",
        {},
        h("b", {}, name),
        input,
        value,
        h("span", { class: "quiet", id: `aug-meaning-${name}` }, KNOBS[name].meaning),
      ),
    );
    return [
      h("p", {}, EXPLANATION),
      ...this.choice.elements,
      h(
        "div",
        { class: "both" },
        h("div", { class: "stack" }, this.pictures, this.buttons(), this.warning),
        h("div", { class: "knobs" }, ...rows),
      ),
      this.error,
      this.linkError,
    ];
  }

  buttons() {
    const button = (text, onclick) => h("button", { onclick }, text);
    return h(
      "div",
      { class: "tools" },
      button("New versions", () => this.again()),
      button("As in the chapter", () => this.choose(CHAPTER)),
      button("No change", () => this.choose(NOTHING)),
      button("Too much", () => this.choose({ ...CHAPTER, rotate: 180 })),
    );
  }

  async start() {
    this.readAddress();
    await this.choice.load();
    this.show();
  }

  readAddress() {
    this.choice.readAddress();
    const seed = recallNumber("aug-seed", { standard: 0, min: 0, max: MAX_SEED, step: 1 });
    this.seed = seed.value;
    const problems = Object.entries(this.knobs).map(([name, { input }]) => {
      const range = { standard: CHAPTER[name], min: 0, max: KNOBS[name].max };
      const { value, problem } = recallNumber(`aug-${name}`, range);
      input.value = value;
      return problem;
    });
    const all = [this.choice.problem, seed.problem, ...problems];
    this.linkError.textContent = all.filter(Boolean).join(" ");
    this.show();
  }

  save() {
    this.linkError.textContent = "";
    const strengths = Object.entries(this.strengths()).map(([name, strength]) => [
      `aug-${name}`,
      strength === CHAPTER[name] ? "" : strength,
    ]);
    remember({
      ...this.choice.state(),
      ...Object.fromEntries(strengths),
      "aug-seed": this.seed || "",
    });
  }

  change() {
    this.show();
    this.save();
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
    for (const [name, { input, value }] of Object.entries(this.knobs)) {
      value.textContent = withUnit(strengths[name], KNOBS[name].unit);
      input.setAttribute("aria-valuetext", value.textContent);
    }
    const warning = strengths.rotate > 90 ? turnedTooFar(this.choice.label) : "";
    if (this.warning.textContent !== warning) this.warning.textContent = warning; // it is read aloud
    const { pixels, label } = this.choice;
    this.originalName.textContent = label === null ? "your drawing" : "chosen digit";
    const versions = Array.from({ length: VERSIONS }, (_, i) => {
      const random = randomNumbers(VERSIONS * this.seed + i);
      return greyPicture(augmented(pixels, strengths, random), 28, `version ${i + 1}`);
    });
    this.original.replaceChildren(greyPicture(pixels, 28, "the image itself"));
    this.versions.replaceChildren(...versions);
  }

  leave() {
    this.choice.release();
  }
}

/** What a turn by more than 90° makes of a digit; the label of a drawing is not known (null). */
function turnedTooFar(label) {
  if (label === 9) return `Turned by more than 90°, this 9 can become a 6. ${WRONG_LABEL}`;
  if (label === null) return `Turned by more than 90°, a 6 can become a 9. ${WRONG_LABEL}`;
  return UPSIDE_DOWN;
}

const withUnit = (strength, unit) => `${strength}${strength === 1 ? unit.replace(/s$/, "") : unit}`;
