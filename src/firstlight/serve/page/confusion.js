// A run's evaluation: its confusion matrix, in which each cell is a button, and the mistakes in it.

import { recallNumber, remember } from "./address.js";
import { errorLine, h, integer, percent, sleep } from "./dom.js";
import { decode, photograph } from "./pixels.js";
import { about, get, post, runPath } from "./server.js";

const POLL = 700; // milliseconds between two requests about an evaluation that is running

/** Show a run's evaluation in `element`, or a button that starts it. */
export async function showEvaluation(element, run, refresh) {
  const query = `run=${encodeURIComponent(run.name)}`;
  const links = h(
    "p",
    { class: "tools quiet" },
    h("a", { href: `#inside?${query}` }, "look inside"),
    h("a", { href: `#train?${query}` }, "curves and weights"),
    h("code", {}, run.command ?? ""),
  );
  const title = h("h2", { tabindex: -1 }, run.name);
  const card = h("section", { class: "card stack" }, title, links);
  element.replaceChildren(card);
  try {
    if (!run.evaluated) {
      const { read_only: isReadOnly } = await about();
      card.append(isReadOnly ? notEvaluated(run) : startEvaluation(element, run, refresh));
      return;
    }
    const evaluation = await get(`${runPath(run.name)}/evaluation`);
    if (!card.isConnected) return; // the user chose another run or view meanwhile
    await showMatrix(card, run, evaluation);
  } catch (problem) {
    card.append(h("p", { class: "error" }, problem.message));
  }
}

/** What a visitor of a read-only server sees, and what to type on its computer. */
function notEvaluated({ folder, state }) {
  if (state !== "done") return h("p", {}, "This run can be evaluated when its training is done.");
  const command = h("code", {}, `firstlight evaluate ${folder}`);
  return h(
    "p",
    {},
    "This run has not been evaluated. This server is read-only and evaluates none. ",
    "In a terminal of its computer, type ",
    command,
    ", and then choose Runs again.",
  );
}

function startEvaluation(element, run, refresh) {
  const isDone = run.state === "done";
  const note = h("p", { class: "quiet" });
  note.textContent = isDone
    ? "This run has not been evaluated yet."
    : "This run can be evaluated when its training is done.";
  const button = h("button", { class: "main", disabled: !isDone, onclick: evaluate }, "Evaluate");

  async function evaluate() {
    button.disabled = true;
    note.textContent = "Evaluating on the test images …";
    try {
      await post(`${runPath(run.name)}/evaluate`);
      const evaluated = await waitForEvaluation();
      if (evaluated) showEvaluation(element, evaluated, refresh);
    } catch (problem) {
      note.textContent = problem.message;
      button.disabled = false;
    }
  }

  /** The run when it has been evaluated; null if the user has gone elsewhere. */
  async function waitForEvaluation() {
    while (note.isConnected) {
      await sleep(POLL);
      const now = (await refresh()).find(({ name }) => name === run.name);
      if (!note.isConnected) return null;
      if (now?.evaluated) return now;
      const lastLine = now?.job?.output.at(-1);
      if (!now?.job || now.job.exit_code !== null)
        throw new Error(lastLine ?? "the run could not be evaluated");
      if (lastLine) note.textContent = `Evaluating on the test images … ${lastLine}`;
    }
    return null;
  }

  return h("div", { class: "stack" }, note, h("div", { class: "tools" }, button));
}

async function showMatrix(card, run, evaluation) {
  const className = (index) => evaluation.classes?.[index] ?? String(index);
  const mistakes = h("div", { class: "stack" });
  const error = errorLine();
  let requests = 0;

  /** Show the mistakes of a cell, or all of them if both are "". */
  async function select(label, predicted) {
    requests += 1;
    const number = requests;
    remember({ label, predicted });
    error.textContent = "";
    for (const cell of card.querySelectorAll(".confusion button"))
      cell.setAttribute("aria-pressed", cell.dataset.cell === `${label}-${predicted}`);
    const list = new MistakeList(run.name, { label, predicted, className, onError });
    const showAll = () => select("", "");
    try {
      await list.loadMore();
      if (number === requests) mistakes.replaceChildren(...list.elements(showAll));
    } catch (problem) {
      if (number === requests) onError(problem);
    }
  }

  function onError(problem) {
    error.textContent = problem.message;
  }

  const matrix = confusionMatrix(evaluation.confusion, className, select);
  card.append(summary(evaluation), error, h("div", { class: "columns" }, matrix, mistakes));
  const range = { standard: "", min: 0, max: evaluation.confusion.length - 1, step: 1 };
  const cell = ["label", "predicted"].map((name) =>
    recallNumber(name, { ...range, means: "any class" }),
  );
  const shown = select(...cell.map(({ value }) => value));
  error.textContent = cell.flatMap(({ problem }) => problem || []).join(" ");
  await shown;
}

function summary({ accuracy, correct, examples, split, data, interval95 }) {
  const [low, high] = interval95;
  const images = `${integer(correct)} of ${integer(examples)} ${split} images of ${data}`;
  const interval = `95 % confidence interval ${percent(low, 2)} to ${percent(high, 2)}`;
  return h("p", {}, h("b", {}, percent(accuracy, 2)), ` correct: ${images} (${interval}).`);
}

/** Counts by label (rows) and prediction (columns); the more mistakes, the darker the cell. */
function confusionMatrix(counts, className, select) {
  const mistakes = counts.flatMap((row, label) => row.filter((_, i) => i !== label));
  const largest = Math.max(1, ...mistakes);
  const heading = (index) => h("span", { title: className(index) }, className(index));
  const grid = h("div", { class: "confusion" }, h("span"), ...counts.map((_, i) => heading(i)));
  grid.style.setProperty("--classes", counts.length);
  for (const [label, row] of counts.entries()) {
    grid.append(heading(label));
    for (const [predicted, count] of row.entries()) {
      if (label === predicted) grid.append(h("span", { class: "correct" }, String(count)));
      else grid.append(cell(label, predicted, count));
    }
  }

  function cell(label, predicted, count) {
    const attributes = {
      "data-cell": `${label}-${predicted}`,
      "aria-label": `${className(label)} predicted as ${className(predicted)}: ${count} times`,
      disabled: !count,
      onclick: () => select(label, predicted),
    };
    const button = h("button", attributes, count ? String(count) : "");
    const shade = count ? 0.12 + 0.88 * Math.sqrt(count / largest) : 0;
    button.style.setProperty("--shade", `${Math.round(100 * shade)}%`);
    return button;
  }

  return h("div", {}, h("h3", {}, "Rows are labels, columns are predictions"), grid);
}

/** The mistakes of one cell of the matrix, or all, a page at a time. */
class MistakeList {
  constructor(runName, { label, predicted, className, onError }) {
    this.path = `${runPath(runName)}/mistakes`;
    this.label = label;
    this.predicted = predicted;
    this.className = className;
    this.grid = h("div", { class: "mistakes" });
    this.title = h("h3");
    this.more = h("button", { onclick: () => this.loadMore().catch(onError) }, "More");
  }

  get isOfAll() {
    return this.label === "" && this.predicted === "";
  }

  async loadMore() {
    const query = new URLSearchParams({ from: this.grid.children.length });
    if (this.label !== "") query.set("label", this.label);
    if (this.predicted !== "") query.set("predicted", this.predicted);
    const { mistakes, count } = await get(`${this.path}?${query}`);
    this.title.textContent = this.titleText(count);
    this.grid.append(...mistakes.map((mistake) => mistakeFigure(mistake, this.className)));
    this.more.hidden = this.grid.children.length >= count;
  }

  titleText(count) {
    if (this.isOfAll) return `${integer(count)} mistakes, the most confident first`;
    const [label, predicted] = [this.className(this.label), this.className(this.predicted)];
    return `${label} predicted as ${predicted}: ${integer(count)}`;
  }

  elements(showAll) {
    const back = h("button", { onclick: showAll, hidden: this.isOfAll }, "All mistakes");
    return [h("div", { class: "tools" }, this.title, back), this.grid, this.more];
  }
}

function mistakeFigure({ index, file, label, predicted, confidence, image, size }, className) {
  const name = file ?? `image ${index}`;
  const picture = image ? photograph(decode(image), size, name) : null;
  const caption = h(
    "figcaption",
    {},
    `${className(label)}, predicted `,
    h("b", {}, className(predicted)),
    `, ${percent(confidence).replace(" ", "\u00a0")}`,
  );
  return h("figure", { title: name }, picture, caption);
}
