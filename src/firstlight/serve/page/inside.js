// The view Look inside: what each layer of a network makes of a digit that the user draws.

import { recall, recallNumber, remember, wrong } from "./address.js";
import { bars, verdictLine } from "./answer.js";
import { classBars, pictureChoice } from "./classes.js";
import { errorLine, field, h } from "./dom.js";
import { DIGITS, examples } from "./drawings.js";
import { flow, INPUT, isOutputOf, layerPanel, mapPicture } from "./layers.js";
import { occlusionPanel } from "./occlusion.js";
import { Pad, padCanvas } from "./pad.js";
import { pictureProblem } from "./pictures.js";
import { decode, greyPicture } from "./pixels.js";
import { DECONVNET, NO_SWITCHES, NOTHING, projections, WEIGHTS } from "./projections.js";
import { Reader } from "./reader.js";
import { about, get, post, runPath } from "./server.js";
import { howToInstall } from "./tensorflow.js";
import { filters, weightsPicture } from "./weights.js";

const MAX_DIGITS = 100; // on a sheet
const NO_LAYERS = "This server cannot compute the layers of trained networks.";
const CLASSES_SHOWN = 12; // of a run on pictures, the most probable
const CHOOSE_PICTURE = "Choose a picture to see where the network looks.";
const OF_DIGITS = { image: "drawing", light: "ink" };
const OF_PICTURES = { image: "picture", light: "light" };
const NO_TENSORFLOW = "The layers of a network that you have trained need TensorFlow. ";

export function enter(page) {
  const canvas = padCanvas("Sheet to draw a digit on.");
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw a digit here.");
  const networkSelect = h("select", { onchange: () => chooseRun(networkSelect.value) });
  networkSelect.append(readerOption());
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Digits on the sheet" });
  const tries = examples(DIGITS, (ink) => draw(ink));
  const prediction = h("div");
  const error = errorLine();
  const linkError = errorLine(); // what is wrong in the address, until the user goes on
  for (const type of ["pointerdown", "keydown"])
    page.addEventListener(type, () => linkError.replaceChildren());
  const layers = h("section", { class: "layers" });

  const sheet = h(
    "div",
    { class: "stack" },
    h("div", { class: "sheet" }, canvas, hint),
    h(
      "div",
      { class: "tools" },
      h("button", { onclick: () => pad.undo() }, "Undo"),
      h("button", { onclick: () => pad.clear() }, "Clear"),
      chips,
    ),
    tries,
  );
  const choice = pictureChoice(openPicture);

  page.append(
    h(
      "section",
      { class: "stack" },
      field("network", networkSelect),
      sheet,
      choice.element,
      prediction,
    ),
    h("div", { class: "stack" }, error, linkError, layers),
  );

  let digits = []; // that were read on the sheet
  let classes = []; // of the reader
  let hasTensorflow = true; // without it, networks of runs cannot be computed here
  let isReadOnly = false; // its visitors cannot install anything
  let selected = 0; // the index of the digit whose layers are shown
  let shown = null; // { encoded, image, run, answer, weights, names } of the digit that is shown
  let pictureRuns = []; // the names of the runs that have learned from pictures
  let folders = {}; // of the runs, by name: as one types them in a shell
  let photos = null; // what the server says about the chosen run, if it is one of them
  let requests = 0;
  let projectionRequests = 0;
  let left = false;
  const pad = new Pad(canvas, (lifted) => {
    if (!lifted) return;
    remember({ ink: pad.text });
    reader.update();
  });
  const reader = new Reader(() => (pad.empty ? null : pad.pgm()), showDigits);

  function draw(ink) {
    pad.text = ink;
    remember({ ink });
    reader.update();
  }

  function showDigits(answer) {
    if (left || photos) return;
    hint.hidden = !pad.empty;
    tries.hidden = !pad.empty;
    digits = answer?.digits ?? [];
    selected = Math.min(selected, Math.max(0, digits.length - 1));
    chips.replaceChildren(...(digits.length > 1 ? digits.map(chip) : []));
    select(selected);
    if (answer?.error) error.textContent = answer.error;
  }

  function chip(digit, index) {
    const label = `digit ${index + 1}`;
    const shownDigit = greyPicture(decode(digit.image), 28);
    return h("button", { "aria-label": label, onclick: () => select(index) }, shownDigit);
  }

  async function select(index) {
    selected = index;
    remember({ digit: index || "" });
    for (const [i, button] of [...chips.children].entries())
      button.setAttribute("aria-pressed", i === index);
    requests += 1;
    const number = requests;
    const run = hasTensorflow ? recall("run") : "";
    try {
      if (digits.length) await lookInside(digits[index].image, run, number);
      else await showNothing(run, number);
    } catch (problem) {
      if (number === requests) error.textContent = problem.message;
    }
  }

  /** Show what a run on pictures makes of a file, or of its own picture of that number. */
  async function openPicture(picture) {
    requests += 1;
    const number = requests;
    const run = recall("run");
    const isFile = picture instanceof File;
    showNoAnswer();
    error.textContent = (isFile && pictureProblem(picture)) || "";
    if (error.textContent) return;
    prediction.replaceChildren(
      quiet("The network looks at the picture. TensorFlow may have to start …"),
    );
    try {
      const content = isFile ? picture : {};
      await answerPicture(content, run, { own: isFile ? "" : `picture=${picture}`, number });
    } catch (problem) {
      if (number !== requests) return;
      showNoAnswer();
      error.textContent = problem.message;
    }
  }

  async function answerPicture(content, run, { own, number }) {
    if (hasLayers(photos)) {
      const prepared = await post(`${runPath(run)}/prepare?${own}`, content);
      if (number === requests) await lookInside(prepared.image, run, number, prepared.classes);
      return;
    }
    const query = `run=${encodeURIComponent(run)}&top=${CLASSES_SHOWN}&${own}`;
    const { labels } = await post(`classify?${query}`, content);
    if (number !== requests) return;
    const [{ label, probability }] = labels;
    prediction.replaceChildren(verdictLine(label, probability), classBars(labels));
    layers.replaceChildren(explainInShell(folders[run]));
  }

  function showNoAnswer() {
    shown = null;
    prediction.replaceChildren();
    layers.replaceChildren();
  }

  /** Show the sheet, or for a run on pictures what to choose one with. */
  async function showInput(run) {
    requests += 1;
    const number = requests;
    showNoAnswer();
    error.textContent = "";
    const isOnPictures = hasTensorflow && pictureRuns.includes(run);
    const found = isOnPictures ? await get(`${runPath(run)}/pictures`) : null;
    if (number !== requests || left) return;
    photos = found;
    sheet.hidden = isOnPictures;
    choice.show(photos);
    if (!isOnPictures) reader.update();
    else if (!hasLayers(photos)) layers.append(explainInShell(folders[run]));
    else await showNothing(run, number);
  }

  async function lookInside(encoded, run, number, ownClasses = classes) {
    error.textContent = run && !photos && !layers.children.length ? "TensorFlow is starting …" : "";
    const request = { image: encoded, ...(run ? { run } : {}) };
    const answer = await post("occlusion", request);
    const weights = run ? await get(`${runPath(run)}/weights`).catch(() => null) : null;
    if (number !== requests) return;
    const count = answer.probabilities.length;
    const names =
      count === ownClasses.length ? ownClasses : Array.from({ length: count }, (_, i) => i);
    shown = { encoded, image: decode(encoded), run, answer, weights, names: names.map(String) };
    error.textContent = "";
    showPrediction();
    showLayers();
  }

  /** Without a digit: the weights of the run's first layer. */
  async function showNothing(run, number) {
    shown = null;
    error.textContent = "";
    prediction.replaceChildren();
    layers.replaceChildren(
      quiet(photos ? CHOOSE_PICTURE : "Draw a digit to see where the network looks."),
      ...howToGoOn(),
    );
    if (!run) return;
    const weights = await get(`${runPath(run)}/weights`).catch(() => null); // it may have none yet
    if (weights && number === requests)
      layers.append(h("article", { class: "card layer" }, filters(weights, words())));
  }

  /** What to do to see layers. */
  function howToGoOn() {
    if (!hasTensorflow && isReadOnly) return [quiet(NO_LAYERS)];
    if (!hasTensorflow) return [quiet(NO_TENSORFLOW, ...howToInstall())];
    if (recall("run"))
      return shown
        ? [
            quiet(
              `Choose a layer above to see what it makes of the ${photos ? "picture" : "digit"}.`,
            ),
          ]
        : [];
    if (networkSelect.options.length > 1)
      return [quiet("Choose a run as the network to see what each of its layers makes of it.")];
    const link = h("a", { href: "#train" }, "Train a network");
    return [quiet(link, " to see what each of its layers makes of it.")];
  }

  const words = () => (photos ? OF_PICTURES : OF_DIGITS);

  const predictedName = () => {
    const { probabilities } = shown.answer;
    return shown.names[probabilities.indexOf(Math.max(...probabilities))];
  };

  function showPrediction() {
    const { probabilities } = shown.answer;
    const line = verdictLine(predictedName(), Math.max(...probabilities));
    if (!photos) {
      prediction.replaceChildren(line, bars({ probabilities }, shown.names));
      return;
    }
    const labels = shown.names
      .map((label, i) => ({ label, probability: probabilities[i] }))
      .sort((one, other) => other.probability - one.probability);
    prediction.replaceChildren(line, classBars(labels.slice(0, CLASSES_SHOWN)));
  }

  /** Show the layer that the address names. The button that has the focus keeps it. */
  function showLayers() {
    const all = shown.answer.layers;
    const key = document.activeElement?.dataset.key;
    const name = all.some((layer) => layer.name === recall("layer")) ? recall("layer") : INPUT;
    const row = all.length ? [flow(all, name, chooseLayer)] : [];
    if (name === INPUT) {
      const panel = occlusionPanel(
        shown.image,
        shown.answer,
        predictedName(),
        photos ? "black" : "blank",
      );
      layers.replaceChildren(...row, panel, ...howToGoOn());
    } else {
      layers.replaceChildren(...row, openLayer(name));
    }
    if (key !== undefined) layers.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  function chooseLayer(name) {
    remember({ layer: name, map: "" });
    showLayers();
  }

  function openLayer(name) {
    const map = recall("map") === "" ? null : Number(recall("map"));
    const onMap = async (number) => {
      remember({ map: number });
      await showProjections(name, number, panel.detail);
      const { top } = panel.detail.getBoundingClientRect();
      if (top > 0.8 * innerHeight) panel.detail.scrollIntoView(); // on a phone it is below the maps
    };
    const { image, names, weights, answer } = shown;
    const drawn = { image, classes: names, weights, map, words: words() };
    const panel = layerPanel(answer.layers, name, drawn, { onLayer: chooseLayer, onMap });
    if (map !== null && map !== panel.map) {
      linkError.textContent = wrong("map", `a map of ${name}`, panel.map);
      remember({ map: "" });
    }
    showProjections(name, panel.map, panel.detail);
    return panel.element;
  }

  async function showProjections(name, number, detail) {
    projectionRequests += 1;
    const request = projectionRequests;
    const { encoded, run, answer } = shown;
    const layer = answer.layers.find((each) => each.name === name);
    if (!detail.children.length) detail.append(quiet("Searching images that activate it …"));
    detail.setAttribute("aria-busy", "true");
    const described = describe(layer, number);
    const asked = { image: encoded, run, layer: name, number };
    const found = await post("projections", asked).catch((problem) => ({ error: problem.message }));
    if (request !== projectionRequests || left) return;
    detail.removeAttribute("aria-busy");
    const children = found.error ? [quiet(found.error)] : projections(found, described);
    detail.replaceChildren(...children);
  }

  /** What `projections` is told about a map or a neuron. */
  function describe(layer, number) {
    const { answer, names, weights } = shown;
    const map = mapPicture(layer, number);
    const noun = map ? "map" : "neuron";
    const isClass = isOutputOf(answer.layers, layer, names);
    return {
      title: isClass ? `class ${names[number]}` : `${noun} ${number} of ${layer.stage}`,
      noun,
      map,
      weights: map && weightsPicture(weights, layer, number),
      words: words(),
      pixels: kindOfProjection(answer.layers, layer),
    };
  }

  function chooseRun(run) {
    remember({ run, by: run ? "" : "reader", map: "" });
    showInput(run).catch(showProblem);
  }

  function showProblem(problem) {
    error.textContent = problem.message;
  }

  async function onAddress() {
    try {
      await showAddress();
    } catch (problem) {
      error.textContent = problem.message;
    }
  }

  async function showAddress() {
    const [{ runs }, server] = await Promise.all([get("runs"), about()]);
    if (left) return;
    const names = runs.filter((run) => run.network).map(({ name }) => name);
    pictureRuns = runs.filter((run) => run.pictures).map(({ name }) => name);
    folders = Object.fromEntries(runs.map(({ name, folder }) => [name, folder]));
    const options = names.map((name) => h("option", { value: name }, name));
    networkSelect.replaceChildren(readerOption(), ...(server.has_tensorflow ? options : []));
    classes = server.classes;
    hasTensorflow = server.has_tensorflow;
    isReadOnly = server.read_only;
    if (!recall("run") && !recall("by") && server.run) remember({ run: server.run });
    networkSelect.value = hasTensorflow ? recall("run") : "";
    if (pad.pointer === null && recall("ink") !== pad.text) pad.text = recall("ink");
    const digit = recallNumber("digit", { standard: 0, min: 0, max: MAX_DIGITS - 1, step: 1 });
    selected = digit.value;
    linkError.textContent = digit.problem;
    await showInput(networkSelect.value);
  }

  onAddress();
  return {
    onAddress,
    again: onAddress,
    leave() {
      left = true;
      choice.release();
      pad.release();
    },
  };
}

/** Whether the page shows the layers of a run on pictures: its network is as small as for digits. */
const hasLayers = ({ input }) => String(input) === "28,28,1";

/** The layers of a large network are not shown here, but the shell shows them. */
const explainInShell = (folder) =>
  quiet(
    "The layers of this network are too large for this page; see them with ",
    h("code", {}, `firstlight explain ${folder} photo.jpg`),
    ".",
  );

/** What a projection from this layer down to the pixels is. */
function kindOfProjection(layers, layer) {
  const path = layers.slice(0, layers.indexOf(layer) + 1);
  if (path.some(({ type }) => type === "MaxPooling2D")) return DECONVNET;
  if (path.some(({ shape }) => shape[1] > 1)) return NO_SWITCHES;
  return path.length === 1 ? WEIGHTS : NOTHING;
}

const readerOption = () => h("option", { value: "" }, "the reader");

const quiet = (...content) => h("p", { class: "quiet" }, ...content);
