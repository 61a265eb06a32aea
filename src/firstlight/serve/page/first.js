// The graph of chapter 1 learns in the browser, one step at a time: as the view First graph with
// all details, and as a live part of the chapter.

import { recall, recallNumber, remember } from "./address.js";
import { drawCurves, shortNumber, smooth } from "./curves.js";
import { accuracyText, errorLine, field, h, integer, largeNumber, percent, sleep } from "./dom.js";
import { fileBytes, fileText } from "./files.js";
import { graphs } from "./graphs.js";
import { digitPictures, signedPicture } from "./pixels.js";
import { samples } from "./samples.js";
import { decodeExamples, Session } from "./session.js";
import { stages, walk } from "./walk.js";

const KNOBS = {
  rate: {
    label: "learning rate",
    name: "learning rate",
    standard: 0.01,
    min: 0.0001,
    max: 100,
    step: "any",
  },
  batch: {
    label: "images in a batch",
    name: "batch size",
    standard: 100,
    min: 1,
    max: 1000,
    step: 1,
  },
  seed: { label: "seed", name: "seed", standard: 0, min: 0, max: 2 ** 32 - 1, step: 1 },
};
const BETTER_RATE = 0.5;
const LOW_RATE = 0.1; // below it, the better rate is offered
const STEPS_PER_MEASUREMENT = 10; // of the accuracy
const SHOWN_SAMPLES = 100;
const SHOWN_OF_BATCH = 20;
const STEPS_IN_ADDRESS = { standard: 0, min: 0, max: 20_000, step: 1 };
const SINGLE_STEPS = 50; // these first steps are run one at a time, so that they can be watched
const STEPS_AT_ONCE = 10; // between two pictures, when it runs fast
const PAUSE_BETWEEN_STEPS = 20; // milliseconds
const PAUSE_BETWEEN_BOXES = 400; // nine of them: a slow step takes some four seconds
const WEIGHT_VIEWS = { weights: "current values", learned: "change by training" };

const NO_COST = "Take a step: its cost appears here.";
const NO_ACCURACY = "Take 10 steps: the accuracy appears here.";
const LOADING = "Loading 6,000 images of handwritten digits (1 MB) …";
const ABOUT = "Your browser computes all of this, with 5,000 training images.";
const START =
  "It begins with other random weights than the chapter's program: do not expect the same costs. They " +
  "fall in the same way.";
const TRY =
  "Take some steps, and see the cost fall. To see the values pass through the graph, and the " +
  "gradient come back, switch on “slowly” and take one step.";
const SLOWLY = "slowly, box by box: for One step and Run";
const isMotionReduced = matchMedia("(prefers-reduced-motion: reduce)");

export const enter = (page) => mount(page, { isView: true });

export function mount(element, { isView = false } = {}) {
  const view = new View(isView);
  element.append(...view.elements());
  view.start().catch((problem) => {
    view.error.textContent = problem.message;
  });
  return { onAddress: () => view.onAddress(), leave: () => view.leave() };
}

class View {
  constructor(isView) {
    this.isView = isView; // otherwise a part of the chapter, without the details
    this.error = errorLine();
    this.error.id = "first-error";
    this.linkError = errorLine(); // what is wrong in the address
    this.loading = h("p", { class: "quiet", role: "status" });
    this.knobs = Object.fromEntries(Object.keys(KNOBS).map((name) => [name, this.knob(name)]));
    this.restarted = h("p", { class: "restarted", role: "status" });
    this.slowly = h("input", { type: "checkbox", role: "switch", onchange: () => this.save() });
    this.playButton = h(
      "button",
      { class: "main", onclick: () => this.play(), disabled: true },
      "Run",
    );
    this.stepButtons = [1, 10, 100].map((count) =>
      h(
        "button",
        { onclick: () => this.take(count), disabled: true },
        count === 1 ? "One step" : `${count} steps`,
      ),
    );
    this.lowRate = h("p", { class: "quiet low-rate" });
    const number = () => h("b", { class: "big" });
    this.numbers = { step: number(), cost: number(), accuracy: number() };
    this.graph = h("section", {
      class: isView ? "card stack" : "stack",
      "aria-label": "The graph",
    });
    this.curves = { cost: h("div"), accuracy: h("div") };
    this.weights = h("div", { class: "maps ten" });
    this.weightView = "learned";
    this.weightButtons = Object.entries(WEIGHT_VIEWS).map(([key, title]) =>
      h("button", { "data-key": key, onclick: () => this.showWeights(key) }, title),
    );
    this.samples = samples();
    this.batch = h("div", { class: "batch" });
    this.session = null; // until the images are there
    this.playing = null; // an object for each time that the user presses Run
    this.busy = null; // the session whose steps are being taken
    this.asked = 0; // how many steps are being taken because the user pressed a button
    this.hasLeft = false;
  }

  // --- What it consists of -------------------------------------------------------------------

  knob(name) {
    const { min, max, step } = KNOBS[name];
    const onchange = () => this.change(name);
    const oninput = () => {
      if (!this.session) this.change(name); // a wrong number is put right: Run must be there at once
    };
    return h("input", { type: "number", min, max, step, onchange, oninput });
  }

  elements() {
    if (!this.isView) return this.partOfChapter();
    return [
      this.controls(),
      h("div", { class: "columns" }, this.graph, this.progress()),
      h("div", { class: "columns" }, ...this.details()),
    ];
  }

  partOfChapter() {
    const curve = h("div", {}, h("p", {}, h("b", {}, "Cost of each step")), this.curves.cost);
    return [h("p", {}, TRY), this.controls(), this.graph, curve, h("p", { class: "quiet" }, ABOUT)];
  }

  controls() {
    const knobs = Object.entries(this.knobs).map(([name, input]) =>
      field(KNOBS[name].label, input),
    );
    return h(
      "section",
      { class: this.isView ? "card stack" : "stack", "aria-label": "Steps" },
      h(
        "div",
        { class: "tools" },
        ...knobs,
        h("label", { class: "switch" }, this.slowly, h("span", {}, SLOWLY)),
        this.lowRate,
      ),
      this.error,
      this.linkError,
      this.largeNumbers(),
      h("p", { class: "quiet" }, START),
      this.loading,
      h(
        "div",
        { class: "tools" },
        this.playButton,
        ...this.stepButtons,
        h("button", { onclick: () => this.startAgain() }, "Start again"),
      ),
      this.restarted,
    );
  }

  largeNumbers() {
    return h(
      "div",
      { class: "numbers" },
      largeNumber("step", this.numbers.step),
      largeNumber("cost", this.numbers.cost),
      largeNumber("accuracy on 1,000 validation images", this.numbers.accuracy),
    );
  }

  progress() {
    return h(
      "section",
      { class: "card stack" },
      h("div", {}, h("h2", {}, "Cost of each step"), this.curves.cost),
      h("div", {}, h("h2", {}, "Accuracy every 10 steps"), this.curves.accuracy),
      h("p", { class: "quiet" }, ABOUT),
    );
  }

  details() {
    const pictures = async () => ({
      functional: await graphPicture("functional"),
      operations: await graphPicture("operations"),
    });
    return [
      h(
        "section",
        { class: "card stack" },
        h("div", { class: "tools" }, h("h2", {}, "Weights"), ...this.weightButtons),
        this.weights,
        h(
          "p",
          { class: "quiet" },
          "One picture per digit. Ink on a blue pixel counts for it, ink on a grey one against it.",
        ),
      ),
      h(
        "section",
        { class: "card stack" },
        h("h2", {}, "100 validation images"),
        this.samples.element,
        h("h2", {}, `${SHOWN_OF_BATCH} images of the last batch`),
        this.batch,
      ),
      h(
        "section",
        { class: "card full-width" },
        h("h2", {}, "The graph, as TensorFlow builds it"),
        graphs("first-graph", pictures),
      ),
    ];
  }

  // --- What it does --------------------------------------------------------------------------

  async start() {
    this.readAddress();
    this.loading.textContent = LOADING;
    const files = [
      graphPicture("functional"),
      fileBytes("data/mnist-train.bin.gz"),
      fileBytes("data/mnist-val.bin.gz"),
    ];
    const [svg, train, val] = await Promise.all(files).finally(() => {
      this.loading.textContent = "";
    });
    if (this.hasLeft) return;
    this.svg = svg;
    this.train = decodeExamples(train);
    this.val = decodeExamples(val);
    await this.restore();
  }

  readAddress() {
    const problems = Object.entries(KNOBS).map(([name, knob]) => {
      const { value, problem } = recallNumber(name, knob);
      this.knobs[name].value = value;
      return problem;
    });
    problems.push(recallNumber("steps", STEPS_IN_ADDRESS).problem);
    this.linkError.textContent = problems.filter(Boolean).join(" ");
    this.slowly.checked = recall("slowly") === "on";
  }

  /** Put the knobs and the number of steps into the address. */
  save() {
    const values = Object.entries(KNOBS).map(([name, { standard }]) => {
      const value = Number(this.knobs[name].value);
      return [name, value === standard ? "" : value];
    });
    const steps = this.session?.step || "";
    const slowly = this.slowly.checked ? "on" : "";
    remember({ ...Object.fromEntries(values), steps, slowly });
  }

  /** Begin, and take as many steps as the address says: they have the same values each time. */
  async restore() {
    const steps = recallNumber("steps", STEPS_IN_ADDRESS).value;
    this.begin();
    if (steps && this.session) await this.take(steps);
  }

  /** A knob was changed: begin with it. What is running, or was asked for, is done from there. */
  async change(name) {
    const { playing, asked } = this;
    const hadSteps = this.session?.step > 0;
    this.startAgain();
    if (!this.session) return;
    if (hadSteps)
      this.restarted.textContent = `A new ${KNOBS[name].name} starts again from step 0.`;
    if (playing) await this.play();
    else if (asked) await this.take(asked);
  }

  /** The user begins anew: what was wrong in the link is past. */
  startAgain() {
    this.linkError.textContent = "";
    this.begin();
  }

  /** Build a new session from the knobs. */
  begin() {
    this.pause();
    this.asked = 0;
    this.restarted.textContent = "";
    const isRight = this.checkKnobs();
    this.session = null;
    this.playButton.disabled = true;
    this.enableSteps(false);
    this.lowRate.replaceChildren();
    if (!isRight || !this.train) return;
    const [rate, batchSize, seed] = Object.values(this.knobs).map(({ value }) => Number(value));
    this.session = new Session(this.train, { rate, batchSize, seed });
    this.costs = [];
    this.accuracies = [];
    this.lastValues = null;
    this.walk = walk(this.svg);
    this.graph.replaceChildren(this.walk.note, this.walk.element);
    this.offerBetterRate(rate);
    this.measure();
    this.show();
    this.save();
    this.playButton.disabled = false;
    this.enableSteps(true);
  }

  /** Mark the knobs that are wrong, and say what the first of them may be. */
  checkKnobs() {
    const wrong = Object.keys(KNOBS).filter((name) => !isValid(this.knobs[name]));
    for (const [name, input] of Object.entries(this.knobs)) {
      const attributes = { "aria-invalid": "true", "aria-describedby": this.error.id };
      for (const [attribute, value] of Object.entries(attributes))
        if (wrong.includes(name)) input.setAttribute(attribute, value);
        else input.removeAttribute(attribute);
    }
    const [first] = wrong;
    this.error.textContent = first ? knobError(first, this.knobs[first].value) : "";
    return !first;
  }

  offerBetterRate(rate) {
    const use = () => {
      this.knobs.rate.value = BETTER_RATE;
      this.change("rate");
    };
    const text = `At ${rate}, the accuracy hardly rises in a hundred steps. `;
    const offer = h("button", { onclick: use }, `Use ${BETTER_RATE}`);
    this.lowRate.replaceChildren(...(rate < LOW_RATE ? [text, offer] : []));
  }

  async play() {
    if (this.playing) {
      this.pause();
      return;
    }
    if (!this.session) return;
    const playing = {};
    this.playing = playing;
    this.playButton.textContent = "Pause";
    const { session } = this;
    while (this.playing === playing) {
      const isSingle = this.slowly.checked || session.step < SINGLE_STEPS;
      await this.takeSome(isSingle ? 1 : STEPS_AT_ONCE);
      await sleep(PAUSE_BETWEEN_STEPS);
    }
  }

  pause() {
    if (!this.playing) return;
    this.playing = null;
    this.playButton.textContent = "Run";
    if (!this.hasLeft) this.save();
  }

  /** Take steps: one of them slowly if the user wishes it, more of them fast. */
  async take(count) {
    const { session } = this;
    const end = session.step + count;
    this.asked = count;
    while (session.step < end && this.session === session && !this.hasLeft) {
      const steps = Math.min(count === 1 ? 1 : STEPS_AT_ONCE, end - session.step);
      const wereTaken = await this.takeSome(steps, count > 1);
      if (!wereTaken) break;
      if (count > 1) await sleep(0); // the page stays responsive
    }
    if (this.session !== session || this.hasLeft) return;
    this.asked = 0;
    this.save();
  }

  /** Returns whether the steps were taken; none are while others are being taken. */
  async takeSome(count, isFast = false) {
    const { session } = this;
    if (this.busy === session) return false;
    this.busy = session;
    this.enableSteps(false);
    for (let i = 0; i < count; i++) this.step();
    if (this.slowly.checked && !isFast) await this.animate();
    if (this.hasLeft || this.session !== session) return false;
    this.busy = null;
    this.show();
    this.enableSteps(true);
    return true;
  }

  step() {
    this.lastValues = this.session.run();
    this.costs.push(this.lastValues.cost);
    if (this.session.step % STEPS_PER_MEASUREMENT === 0) this.measure();
  }

  /** Light the boxes of the graph one after the other; stops when the user pauses. */
  async animate() {
    const { session, playing } = this;
    bringIntoView(this.graph);
    const all = stages(session, this.lastValues);
    for (const [i, stage] of all.entries()) {
      const goesOn = this.session === session && this.slowly.checked && this.playing === playing;
      if (!goesOn || this.hasLeft) return;
      this.walk.light(stage, `${i + 1} of ${all.length}`);
      if ("cost" in stage.boxes) this.showCost(); // it is known before the step is over
      await sleep(PAUSE_BETWEEN_BOXES);
    }
  }

  measure() {
    this.accuracies.push([this.session.step, this.accuracy()]);
  }

  /** Of the network as it is now, on the validation images. */
  accuracy() {
    const predicted = this.session.predict(this.val.images);
    return predicted.filter((digit, i) => digit === this.val.labels[i]).length / predicted.length;
  }

  enableSteps(enabled) {
    for (const button of this.stepButtons) button.disabled = !enabled;
  }

  // --- What it shows -------------------------------------------------------------------------

  show() {
    const [step, measured] = this.accuracies.at(-1);
    const accuracy = step === this.session.step ? measured : this.accuracy();
    this.numbers.step.textContent = integer(this.session.step);
    this.numbers.accuracy.textContent = percent(accuracy, 1);
    if (this.lastValues) this.walk.fill(stages(this.session, this.lastValues));
    this.showCost();
    this.showAccuracies();
    if (!this.isView) return;
    this.showWeights(this.weightView);
    this.showImages();
  }

  showCost() {
    this.numbers.cost.textContent = this.costs.at(-1)?.toFixed(4) ?? "–";
    const costs = smooth(this.costs.map((cost, i) => [i + 1, cost]));
    const cost = [{ name: "cost", color: "var(--line1)", points: costs }];
    drawCurves(this.curves.cost, "Cost", cost, { format: shortNumber, empty: NO_COST });
  }

  showAccuracies() {
    const accuracies = this.accuracies.length > 1 ? smooth(this.accuracies) : [];
    const accuracy = [{ name: "accuracy", color: "var(--line2)", points: accuracies }];
    const options = { format: accuracyText, isFraction: true, empty: NO_ACCURACY };
    drawCurves(this.curves.accuracy, "Accuracy", accuracy, options);
  }

  showWeights(key) {
    this.weightView = key;
    for (const button of this.weightButtons)
      button.setAttribute("aria-pressed", button.dataset.key === key);
    if (!this.session) return;
    const shown = key === "weights" ? this.session.weights : this.session.learned();
    const figures = weightPictures(shown).map((picture, digit) =>
      h("figure", {}, picture, h("figcaption", {}, String(digit))),
    );
    this.weights.replaceChildren(...figures);
  }

  showImages() {
    const images = this.val.pixels.subarray(0, 784 * SHOWN_SAMPLES);
    const predicted = this.session.predict({
      shape: [SHOWN_SAMPLES, 784],
      values: this.val.images.values.subarray(0, 784 * SHOWN_SAMPLES),
    });
    this.samples.show({ predicted, labels: this.val.labels, images });
    const rows = this.lastValues?.rows.slice(0, SHOWN_OF_BATCH) ?? [];
    const pixels = rows.map((row) => this.train.pixels.subarray(784 * row, 784 * (row + 1)));
    this.batch.replaceChildren(...pixels.flatMap((image) => digitPictures(image)));
  }

  // --- What the frame calls ------------------------------------------------------------------

  onAddress() {
    this.readAddress();
    if (this.train) this.restore();
  }

  leave() {
    this.hasLeft = true;
    this.pause();
  }
}

const graphPicture = (name) => fileText(`pictures/1/${name}.svg`);

/** The buttons above the graph stay on the screen if there is room for both. */
function bringIntoView(element) {
  const behavior = isMotionReduced.matches ? "auto" : "smooth";
  element.scrollIntoView({ block: "nearest", behavior });
}

const isValid = (input) => input.value !== "" && input.checkValidity();

/** What the user gave, if it is a number, and what the knob may be. */
function knobError(name, value) {
  const { label, min, max, step } = KNOBS[name];
  const given = value === "" ? `${label}:` : `${label} is ${value};`;
  return `${given} type a ${step === 1 ? "whole " : ""}number from ${min} to ${integer(max)}`;
}

/** Weights (784, 10) → a picture for each digit. */
function weightPictures({ values }) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  return Array.from({ length: 10 }, (_, digit) => {
    const own = Float32Array.from(
      { length: 784 },
      (_, i) => (values[10 * i + digit] * 127) / largest,
    );
    return signedPicture(own, 28, `weights of the digit ${digit}`);
  });
}
