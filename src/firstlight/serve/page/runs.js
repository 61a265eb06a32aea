// The view Runs: all trainings in a table, their curves over one another, and what each got wrong.

import { recall, remember } from "./address.js";
import { confusion } from "./confusion.js";
import { costAndAccuracy, drawCurves, short } from "./curves.js";
import { accuracy, h, percent } from "./dom.js";
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

  const lines = new Map(); // by name; they stay where they are, and with them the focus

  function show() {
    const there = rows.map((run) => {
      if (!lines.has(run.name)) lines.set(run.name, line(run.name));
      lines.get(run.name).update(run);
      return lines.get(run.name).element;
    });
    if (!rows.length) there.push(h("tr", {}, h("td", { colspan: 10 }, "No runs yet. ", h("a", { href: "#train" }, "Train a network"), " and it will be here.")));
    if (there.length !== table.children.length || there.some((element, i) => element !== table.children[i])) table.replaceChildren(...there);
    overlay();
  }

  function line(name) {
    const box = h("input", { type: "checkbox", "aria-label": `curves of ${name}`, onchange: () => toggle(name) });
    const told = head.slice(2).map(([, kind]) => h("td", { class: kind }));
    const element = h("tr", {}, h("td", {}, box), h("td", {}, h("button", { onclick: () => open(name) }, name)), ...told);
    const number = (value, format) => (value === null || value === undefined ? "–" : format(value));
    return { element, update(run) {
      const place = shown.indexOf(name);
      element.toggleAttribute("data-chosen", name === recall("run"));
      [box.hidden, box.checked] = [!run.network, place >= 0];
      box.style.setProperty("--own", COLORS[Math.max(0, place) % COLORS.length]);
      told[2].className = `state ${run.state}`;
      [run.network ?? "", run.data ?? "", STATES[run.state], number(run.steps, (v) => v.toLocaleString("en")), number(run.final_cost, short),
        number(run.accuracy, (v) => percent(v, 2)), number(run.seconds, (v) => v.toFixed(1)), number(run.seed, String)]
        .forEach((text, i) => told[i].textContent !== text && (told[i].textContent = text));
    } };
  }

  function toggle(name) {
    shown = shown.includes(name) ? shown.filter((other) => other !== name) : [...shown, name];
    remember({ show: shown.join(",") || "none" });
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
    drawCurves(accuracies, "Accuracy", found.flatMap((each) => each.accuracies), { format: accuracy });
  }

  function open(name) {
    remember({ run: name, label: "", predicted: "" });
    for (const [other, { element }] of lines) element.toggleAttribute("data-chosen", other === name);
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
