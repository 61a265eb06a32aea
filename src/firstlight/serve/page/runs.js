// The view Runs: all trainings in a table, their curves over one another, and what each got wrong.

import { recall, remember } from "./address.js";
import { confusion } from "./confusion.js";
import { costAndAccuracy, drawCurves, short } from "./curves.js";
import { h, percent } from "./dom.js";
import { get } from "./server.js";

const COLORS = [1, 2, 3, 4, 5, 6].map((n) => `var(--line${n})`);
const STATES = { running: "training", elsewhere: "training", done: "done", stopped: "stopped", damaged: "damaged", failed: "failed" };

export function enter(page) {
  const table = h("tbody"), error = h("p", { class: "error", role: "alert" });
  const head = [["", ""], ["run", ""], ["network", ""], ["data", ""], ["state", ""], ["steps", "number"], ["cost", "number"], ["accuracy", "number"], ["seconds", "number"], ["seed", "number"]];
  const costs = h("div"), accuracies = h("div"), chosen = h("div", { class: "stack" });
  const curves = h("div", { class: "columns" },
    h("section", { class: "card" }, h("h2", {}, "Cost"), costs), h("section", { class: "card" }, h("h2", {}, "Accuracy"), accuracies));
  page.append(error, h("section", { class: "card wide" },
    h("table", {}, h("thead", {}, h("tr", {}, ...head.map(([name, kind]) => h("th", { class: kind, scope: "col" }, name)))), table)), curves, chosen);

  let rows = [], shown = [], asked = 0, left = false;

  function show() {
    table.replaceChildren(...rows.map(row));
    if (!rows.length) table.append(h("tr", {}, h("td", { colspan: 10 }, "No runs yet. ", h("a", { href: "#train" }, "Train a network"), " and it will be here.")));
    overlay();
  }

  function row(run) {
    const place = shown.indexOf(run.name);
    const box = h("input", { type: "checkbox", "aria-label": `curves of ${run.name}`, onchange: () => toggle(run.name) });
    box.checked = place >= 0;
    box.style.setProperty("--own", COLORS[Math.max(0, place) % COLORS.length]);
    const number = (value, format) => h("td", { class: "number" }, value === null || value === undefined ? "–" : format(value));
    return h("tr", { "data-chosen": run.name === recall("run") },
      h("td", {}, run.network ? box : ""), h("td", {}, h("button", { onclick: () => open(run.name) }, run.name)),
      h("td", {}, run.network ?? ""), h("td", {}, run.data ?? ""), h("td", { class: `state ${run.state}` }, STATES[run.state]),
      number(run.steps, (v) => v.toLocaleString("en")), number(run.final_cost, short), number(run.accuracy, (v) => percent(v, 2)),
      number(run.seconds, (v) => v.toFixed(1)), number(run.seed, String));
  }

  function toggle(name) {
    shown = shown.includes(name) ? shown.filter((other) => other !== name) : [...shown, name];
    remember({ show: shown.join(",") });
    show();
  }

  async function overlay() {
    const wanted = shown.filter((name) => rows.some((run) => run.name === name));
    curves.hidden = !wanted.length;
    const number = ++asked, problems = [];
    const all = await Promise.all(wanted.map((name) => get(`runs/${encodeURIComponent(name)}/metrics`).catch(({ message }) => {
      problems.push(`${name}: ${message}`);
      return { lines: [] };
    })));
    if (number !== asked) return; // others have been chosen meanwhile
    error.textContent = problems.join("; ");
    const found = all.map(({ lines }, i) => costAndAccuracy(lines, [COLORS[i % 6], COLORS[i % 6]], `${wanted[i]} `));
    drawCurves(costs, "Cost", found.flatMap((each) => each.costs), { log: true, format: short });
    drawCurves(accuracies, "Accuracy", found.flatMap((each) => each.accuracies), { format: (value) => percent(value, value > 0.98 ? 2 : 0) });
  }

  function open(name) {
    remember({ run: name, label: "", predicted: "" });
    for (const line of table.children) line.toggleAttribute("data-chosen", line.querySelector("button")?.textContent === name);
    confusion(chosen, rows.find((run) => run.name === name), refresh);
  }

  async function refresh() {
    rows = (await get("runs")).runs;
    if (!left) show();
    return rows;
  }

  async function readdress() {
    rows = (await get("runs")).runs;
    if (left) return;
    const wanted = recall("show").split(",").filter((name) => rows.some((run) => run.name === name));
    const first = rows.filter((run) => run.network).slice(0, 3).map(({ name }) => name);
    shown = recall("show") ? wanted : first;
    show();
    const run = rows.find(({ name }) => name === recall("run"));
    if (run) confusion(chosen, run, refresh);
    else chosen.replaceChildren();
  }

  readdress().catch((problem) => (error.textContent = problem.message));
  return { readdress, leave: () => (left = true) };
}
