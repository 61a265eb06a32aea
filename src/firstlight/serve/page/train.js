// The view Train: start a training or watch one; its curves, weights and predictions change.

import { recall, remember } from "./address.js";
import { costAndAccuracy, drawCurves, shortNumber } from "./curves.js";
import { accuracyText, errorLine, field, h, integer, largeNumber, percent, repeat } from "./dom.js";
import { graphs } from "./graphs.js";
import { decode, mapPictures } from "./pixels.js";
import { samples } from "./samples.js";
import { about, get, post, runPath } from "./server.js";

const POLL = 500; // milliseconds between two requests about a run that is training
const SLOW_POLL = 5000; // and about one that is not: the command line may continue it
const COLORS = ["var(--line1)", "var(--line2)"];
const OUTPUT_LINES = 4;
const EXIT_INTERRUPTED = 130;
const READ_ONLY =
  "This server is read-only: here you watch trainings, and cannot start, stop or continue them.";
const ENDED = ["done", "stopped", "damaged", "failed"];
const STATES = {
  running: "training",
  elsewhere: "training (started elsewhere)",
  done: "done",
  stopped: "stopped",
  damaged: "damaged",
  failed: "failed",
};

export function enter(page) {
  const network = h("select", { onchange: showRecipes });
  const recipe = h("select");
  const length = h("input", { type: "number", min: 1, max: 1000000, placeholder: "default" });
  const unit = h(
    "select",
    {},
    h("option", { value: "epochs" }, "epochs"),
    h("option", { value: "steps" }, "steps"),
  );
  const seed = h("input", { type: "number", min: 0, value: 0 });
  const start = h("button", { class: "main", onclick: startTraining }, "Train");
  const error = errorLine();
  const watched = h("select", { onchange: () => watch(watched.value) });
  const runView = h("div", { class: "stack" });
  const form = h(
    "div",
    { class: "tools" },
    field("network", network),
    field("recipe", recipe),
    field("length", length),
    field("unit", unit),
    field("seed", seed),
    start,
  );
  const note = h("p", { class: "note" });

  page.append(
    h(
      "section",
      { class: "card stack" },
      form,
      note,
      error,
      h("div", { class: "tools" }, field("watch a run", watched)),
    ),
    runView,
  );

  let networks = [];
  let stopWatching = () => {};
  let left = false;

  function showRecipes() {
    const { recipes } = networks.find(({ name }) => name === network.value);
    recipe.replaceChildren(...recipes.map((name) => h("option", {}, name)));
  }

  async function startTraining() {
    error.textContent = "";
    start.disabled = true;
    const question = {
      network: network.value,
      recipe: recipe.value,
      seed: Number(seed.value),
    };
    if (length.value) question[unit.value] = Number(length.value);
    try {
      const { name } = await post("trainings", question);
      if (left) return; // the user chose another view; the training goes on
      watched.prepend(h("option", { value: name }, name));
      watch(name);
    } catch (problem) {
      error.textContent = problem.message;
    }
    start.disabled = false;
  }

  function watch(name) {
    stopWatching();
    watched.value = name;
    remember({ run: name });
    runView.replaceChildren();
    stopWatching = name ? watchRun(runView, name) : () => {};
  }

  async function onAddress() {
    const { runs } = await get("runs");
    if (left) return;
    const names = runs.map(({ name }) => name);
    const options = names.map((name) => h("option", { value: name }, name));
    watched.replaceChildren(h("option", { value: "" }, "none"), ...options);
    const training = runs.find(({ state }) => state === "running" || state === "elsewhere");
    watch(names.includes(recall("run")) ? recall("run") : (training?.name ?? ""));
  }

  async function showNetworks() {
    const server = await about();
    networks = server.networks;
    network.replaceChildren(...networks.map(({ name }) => h("option", {}, name)));
    showRecipes();
    form.hidden = server.read_only;
    note.textContent = server.read_only ? READ_ONLY : "";
    start.disabled = !server.can_train;
    if (!server.can_train && !server.read_only)
      error.textContent = "TensorFlow is not installed here: pip install 'firstlight[train]'";
  }

  function showProblem(problem) {
    error.textContent = problem.message;
  }

  showNetworks().catch(showProblem);
  onAddress().catch(showProblem);
  return {
    onAddress,
    leave() {
      left = true;
      stopWatching();
    },
  };
}

/** Watches a run; returns a function that ends the watching. */
function watchRun(element, name) {
  const path = runPath(name);
  const query = `run=${encodeURIComponent(name)}`;
  const state = h("b");
  const progress = h("progress", { max: 1, value: 0, "aria-label": "training progress" });
  const stop = h("button", { onclick: () => act("stop") }, "Stop");
  const resume = h("button", { onclick: () => act("resume") }, "Continue");
  const output = h("pre");
  const error = errorLine();
  const connectionError = errorLine();
  const numbers = h("div", { class: "numbers" });
  const costs = h("div");
  const accuracies = h("div");
  const weights = h("div", { class: "maps" });
  const watchSamples = h("button", { onclick: startSamples }, "Watch 100 test images");
  const samplesTools = h("div", { class: "tools" }, watchSamples);
  const tests = samples();
  const graph = h("section", { class: "card", hidden: true }, h("h2", {}, "Graph"));

  element.append(
    h(
      "section",
      { class: "card stack" },
      h(
        "div",
        { class: "tools" },
        h("h2", {}, name),
        state,
        stop,
        resume,
        h("a", { href: `#inside?${query}` }, "look inside"),
        h("a", { href: `#runs?${query}` }, "mistakes"),
      ),
      progress,
      numbers,
      error,
      connectionError,
      output,
    ),
    h(
      "div",
      { class: "columns" },
      h("section", { class: "card" }, h("h2", {}, "Cost"), costs),
      h("section", { class: "card" }, h("h2", {}, "Accuracy"), accuracies),
      h("section", { class: "card" }, h("h2", {}, "Weights of the first layer"), weights),
      h(
        "section",
        { class: "card stack" },
        h("h2", {}, "Test images"),
        samplesTools,
        tests.element,
      ),
    ),
    graph,
  );

  let lines = []; // of the run's metrics
  let run = {}; // its summary
  let curvesAreDrawn = false;
  let weightsVersion = 0; // when the weights that are shown were written
  let samplesVersion = 0; // when the weights were written that the shown predictions are from
  let samplesAreWatched = false;
  let samplesAreRequested = false;
  let nextPoll = 0; // the time of the next request, on the clock of performance.now()

  async function act(action) {
    error.textContent = "";
    stop.disabled = resume.disabled = true;
    await post(`${path}/${action}`).catch((problem) => {
      error.textContent = problem.message;
    });
    nextPoll = 0;
  }

  async function update() {
    const answer = await get(`${path}/metrics?after=${lines.length}`);
    lines = [...lines.slice(0, answer.start), ...answer.lines];
    if (answer.lines.length || !curvesAreDrawn) showCurves();
    run = answer.summary;
    showState(answer.job, (await about()).read_only);
    if (run.network && graph.hidden) graph.append(graphOf(run.network));
    graph.hidden = !run.network;
    if (lines.length) await showWeights();
    if (samplesAreWatched) showSamples();
  }

  function showState(job, isReadOnly) {
    const lastStep = lines.at(-1)?.step ?? 0;
    const exitedWithError = job?.exit_code && job.exit_code !== EXIT_INTERRUPTED;
    const failed = run.state === "stopped" && job?.kind === "train" && exitedWithError;
    const stopping = run.state === "running" && job?.stopping;
    state.textContent = STATES[run.state];
    if (run.state === "running" && !lines.length) state.textContent = "TensorFlow is starting …";
    if (stopping) state.textContent = "writing a checkpoint …";
    if (failed) state.textContent = STATES.failed;
    progress.value = run.state === "done" ? 1 : lastStep / (run.total_steps || lastStep || 1);
    stop.hidden = isReadOnly || run.state !== "running";
    stop.disabled = stopping;
    resume.hidden = isReadOnly || run.state !== "stopped" || failed;
    resume.disabled = false;
    numbers.replaceChildren(...runNumbers(lines, run));
    output.textContent = (job?.output ?? []).slice(-OUTPUT_LINES).join("\n");
  }

  function showCurves() {
    const curves = costAndAccuracy(lines, COLORS);
    drawCurves(costs, "Cost", curves.costs, { log: true, format: shortNumber });
    drawCurves(accuracies, "Accuracy", curves.accuracies, { format: accuracyText });
    curvesAreDrawn = true;
  }

  async function showWeights() {
    const answer = await get(`${path}/weights`).catch(() => null); // there may be none yet
    if (!answer || answer.modified === weightsVersion) return;
    weightsVersion = answer.modified;
    weights.classList.toggle("ten", answer.shape[0] === 10);
    weights.style.setProperty("--size", answer.shape[1] > 12 ? "60px" : "40px");
    weights.replaceChildren(...mapPictures(answer, (i) => `filter ${i + 1}`));
  }

  function startSamples() {
    samplesAreWatched = true;
    samplesVersion = 0;
    showSamples();
  }

  async function showSamples() {
    const isCurrent = samplesVersion && samplesVersion === weightsVersion;
    if (samplesAreRequested || isCurrent) return;
    samplesAreRequested = true;
    if (!samplesVersion) watchSamples.textContent = "TensorFlow is starting …";
    try {
      const answer = await post(`${path}/samples`);
      samplesVersion = weightsVersion || answer.modified;
      tests.show({ ...answer, images: decode(answer.images) });
      samplesTools.hidden = true;
    } catch (problem) {
      error.textContent = problem.message;
      samplesAreWatched = false;
    }
    samplesAreRequested = false;
  }

  async function poll() {
    if (performance.now() < nextPoll) return;
    nextPoll = performance.now() + SLOW_POLL; // `act` resets it while the answer is awaited
    try {
      await update();
      connectionError.textContent = "";
    } catch (problem) {
      connectionError.textContent = problem.message;
    }
    if (!ENDED.includes(run.state)) nextPoll = 0;
  }

  return repeat(POLL, poll);
}

const graphOf = (network) => graphs(network, () => post("graph", { network }));

function runNumbers(lines, run) {
  const step = integer(lines.at(-1)?.step ?? 0);
  const cost = lines.findLast(({ split }) => split === "train")?.loss ?? 0;
  const validation = lines.filter(({ split }) => split === "val").map(({ accuracy }) => accuracy);
  const texts = {
    step: run.total_steps ? `${step} of ${integer(run.total_steps)}` : step,
    cost: lines.length ? shortNumber(cost) : "–",
  };
  if (validation.length) texts["best validation accuracy"] = percent(Math.max(...validation), 2);
  if (run.accuracy) texts["test accuracy"] = percent(run.accuracy, 2);
  return Object.entries(texts).map(([label, text]) =>
    largeNumber(label, h("b", { class: "big" }, text)),
  );
}
