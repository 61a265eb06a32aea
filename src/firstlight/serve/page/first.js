// The view First graph: the lesson's graph, run in its session one step at a time.

import { recall, remember } from "./address.js";
import { drawCurves, short, smooth } from "./curves.js";
import { h, percent } from "./dom.js";
import { graphs } from "./graphs.js";
import { bytes, grey, maps } from "./pixels.js";
import { samples } from "./samples.js";
import { about, post } from "./server.js";

export function enter(page) {
  const error = h("p", { class: "error", role: "alert" });
  const rate = h("input", { type: "number", min: 0.001, max: 10, step: "any", value: recall("rate", "0.01") });
  const take = (count) => h("button", { onclick: () => run(count) }, count === 1 ? "One step" : `${count} steps`);
  const play = h("button", { class: "main", onclick: () => (playing ? pause() : goOn()) }, "Run");
  const buttons = [take(1), take(10), take(100)];
  const [cost, right, at] = [h("b", { class: "big" }), h("b", { class: "big" }), h("b", { class: "big" })];
  const named = (name, value) => h("div", {}, h("span", {}, name), value);
  const curve = h("div"), weights = h("div", { class: "maps ten" }), fed = h("div", { class: "fed" });
  const tests = samples();
  const views = Object.entries({ weights: "as they are", learned: "what was learned" }).map(([kind, says]) =>
    h("button", { "data-kind": kind, onclick: () => ((view = kind), paint()) }, says));

  page.append(
    h("section", { class: "card stack" },
      h("div", { class: "tools" }, play, ...buttons,
        h("button", { onclick: begin }, "Start anew"), h("label", { class: "field" }, "learning rate", rate)),
      error,
      h("div", { class: "numbers" }, named("step", at), named("cost", cost), named("right of 10,000 test images", right))),
    h("div", { class: "columns" },
      h("section", { class: "card" }, h("h2", {}, "The cost of each step"), curve),
      h("section", { class: "card stack" }, h("div", { class: "tools" }, h("h2", {}, "Weights"), ...views), weights,
        h("p", { class: "quiet" }, "A picture a digit: blue pixels speak for it, grey ones against it.")),
      h("section", { class: "card" }, h("h2", {}, "A hundred test images"), tests.element),
      h("section", { class: "card" }, h("h2", {}, "Twenty of the hundred images fed in the last step"), fed),
      h("section", { class: "card whole" }, h("h2", {}, "The graph"), graphs("first-graph"))));

  let view = "learned", last = null;
  let lesson = "", step = null, costs = [], playing = false, busy = false, left = false;

  async function ask(path, question) {
    busy = true;
    for (const each of buttons) each.disabled = true;
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
      for (const each of buttons) each.disabled = playing;
    }
  }

  async function begin() {
    pause();
    if (busy) return;
    if (step === null) error.textContent = "TensorFlow is starting …";
    remember({ rate: rate.value === "0.01" ? "" : rate.value });
    [step, costs] = [null, []];
    await ask("first", { rate: Number(rate.value) });
  }

  async function run(count) {
    if (busy) return false;
    if (step === null) await begin();
    return step !== null && ask("step", { lesson, after: step, count });
  }

  async function goOn() {
    playing = true;
    play.textContent = "Pause";
    while (playing && !left) {
      if (!(await run(costs.length < 50 ? 1 : 10))) break;
      await new Promise((done) => setTimeout(done, 40));
    }
    pause();
  }

  function pause() {
    playing = false;
    play.textContent = "Run";
    for (const each of buttons) each.disabled = busy;
  }

  function show(told) {
    costs.push(...told.costs);
    [lesson, step] = [told.lesson, told.step];
    at.textContent = step.toLocaleString("en");
    cost.textContent = costs.length ? costs.at(-1).toFixed(4) : "–";
    right.textContent = percent(told.accuracy, 1);
    const points = smooth(costs.map((value, i) => [i + 1, value]));
    drawCurves(curve, "Cost", [{ name: "cost", color: "var(--line1)", points }], { format: short });
    last = told;
    paint();
    const seen = bytes(told.fed);
    fed.replaceChildren(...Array.from({ length: seen.length / 784 }, (_, i) => grey(seen.subarray(784 * i, 784 * (i + 1)), 28)));
    tests.show(told);
  }

  function paint() {
    for (const each of views) each.setAttribute("aria-pressed", each.dataset.kind === view);
    const pictures = last ? maps(last[view], (digit) => `weights of the digit ${digit}`) : [];
    weights.replaceChildren(...pictures.map((canvas, digit) => h("figure", {}, canvas, h("figcaption", {}, String(digit)))));
  }

  function readdress() {
    if (recall("rate", "0.01") === rate.value) return;
    rate.value = recall("rate", "0.01");
    begin();
  }

  about().then(({ trains }) => {
    if (left) return;
    if (trains) begin();
    else error.textContent = "TensorFlow is not installed here: pip install 'firstlight[train]'";
  }, (problem) => (error.textContent = problem.message));
  return { readdress, leave: () => ((left = true), pause()) };
}
