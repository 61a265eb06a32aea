// The view First graph: the first lesson's graph, run in its session one step at a time.

import { recall, remember } from "./address.js";
import { drawCurves, shortNumber, smooth } from "./curves.js";
import { errorLine, field, h, integer, largeNumber, percent, sleep } from "./dom.js";
import { graphs } from "./graphs.js";
import { decode, digitPictures, mapPictures } from "./pixels.js";
import { samples } from "./samples.js";
import { about, post } from "./server.js";

const DEFAULT_RATE = "0.01";
const SLOW_STEPS = 50; // the first steps are run one at a time, so that they can be watched
const PAUSE_BETWEEN_STEPS = 40; // milliseconds
const WEIGHT_VIEWS = { weights: "current values", learned: "change by training" };

export function enter(page) {
  const error = errorLine();
  const rate = h("input", {
    type: "number",
    min: 0.001,
    max: 10,
    step: "any",
    value: recall("rate", DEFAULT_RATE),
  });
  const play = h("button", { class: "main", onclick: () => (playing ? pause() : run()) }, "Run");
  const stepButtons = [
    h("button", { onclick: () => takeSteps(1) }, "One step"),
    h("button", { onclick: () => takeSteps(10) }, "10 steps"),
    h("button", { onclick: () => takeSteps(100) }, "100 steps"),
  ];
  const numbers = {
    step: h("b", { class: "big" }),
    cost: h("b", { class: "big" }),
    accuracy: h("b", { class: "big" }),
  };
  const curve = h("div");
  const weights = h("div", { class: "maps ten" });
  const batch = h("div", { class: "batch" });
  const tests = samples();
  const weightButtons = Object.entries(WEIGHT_VIEWS).map(([key, title]) =>
    h("button", { "data-key": key, onclick: () => showWeights(key) }, title),
  );

  page.append(
    h(
      "section",
      { class: "card stack" },
      h(
        "div",
        { class: "tools" },
        play,
        ...stepButtons,
        h("button", { onclick: begin }, "Start again"),
        field("learning rate", rate),
      ),
      error,
      h(
        "div",
        { class: "numbers" },
        largeNumber("step", numbers.step),
        largeNumber("cost", numbers.cost),
        largeNumber("accuracy on 10,000 test images", numbers.accuracy),
      ),
    ),
    h(
      "div",
      { class: "columns" },
      h("section", { class: "card" }, h("h2", {}, "Cost of each step"), curve),
      h(
        "section",
        { class: "card stack" },
        h("div", { class: "tools" }, h("h2", {}, "Weights"), ...weightButtons),
        weights,
        h(
          "p",
          { class: "quiet" },
          "One picture per digit. Ink on a blue pixel counts for it, ink on a grey one against it.",
        ),
      ),
      h("section", { class: "card" }, h("h2", {}, "100 test images"), tests.element),
      h("section", { class: "card" }, h("h2", {}, "20 of the 100 images of the last step"), batch),
      h("section", { class: "card full-width" }, h("h2", {}, "The graph"), graphs("first-graph")),
    ),
  );

  let weightView = "learned";
  let lesson = null; // the server's last answer; null until the graph is built
  let costs = [];
  let playing = false;
  let busy = false; // a request is under way
  let left = false;

  /** Ask for a step or a new graph; returns whether it succeeded. */
  async function request(path, question) {
    busy = true;
    disableSteps(true);
    try {
      show(await post(path, question));
      error.textContent = "";
      return true;
    } catch (problem) {
      error.textContent = problem.message;
      pause();
      return false;
    } finally {
      busy = false;
      disableSteps(playing);
    }
  }

  function disableSteps(disabled) {
    for (const button of stepButtons) button.disabled = disabled;
  }

  async function begin() {
    pause();
    if (busy) return;
    if (!lesson) error.textContent = "TensorFlow is starting …";
    remember({ rate: rate.value === DEFAULT_RATE ? "" : rate.value });
    lesson = null;
    costs = [];
    await request("first", { learning_rate: Number(rate.value) });
  }

  /** Returns whether the steps were taken. */
  async function takeSteps(count) {
    if (busy) return false;
    if (!lesson) await begin();
    if (!lesson) return false;
    return request("step", { lesson: lesson.lesson, after: lesson.step, count });
  }

  async function run() {
    playing = true;
    play.textContent = "Pause";
    while (playing && !left) {
      const taken = await takeSteps(costs.length < SLOW_STEPS ? 1 : 10);
      if (!taken) break;
      await sleep(PAUSE_BETWEEN_STEPS);
    }
    pause();
  }

  function pause() {
    playing = false;
    play.textContent = "Run";
    disableSteps(busy);
  }

  function show(answer) {
    lesson = answer;
    costs.push(...answer.costs);
    numbers.step.textContent = integer(answer.step);
    numbers.cost.textContent = costs.length ? costs.at(-1).toFixed(4) : "–";
    numbers.accuracy.textContent = percent(answer.accuracy, 1);
    const points = smooth(costs.map((cost, i) => [i + 1, cost]));
    const curves = [{ name: "cost", color: "var(--line1)", points }];
    drawCurves(curve, "Cost", curves, { format: shortNumber });
    showWeights(weightView);
    batch.replaceChildren(...digitPictures(decode(answer.batch)));
    tests.show(answer);
  }

  function showWeights(key) {
    weightView = key;
    for (const button of weightButtons)
      button.setAttribute("aria-pressed", button.dataset.key === key);
    if (!lesson) return;
    const pictures = mapPictures(lesson[key], (digit) => `weights of the digit ${digit}`);
    const figures = pictures.map((picture, digit) =>
      h("figure", {}, picture, h("figcaption", {}, String(digit))),
    );
    weights.replaceChildren(...figures);
  }

  function onAddress() {
    if (recall("rate", DEFAULT_RATE) === rate.value) return;
    rate.value = recall("rate", DEFAULT_RATE);
    begin();
  }

  async function start() {
    const { can_train } = await about();
    if (left) return;
    if (can_train) begin();
    else error.textContent = "TensorFlow is not installed here: pip install 'firstlight[train]'";
  }

  start().catch((problem) => {
    error.textContent = problem.message;
  });
  return {
    onAddress,
    leave() {
      left = true;
      pause();
    },
  };
}
