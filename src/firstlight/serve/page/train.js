// The view Train: start a training or watch one; its curves, weights and predictions change.

import { recall, remember } from "./address.js";
import { costAndAccuracy, drawCurves, shortNumber } from "./curves.js";
import { accuracyText, errorLine, field, h, integer, largeNumber, percent, repeat } from "./dom.js";
import { duration, secondsLeft } from "./duration.js";
import { trainingForm } from "./form.js";
import { graphs } from "./graphs.js";
import { decode, mapPictures } from "./pixels.js";
import { samples } from "./samples.js";
import { about, get, post, runPath } from "./server.js";

const POLL = 500; // milliseconds between two requests about a run that is training
const LIST_POLL = 3000; // and about all runs: one may begin
const SLOW_POLL = 5000; // and about one that is not: the command line may continue it
const COLORS = ["var(--line1)", "var(--line2)"];
const OUTPUT_LINES = 4;
const WATCH_SAMPLES = "Watch 100 test images";
const NO_SAMPLES =
  "Photographs are not shown here. Those that the run gets wrong are among its mistakes.";
const MEAN_RECALL =
  "In this run each class counts alike: the validation curve is the mean recall, the mean of the " +
  "shares of each class's images that are right.";
const STOPPED =
  "The training is stopped and its checkpoint is written. Continue goes on from there.";
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
  const form = trainingForm(startTraining);
  const watched = h("select", { onchange: choose });
  const offer = h("p", { role: "status" });
  const error = errorLine();
  const runView = h("div", { class: "stack" });
  const note = h("p", { class: "note" });

  page.append(
    form.element,
    h(
      "section",
      { class: "card stack" },
      h("div", { class: "tools" }, field("watch a run", watched)),
      note,
      offer,
      error,
    ),
    runView,
  );

  let stopWatching = () => {};
  let names = null; // of the runs in the list
  let isChosen = false; // whether the user has chosen a run, or none
  let hasBegun = false; // whether the server has said what it offers
  let addressIsRead = false;
  let left = false;

  async function startTraining(question) {
    const { name } = await post("trainings", question);
    if (left) return; // the user chose another view; the training goes on
    showNames([name, ...(names ?? [])]);
    watch(name);
    runView.scrollIntoView({ block: "start" });
  }

  function watch(name) {
    stopWatching();
    watched.value = name;
    remember({ run: name });
    runView.replaceChildren();
    stopWatching = name ? watchRun(runView, name) : () => {};
  }

  function choose() {
    isChosen = true;
    offer.replaceChildren();
    watch(watched.value);
  }

  /** Put the runs into the list; an open list that is as it was stays open. */
  function showNames(now) {
    if (names?.join("/") === now.join("/")) return;
    const shown = watched.value;
    const options = now.map((name) => h("option", { value: name }, name));
    watched.replaceChildren(h("option", { value: "" }, "none"), ...options);
    watched.value = now.includes(shown) ? shown : "";
    names = now;
  }

  /** Follow the newest run that is training, or offer it to somebody who looks at another run. */
  function follow(runs) {
    const training = runs.filter(isTraining);
    const isFollowed = training.some(({ name }) => name === watched.value);
    if (!training.length || isFollowed) offer.replaceChildren();
    else if (watched.value || isChosen) offerRun(training[0].name);
    else watch(training[0].name);
  }

  function offerRun(name) {
    const text = `Watch ${name}`;
    if (offer.querySelector("button")?.textContent === text) return; // it keeps its focus
    const button = h("button", { onclick: () => chooseRun(name) }, text);
    offer.replaceChildren("A training is running: ", button);
  }

  function chooseRun(name) {
    watched.value = name;
    choose();
  }

  /** Ask for the runs. While a run is watched, that part says that the server does not answer. */
  async function refresh() {
    try {
      const { runs } = await get("runs");
      if (left) return;
      showNames(runs.map(({ name }) => name));
      if (!addressIsRead) watch(names.includes(recall("run")) ? recall("run") : "");
      addressIsRead = true;
      follow(runs);
      error.textContent = "";
      await begin();
    } catch (problem) {
      error.textContent = watched.value ? "" : problem.message;
    }
  }

  function onAddress() {
    addressIsRead = false;
    return refresh();
  }

  /** Show what the server offers, once. */
  async function begin() {
    const server = await about();
    if (hasBegun) return;
    hasBegun = true;
    form.element.hidden = server.read_only;
    note.textContent = server.read_only ? READ_ONLY : "";
    if (server.read_only) return;
    form.begin(server).catch(({ message }) => form.showProblem(message));
  }

  begin().catch(() => {}); // `refresh` tries again, and says what is wrong
  const stopRefreshing = repeat(LIST_POLL, refresh);
  return {
    onAddress,
    again: refresh,
    leave() {
      left = true;
      stopRefreshing();
      stopWatching();
    },
  };
}

const isTraining = ({ state }) => state === "running" || state === "elsewhere";

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
  const watchSamples = h("button", { onclick: startSamples }, WATCH_SAMPLES);
  const samplesTools = h("div", { class: "tools" }, watchSamples);
  const tests = samples();
  const samplesNote = h("p", { class: "quiet" });
  const accuracyNote = h("p", { class: "quiet" });
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
      h("section", { class: "card" }, h("h2", {}, "Accuracy"), accuracyNote, accuracies),
      h("section", { class: "card" }, h("h2", {}, "Weights of the first layer"), weights),
      h(
        "section",
        { class: "card stack" },
        h("h2", {}, "Test images"),
        samplesTools,
        samplesNote,
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
    stop.hidden = isReadOnly || !isTraining(run);
    stop.disabled = stopping;
    resume.hidden = isReadOnly || run.state !== "stopped" || failed;
    resume.disabled = false;
    numbers.replaceChildren(...runNumbers(lines, run));
    accuracyNote.textContent = run.validated_by === "mean recall" ? MEAN_RECALL : "";
    if (run.pictures) {
      samplesTools.hidden = true;
      samplesNote.textContent = NO_SAMPLES;
    }
    const wasStopped = run.state === "stopped" && job?.exit_code === EXIT_INTERRUPTED;
    const printed = wasStopped ? [STOPPED] : (job?.output ?? []).slice(-OUTPUT_LINES);
    output.textContent = printed.join("\n");
  }

  function showCurves() {
    const curves = costAndAccuracy(lines, COLORS);
    drawCurves(costs, "Cost", curves.costs, { log: true, format: shortNumber });
    drawCurves(accuracies, "Accuracy", curves.accuracies, {
      format: accuracyText,
      isFraction: true,
    });
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
    samplesNote.textContent = "";
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
      samplesNote.textContent = problem.message;
      watchSamples.textContent = WATCH_SAMPLES;
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
  const seconds = run.state === "done" ? run.seconds : lines.at(-1)?.seconds;
  const remaining = secondsLeft(lines, run.total_steps);
  const texts = {
    step: run.total_steps ? `${step} of ${integer(run.total_steps)}` : step,
    cost: lines.length ? shortNumber(cost) : "–",
  };
  if (seconds) texts[run.state === "done" ? "time" : "time so far"] = duration(seconds);
  if (!ENDED.includes(run.state) && remaining !== null)
    texts["time left, about"] = duration(remaining);
  const isRecall = run.validated_by === "mean recall";
  const keepsLast = run.recipe_fields?.keep === "last" && !run.settings.patience; // as `train` does
  const measured = isRecall ? "mean recall on validation" : "validation accuracy";
  if (validation.length)
    texts[keepsLast ? measured : `best ${measured}`] = keepsLast
      ? percent(validation.at(-1), 2)
      : percent(Math.max(...validation), 2);
  if (run.accuracy) texts["test accuracy"] = percent(run.accuracy, 2);
  return Object.entries(texts).map(([label, text]) =>
    largeNumber(label, h("b", { class: "big" }, text)),
  );
}
