// The view Runs: all trainings in a table, their curves in one picture, and each run's mistakes.

import { recall, remember } from "./address.js";
import { showEvaluation } from "./confusion.js";
import { costAndAccuracy, drawCurves, shortNumber } from "./curves.js";
import { accuracyText, errorLine, h, integer, percent, repeat } from "./dom.js";
import { about, get, runPath } from "./server.js";

const COLORS = [1, 2, 3, 4, 5, 6].map((n) => `var(--line${n})`);
const POLL = 2000; // milliseconds between two looks at runs that are training
const IDLE_POLL = 3; // while none is training, at each third time: one may begin elsewhere
const isTraining = ({ state }) => state === "running" || state === "elsewhere";
const RUNS_SHOWN_AT_FIRST = 3;
const EXPLANATION =
  "Each training is a run. Tick runs to compare their curves and settings; open one by its name to " +
  "see its mistakes.";
const STATES = {
  running: "training",
  elsewhere: "training",
  done: "done",
  stopped: "stopped",
  damaged: "damaged",
  failed: "failed",
};
const orDash = (value, format) => (value === null || value === undefined ? "–" : format(value));
// On a phone the first columns are seen, and the others by scrolling sideways.
const COLUMNS = [
  { title: "state", text: (run) => STATES[run.state] },
  { title: "accuracy", isNumber: true, text: (run) => orDash(run.accuracy, (v) => percent(v, 2)) },
  { title: "network", setting: "network" },
  { title: "data", setting: "data" },
  { title: "recipe", setting: "recipe" },
  { title: "learning rate", setting: "learning rate", isNumber: true },
  { title: "batch", setting: "batch size", isNumber: true },
  { title: "seed", setting: "seed", isNumber: true },
  { title: "steps", isNumber: true, text: (run) => orDash(run.steps, integer) },
  { title: "cost", isNumber: true, text: (run) => orDash(run.final_cost, shortNumber) },
  { title: "seconds", isNumber: true, text: (run) => orDash(run.seconds, (v) => v.toFixed(1)) },
];
const STATE_COLUMN = 0;
const numberClass = ({ isNumber }) => (isNumber ? "number" : "");
const cellText = (run, { text, setting }) =>
  text ? text(run) : orDash(run.settings?.[setting], String);

export function enter(page) {
  const error = errorLine();
  const tableBody = h("tbody");
  const costs = h("div");
  const accuracies = h("div");
  const accuracyNote = h("p", { class: "quiet" });
  const curves = h(
    "div",
    { class: "columns" },
    h("section", { class: "card" }, h("h2", {}, "Cost"), costs),
    h("section", { class: "card" }, h("h2", {}, "Accuracy"), accuracyNote, accuracies),
  );
  const table = h("div", { class: "wide", hidden: true }, h("table", {}, tableHead(), tableBody));
  const noRuns = h("p", { class: "no-runs" });
  const comparison = h("p", { "aria-live": "polite" });
  const evaluation = h("div", { class: "stack" });
  page.append(
    error,
    h(
      "section",
      { class: "card stack" },
      h("p", { class: "quiet" }, EXPLANATION),
      table,
      noRuns,
      comparison,
    ),
    curves,
    evaluation,
  );

  let runs = [];
  let isReadOnly = false;
  let checked = []; // the names of the runs whose curves are shown
  let requests = 0;
  let left = false;
  let looks = 0; // how often `followTrainings` was called
  const rows = new Map(); // by name; a row is kept, and with it the focus in it

  function show() {
    const elements = runs.map((run) => {
      if (!rows.has(run.name)) rows.set(run.name, tableRow(run.name, { open, toggle }));
      const row = rows.get(run.name);
      row.update(run, checked.indexOf(run.name));
      return row.element;
    });
    table.hidden = !runs.length;
    noRuns.replaceChildren(...(runs.length ? [] : emptyText(isReadOnly)));
    const compared = runs.filter(({ name }) => checked.includes(name));
    const differing = differences(compared);
    comparison.textContent = sentence(compared, differing);
    accuracyNote.textContent = recallNote(compared);
    for (const run of runs) rows.get(run.name).mark(checked.includes(run.name) ? differing : {});
    const isChanged =
      elements.length !== tableBody.children.length ||
      elements.some((element, i) => element !== tableBody.children[i]);
    if (isChanged) tableBody.replaceChildren(...elements);
    showCurves();
  }

  function toggle(name) {
    if (checked.includes(name)) checked = checked.filter((other) => other !== name);
    else checked = [...checked, name];
    remember({ show: checked.join(",") || "none" });
    show();
  }

  async function showCurves() {
    const names = checked.filter((name) => runs.some((run) => run.name === name));
    curves.hidden = !names.length;
    requests += 1;
    const number = requests;
    const problems = [];
    const metrics = await Promise.all(
      names.map(async (name) => {
        try {
          return await get(`${runPath(name)}/metrics`);
        } catch ({ message }) {
          problems.push(`${name}: ${message}`);
          return { lines: [] };
        }
      }),
    );
    if (number !== requests) return; // the user chose other runs meanwhile
    error.textContent = problems.join("; ");
    const all = metrics.map(({ lines }, i) => {
      const color = COLORS[i % COLORS.length];
      return costAndAccuracy(lines, [color, color], names[i]);
    });
    const allCosts = all.flatMap((run) => run.costs);
    const allAccuracies = all.flatMap((run) => run.accuracies);
    drawCurves(costs, "Cost", allCosts, { log: true, format: shortNumber });
    drawCurves(accuracies, "Accuracy", allAccuracies, { format: accuracyText, isFraction: true });
  }

  function open(name) {
    remember({ run: name, label: "", predicted: "" });
    for (const [other, { element }] of rows)
      element.toggleAttribute("data-selected", other === name);
    const run = runs.find((each) => each.name === name);
    const shown = showEvaluation(evaluation, run, refresh);
    const title = evaluation.querySelector("h2");
    title.focus({ preventScroll: true });
    shown.then(() => scrollTo(title));
  }

  async function refresh() {
    runs = (await get("runs")).runs;
    if (!left) show();
    return runs;
  }

  /** Show the details, which may be below the curves. */
  function scrollTo(title) {
    if (!title.isConnected) return; // the user has chosen another run meanwhile
    const { top } = title.getBoundingClientRect();
    if (top < 0 || top > 0.8 * innerHeight) evaluation.scrollIntoView();
  }

  async function onAddress() {
    try {
      await showAddress();
      error.textContent = "";
    } catch (problem) {
      error.textContent = problem.message;
    }
  }

  async function showAddress() {
    runs = (await get("runs")).runs;
    isReadOnly = (await about()).read_only;
    if (left) return;
    chooseShown();
    show();
    const run = runs.find(({ name }) => name === recall("run"));
    if (run) showEvaluation(evaluation, run, refresh);
    else evaluation.replaceChildren();
  }

  /** Tick the runs that the address names, or else the newest. */
  function chooseShown() {
    const requested = recall("show").split(",");
    const usable = runs.filter((run) => run.network).map(({ name }) => name);
    if (recall("show")) checked = requested.filter((name) => runs.some((run) => run.name === name));
    else checked = usable.slice(0, RUNS_SHOWN_AT_FIRST);
  }

  /** While a run trains: show how far it is, and what can be done with it when it has ended. */
  async function followTrainings() {
    looks += 1;
    if (!runs.some(isTraining)) {
      if (looks % IDLE_POLL === 0) await lookForNew();
      return;
    }
    const before = runs.find(({ name }) => name === recall("run"));
    await refresh().catch((problem) => {
      error.textContent = problem.message;
    });
    const now = runs.find(({ name }) => name === before?.name);
    if (!left && now && recall("run") === now.name && now.state !== before.state)
      showEvaluation(evaluation, now, refresh);
  }

  /** Show a run that has begun elsewhere. A server that does not answer is asked again later. */
  async function lookForNew() {
    const found = (await get("runs").catch(() => ({ runs }))).runs;
    if (left || JSON.stringify(found) === JSON.stringify(runs)) return;
    runs = found;
    chooseShown();
    show();
  }

  onAddress();
  const stopFollowing = repeat(POLL, followTrainings);
  return {
    onAddress,
    again: onAddress,
    leave() {
      left = true;
      stopFollowing();
    },
  };
}

/** Of runs with class weights, validation is the mean recall; "" if there are none. */
function recallNote(runs) {
  const names = runs.filter((run) => run.validated_by === "mean recall").map(({ name }) => name);
  return names.length ? `Validation is the mean recall of all classes in ${names.join(", ")}.` : "";
}

function tableHead() {
  const compare = h("span", { class: "visually-hidden" }, "compare");
  const cells = [{ title: compare }, { title: "run" }, ...COLUMNS].map((column) =>
    h("th", { class: numberClass(column), scope: "col" }, column.title),
  );
  return h("thead", {}, h("tr", {}, ...cells));
}

/** The sentence that stands in place of an empty table. */
function emptyText(isReadOnly) {
  if (isReadOnly) return ["No runs yet."];
  const link = h("a", { href: "#train" }, "Train a network");
  return ["No runs yet. ", link, ", and its run appears here."];
}

function tableRow(name, { open, toggle }) {
  const checkbox = h("input", {
    type: "checkbox",
    "aria-label": `curves of ${name}`,
    onchange: () => toggle(name),
  });
  const button = h("button", { onclick: () => open(name) }, name);
  const cells = COLUMNS.map((column) => h("td", { class: numberClass(column) }));
  const element = h("tr", {}, h("td", {}, checkbox), h("td", {}, button), ...cells);

  function update(run, position) {
    element.toggleAttribute("data-selected", name === recall("run"));
    checkbox.hidden = !run.network;
    checkbox.checked = position >= 0;
    checkbox.style.setProperty("--own", COLORS[Math.max(0, position) % COLORS.length]);
    cells[STATE_COLUMN].className = `state ${run.state}`;
    for (const [i, column] of COLUMNS.entries()) cells[i].textContent = cellText(run, column);
  }

  /** Mark the cells of the settings that differ between the compared runs. */
  function mark(differing) {
    for (const [i, { setting }] of COLUMNS.entries())
      cells[i].classList.toggle("differs", setting in differing);
  }

  return { element, update, mark };
}

/**
 * The settings that differ between runs: name → a value for each run. The other fields of recipes
 * count only if all runs have the same network and recipe: otherwise most of them differ.
 */
function differences(runs) {
  const known = runs.filter(({ settings }) => settings);
  const named = differingFields(known.map(({ settings }) => settings));
  if ("network" in named || "recipe" in named) return named;
  return { ...differingFields(known.map((run) => run.recipe_fields)), ...named };
}

function differingFields(documents) {
  const names = Object.keys(documents[0] ?? {});
  const values = names.map((name) => [name, documents.map((each) => shownValue(each[name]))]);
  return Object.fromEntries(values.filter(([, each]) => new Set(each).size > 1));
}

const shownValue = (value) =>
  value === null ? "none" : typeof value === "object" ? JSON.stringify(value) : String(value);

function sentence(runs, differing) {
  if (runs.length < 2) return "";
  const parts = Object.entries(differing).map(
    ([name, values]) => `${name} ${[...new Set(values)].join(" / ")}`,
  );
  if (!parts.length) return "The checked runs have the same settings.";
  return `They differ in: ${parts.join(", ")}.`;
}
