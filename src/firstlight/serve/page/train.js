// The view Train: start a training, or follow one; see its curves, weights and answers change.

import { recall, remember } from "./address.js";
import { costAndAccuracy, drawCurves, short } from "./curves.js";
import { accuracy, every, h, percent } from "./dom.js";
import { graphs } from "./graphs.js";
import { maps } from "./pixels.js";
import { samples } from "./samples.js";
import { about, get, post } from "./server.js";

const LOOK = 500; // milliseconds between two questions about a run that is going on
const GLANCE = 5000; // and about one that is not: the command line may go on with it
const COLORS = ["var(--line1)", "var(--line2)"];

export function enter(page) {
  const network = h("select", { onchange: () => recipes() }), recipe = h("select");
  const count = h("input", { type: "number", min: 1, max: 1000000, placeholder: "as it is", "aria-label": "how long" });
  const unit = h("select", { "aria-label": "unit" }, h("option", { value: "epochs" }, "passes"), h("option", { value: "steps" }, "steps"));
  const seed = h("input", { type: "number", min: 0, value: 0 });
  const start = h("button", { class: "main", onclick: begin }, "Train");
  const error = h("p", { class: "error", role: "alert" });
  const field = (name, input) => h("label", { class: "field" }, name, input);
  const following = h("select", { onchange: () => follow(following.value) });
  const place = h("div", { class: "stack" });

  page.append(
    h("section", { class: "card stack" },
      h("div", { class: "tools" }, field("network", network), field("recipe", recipe), field("for", count), field("of", unit), field("seed", seed), start),
      error, h("div", { class: "tools" }, field("or follow a run", following))),
    place);

  let known = [], forget = () => {}, left = false;

  function recipes() {
    const { recipes } = known.find(({ name }) => name === network.value);
    recipe.replaceChildren(...recipes.map((name) => h("option", {}, name)));
  }

  async function begin() {
    error.textContent = "";
    start.disabled = true;
    const wanted = { network: network.value, recipe: recipe.value, seed: Number(seed.value) };
    if (count.value) wanted[unit.value] = Number(count.value);
    try {
      const { name } = await post("trainings", wanted);
      if (left) return; // another view is shown by now; the training goes on
      following.prepend(h("option", { value: name }, name));
      follow(name);
    } catch (problem) {
      error.textContent = problem.message;
    }
    start.disabled = false;
  }

  function follow(name) {
    forget();
    following.value = name;
    remember({ run: name });
    place.replaceChildren();
    forget = name ? watch(place, name) : () => {};
  }

  async function readdress() {
    const { runs } = await get("runs");
    if (left) return;
    const names = runs.map(({ name }) => name);
    following.replaceChildren(h("option", { value: "" }, "none"), ...names.map((name) => h("option", { value: name }, name)));
    const going = runs.find(({ state }) => state === "running" || state === "elsewhere");
    follow(names.includes(recall("run")) ? recall("run") : going?.name ?? "");
  }

  about().then(({ networks, trains }) => {
    known = networks;
    network.replaceChildren(...networks.map(({ name }) => h("option", {}, name)));
    recipes();
    start.disabled = !trains;
    if (!trains) error.textContent = "TensorFlow is not installed here: pip install 'firstlight[train]'";
  }, (problem) => (error.textContent = problem.message));
  readdress().catch((problem) => (error.textContent = problem.message));
  return { readdress, leave: () => ((left = true), forget()) };
}

/** Follows a run until it is done; returns how to stop looking. */
function watch(place, name) {
  const path = `runs/${encodeURIComponent(name)}`;
  const state = h("b"), progress = h("progress", { max: 1, value: 0, "aria-label": "how far it is" });
  const stop = h("button", { onclick: () => act("stop") }, "Stop");
  const goOn = h("button", { onclick: () => act("resume") }, "Continue");
  const said = h("pre"), error = h("p", { class: "error", role: "alert" }), unheard = h("p", { class: "error", role: "alert" });
  const graph = h("section", { class: "card", hidden: true }, h("h2", {}, "Graph"));
  const costs = h("div"), accuracies = h("div"), weights = h("div", { class: "maps" });
  const tests = samples(), look = h("button", { onclick: () => ((looking = true), (stamp = 0), answers()) }, "Watch a hundred test images");
  const numbers = h("div", { class: "numbers" });
  place.append(
    h("section", { class: "card stack" }, h("div", { class: "tools" }, h("h2", {}, name), state, stop, goOn,
      h("a", { href: `#inside?run=${encodeURIComponent(name)}` }, "look inside"), h("a", { href: `#runs?run=${encodeURIComponent(name)}` }, "what it got wrong")),
      progress, numbers, error, unheard, said),
    h("div", { class: "columns" },
      h("section", { class: "card" }, h("h2", {}, "Cost"), costs), h("section", { class: "card" }, h("h2", {}, "Accuracy"), accuracies),
      h("section", { class: "card" }, h("h2", {}, "First weights"), weights),
      h("section", { class: "card stack" }, h("h2", {}, "Test images"), h("div", { class: "tools" }, look), tests.element)),
    graph);

  let lines = [], row = {}, stamp = 0, shown = 0, looking = false, drawn = false, answering = false, due = 0;

  async function act(work) {
    error.textContent = "";
    stop.disabled = goOn.disabled = true;
    await post(`${path}/${work}`).catch((problem) => (error.textContent = problem.message));
    due = 0;
  }

  async function ask() {
    const more = await get(`${path}/metrics?after=${lines.length}`);
    lines = [...lines.slice(0, more.from), ...more.lines];
    if (more.lines.length || !drawn) curves();
    row = more.row;
    status(more.job);
    if (row.network && graph.hidden) graph.append(graphs(row.network));
    graph.hidden = !row.network;
    if (lines.length) await first();
    if (looking) answers();
  }

  const going = () => !["done", "stopped", "damaged", "failed"].includes(row.state);

  function status(job) {
    const last = lines.at(-1)?.step ?? 0, names = { running: "training", elsewhere: "training (started elsewhere)", done: "done", stopped: "stopped" };
    const failed = row.state === "stopped" && job?.kind === "train" && job.code && job.code !== 130;
    const stopping = row.state === "running" && job?.stopping;
    state.textContent = stopping ? "writing a checkpoint …" : row.state === "running" && !lines.length ? "TensorFlow is starting …"
      : failed ? "failed" : names[row.state] ?? row.state;
    progress.value = row.state === "done" ? 1 : last / (row.total || last || 1);
    stop.hidden = row.state !== "running";
    goOn.hidden = row.state !== "stopped" || failed;
    stop.disabled = stopping;
    goOn.disabled = false;
    const best = lines.filter(({ split }) => split === "val").map(({ accuracy }) => accuracy);
    const facts = [["step", last.toLocaleString("en") + (row.total ? ` of ${row.total.toLocaleString("en")}` : "")],
      ["cost", lines.length ? short(lines.findLast(({ split }) => split === "train")?.loss ?? 0) : "–"],
      ...(best.length ? [["best on validation", percent(Math.max(...best), 2)]] : []),
      ...(row.accuracy ? [["test accuracy", percent(row.accuracy, 2)]] : [])];
    numbers.replaceChildren(...facts.map(([what, value]) => h("div", {}, h("span", {}, what), h("b", { class: "big" }, value))));
    said.textContent = (job?.said ?? []).slice(-4).join("\n");
  }

  function curves() {
    const found = costAndAccuracy(lines, COLORS);
    drawCurves(costs, "Cost", found.costs, { log: true, format: short });
    drawCurves(accuracies, "Accuracy", found.accuracies, { format: accuracy });
    drawn = true;
  }

  async function first() {
    const told = await get(`${path}/weights`).catch(() => null);
    if (!told || told.stamp === shown) return;
    shown = told.stamp;
    weights.classList.toggle("ten", told.shape[0] === 10);
    weights.style.setProperty("--size", told.shape[1] > 12 ? "60px" : "40px");
    weights.replaceChildren(...maps(told, (i) => `filter ${i + 1}`));
  }

  async function answers() {
    if (answering || (stamp && stamp === shown)) return;
    answering = true;
    look.textContent = stamp ? look.textContent : "TensorFlow is starting …";
    try {
      const told = await post(`${path}/samples`);
      stamp = shown || told.stamp;
      tests.show(told);
      look.hidden = true;
    } catch (problem) {
      error.textContent = problem.message;
      looking = false;
    }
    answering = false;
  }

  return every(LOOK, async () => {
    if (performance.now() < due) return;
    due = performance.now() + GLANCE; // a click meanwhile makes it now
    await ask().then(() => (unheard.textContent = ""), (problem) => (unheard.textContent = problem.message));
    if (going()) due = 0;
  });
}
