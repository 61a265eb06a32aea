// A live part of chapter 3: a network learns from few images, until it knows them by heart.

import { recallChoice, recallNumber, remember } from "./address.js";
import { drawCurves, shortNumber } from "./curves.js";
import { errorLine, field, h, integer, largeNumber, percent, sleep } from "./dom.js";
import { fileBytes } from "./files.js";
import {
  argmax,
  array,
  forward,
  mean,
  oneHot,
  softmaxCrossEntropy,
  takeRows,
  trainStep,
} from "./network.js";
import { decodeExamples, randomNumbers, shuffled, truncatedNormal } from "./session.js";

const PIXELS = 784;
const CLASSES = 10;
const COUNTS = [20, 100, 300, 1000, 5000]; // of training images
const UNITS = [0, 10, 100]; // in a hidden layer; 0: no such layer
const STANDARD = { images: "1000", units: "0", rate: "0.5", seed: "0" };
const RATE = { min: 0.0001, max: 10, step: "any" };
const SEED = { min: 0, max: 2 ** 32 - 1, step: 1 };
const MAX_BATCH = 100;
const STEPS_PER_MEASUREMENT = 20;
const LAST_STEP = 3000;
const MILLISECONDS_PER_FRAME = 14; // then the page can answer
const SURE_RISE = 1.02; // the validation cost has risen: it is this many times its lowest
const FIRST_STEPS = 100;
const HIGH_COST = 0.7; // of training images, after the first steps
const EXPLANATION =
  "A network learns from a few of MNIST's images, in your browser. Run it and watch both costs. " +
  "Then try fewer images, more hidden units, or a rate of 0.01. The fewer the images, the sooner it " +
  "knows them by heart, and the fewer new images it gets right.";
const LOADING = "Loading 6,000 images of handwritten digits (1 MB) …";

export function mount(element) {
  const view = new Overfitting();
  element.append(...view.elements());
  view.readAddress();
  return { onAddress: () => view.readAddress(), leave: () => view.leave() };
}

/** A network, its images, and what was measured of it. The seed decides all random numbers. */
class Training {
  constructor(train, val, { count, units, rate, seed }) {
    const random = randomNumbers(seed);
    const rows = Array.from({ length: count }, (_, i) => i);
    this.train = labelled({
      images: takeRows(train.images, rows),
      labels: train.labels.slice(0, count),
    });
    this.val = labelled(val);
    this.nextRows = shuffled(count, random);
    this.parameters = firstParameters(units, random);
    this.rate = rate;
    this.batchSize = Math.min(MAX_BATCH, count);
    this.step = 0;
    this.measured = []; // { step, train, val }: each with its cost and accuracy
    this.measure();
  }

  takeStep() {
    const rows = this.nextRows(this.batchSize);
    const labels = takeRows(this.train.labels, rows);
    trainStep(takeRows(this.train.images, rows), labels, this.parameters, this.rate);
    this.step += 1;
    if (this.step % STEPS_PER_MEASUREMENT === 0) this.measure();
  }

  measure() {
    const [train, val] = [this.train, this.val].map((examples) => this.resultsOn(examples));
    this.measured.push({ step: this.step, train, val });
  }

  resultsOn({ images, labels, digits }) {
    const logits = forward(images, this.parameters).at(-1);
    const right = argmax(logits).filter((digit, i) => digit === digits[i]).length;
    return { cost: mean(softmaxCrossEntropy(labels, logits)), accuracy: right / digits.length };
  }

  /** What was measured when the validation cost was lowest. */
  get lowest() {
    return this.measured.reduce((best, each) => (each.val.cost < best.val.cost ? each : best));
  }
}

const labelled = ({ images, labels }) => ({
  images,
  labels: oneHot(labels, CLASSES),
  digits: labels,
});

/** Zeros without a hidden layer, as in the chapter; with one, normal weights (He et al. 2015). */
function firstParameters(units, random) {
  if (!units) return [array([PIXELS, CLASSES]), array([CLASSES])];
  const layer = (inputs, outputs) => {
    const deviation = Math.sqrt(2 / inputs);
    const weights = Float32Array.from(
      { length: inputs * outputs },
      () => deviation * truncatedNormal(random),
    );
    return [array([inputs, outputs], weights), array([outputs])];
  };
  return [...layer(PIXELS, units), ...layer(units, CLASSES)];
}

class Overfitting {
  constructor() {
    const choices = (numbers, text) =>
      h(
        "select",
        { onchange: () => this.begin() },
        ...numbers.map((number) => h("option", { value: number }, text(number))),
      );
    const number = (limits) =>
      h("input", { type: "number", onchange: () => this.begin(), ...limits });
    this.knobs = {
      images: choices(COUNTS, integer),
      units: choices(UNITS, (units) => (units ? String(units) : "none")),
      rate: number(RATE),
      seed: number(SEED),
    };
    this.playButton = h("button", { class: "main", onclick: () => this.play() }, "Run");
    this.costs = h("div");
    this.says = h("p", { "aria-live": "polite" });
    this.numbers = h("div", { class: "numbers" });
    this.error = errorLine();
    this.linkError = errorLine(); // what is wrong in the address
    this.training = null;
    this.data = null; // a promise of the images
    this.playing = null; // an object for each time that it runs
  }

  elements() {
    const { images, units, rate, seed } = this.knobs;
    return [
      h("p", {}, EXPLANATION),
      h(
        "div",
        { class: "tools" },
        field("training images", images),
        field("hidden units", units),
        field("learning rate", rate),
        field("seed", seed),
      ),
      h(
        "div",
        { class: "tools" },
        this.playButton,
        h("button", { onclick: () => this.begin() }, "Start again"),
      ),
      this.error,
      this.linkError,
      this.says,
      this.costs,
      this.numbers,
    ];
  }

  /** The address holds the knobs, and how many steps were taken: they are taken again. */
  async readAddress() {
    const steps = this.readKnobs();
    if (steps === (this.training?.step ?? 0)) return this.show();
    this.begin({ isNew: false });
    await this.run(steps);
  }

  /** Returns the number of steps. */
  readKnobs() {
    const number = (name, range) =>
      recallNumber(`fit-${name}`, { standard: Number(STANDARD[name] ?? 0), ...range });
    const choice = (name, choices) =>
      recallChoice(`fit-${name}`, choices.map(String), STANDARD[name]);
    const knobs = {
      images: choice("images", COUNTS),
      units: choice("units", UNITS),
      rate: number("rate", RATE),
      seed: number("seed", SEED),
    };
    for (const [name, { value }] of Object.entries(knobs)) this.knobs[name].value = value;
    const steps = number("steps", { min: 0, max: LAST_STEP, step: 1 });
    const problems = [...Object.values(knobs), steps].map(({ problem }) => problem);
    this.linkError.textContent = problems.filter(Boolean).join(" ");
    return steps.value;
  }

  save() {
    const knobs = Object.entries(this.knobs).map(([name, { value }]) => [
      `fit-${name}`,
      value === STANDARD[name] ? "" : value,
    ]);
    remember({ ...Object.fromEntries(knobs), "fit-steps": this.training?.step || "" });
  }

  begin({ isNew = true } = {}) {
    this.pause();
    this.training = null;
    this.error.textContent = this.problem();
    this.show();
    if (!isNew) return;
    this.linkError.textContent = "";
    this.save();
  }

  problem() {
    const { rate, seed } = this.knobs;
    if (!rate.value || !rate.checkValidity())
      return `the learning rate is a number from ${RATE.min} to ${RATE.max}`;
    if (!seed.value || !seed.checkValidity())
      return `the seed is a whole number from 0 to ${integer(SEED.max)}`;
    return "";
  }

  play() {
    if (this.playing) this.pause();
    else this.run(LAST_STEP);
  }

  /** Take steps up to a number of them, in pieces, so that the page answers meanwhile. */
  async run(end) {
    if (this.problem()) return;
    const playing = {};
    this.playing = playing;
    this.playButton.textContent = "Pause";
    try {
      await this.prepare();
      while (this.playing === playing && this.training.step < end) {
        const stop = performance.now() + MILLISECONDS_PER_FRAME;
        while (performance.now() < stop && this.training.step < end) this.training.takeStep();
        this.show();
        await sleep(0);
      }
    } catch ({ message }) {
      this.error.textContent = message;
      this.show();
    }
    if (this.playing === playing) this.pause();
  }

  async prepare() {
    this.data ??= Promise.all(
      ["train", "val"].map(async (split) =>
        decodeExamples(await fileBytes(`data/mnist-${split}.bin.gz`)),
      ),
    );
    if (!this.training) this.says.textContent = LOADING;
    const [train, val] = await this.data.catch((problem) => {
      this.data = null; // another try loads them again
      throw problem;
    });
    const { images, units, rate, seed } = this.knobs;
    this.training ??= new Training(train, val, {
      count: Number(images.value),
      units: Number(units.value),
      rate: Number(rate.value),
      seed: Number(seed.value),
    });
  }

  pause() {
    if (!this.playing) return;
    this.playing = null;
    this.playButton.textContent = "Run";
    if (this.training) this.save();
  }

  show() {
    const measured = this.training?.measured ?? [];
    const says = sentence(this.training);
    if (this.says.textContent !== says) this.says.textContent = says; // it is read aloud
    const points = (split) => measured.map((each) => [each.step, each[split].cost]);
    const curve = (name, color, points) => ({ name, legend: name, color, points });
    const lowest = this.training && [[this.training.lowest.step, this.training.lowest.val.cost]];
    const curves = [
      // The colours are those of the chapter's picture.
      curve("training images", "var(--ink)", points("train")),
      curve("validation images", "var(--line1)", points("val")),
      { ...curve("lowest validation cost", "var(--line5)", lowest ?? []), isMark: true },
    ];
    drawCurves(this.costs, "Cost", curves, { format: shortNumber });
    this.numbers.replaceChildren(...(measured.length ? largeNumbers(this.training) : []));
  }

  leave() {
    this.playing = null;
  }
}

function largeNumbers({ step, measured }) {
  const { train, val } = measured.at(-1);
  const number = (label, text) => largeNumber(label, h("b", { class: "big" }, text));
  return [
    number("step", integer(step)),
    number("training images right", percent(train.accuracy, 1)),
    number("validation images right", percent(val.accuracy, 1)),
  ];
}

/** What one sees now. */
function sentence(training) {
  if (!training || training.step < FIRST_STEPS) return "The curves begin when it runs.";
  const { measured, lowest, step } = training;
  const { train, val } = measured.at(-1);
  if (!Number.isFinite(train.cost))
    return "The cost is not a number any more: the rate is too high.";
  if (val.cost > SURE_RISE * lowest.val.cost && train.cost < lowest.train.cost)
    return (
      `The training cost still falls, but the validation cost has risen since step ${integer(lowest.step)}: ` +
      "the network learns these images by heart. This is overfitting. " +
      `Stopping at step ${integer(lowest.step)} would have been best.`
    );
  if (train.cost > HIGH_COST && step < LAST_STEP)
    return "Both costs are still high: this is underfitting. It needs more steps or a higher rate.";
  if (train.cost > HIGH_COST)
    return "Both costs have stayed high: this is underfitting. Try a higher rate, or hidden units.";
  return "Both costs fall: what it learns is also true of images that it has not seen.";
}
