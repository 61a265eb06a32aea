// The form of the view Train: data, network and recipe, its numbers, and how long it will take.

import { dataFields } from "./data.js";
import { accuracyText, errorLine, field, h, integer } from "./dom.js";
import { duration, expectedTime } from "./duration.js";
import { get } from "./server.js";
import { howToInstall } from "./tensorflow.js";

const EXPLANATION =
  "Choose data, a network, and a recipe: numbers that were tried out for this network. You can " +
  "change each of them.";

const FIRST_CHOICE = "convnet"; // if it takes the data: good and quick

/** The numbers of a training: each is the recipe's own until the user changes it. */
const NUMBERS = {
  length: { label: "train for", meaning: "one epoch is a pass over all training images" },
  batch_size: { label: "batch size", meaning: "images in each step" },
  learning_rate: { label: "learning rate", meaning: "how far a step changes the weights" },
  seed: { label: "seed", meaning: "of the first weights and the order of images" },
};

/** `onStart(question)` starts a training with these fields and returns a promise. */
export function trainingForm(onStart) {
  const network = h("select", { onchange: showRecipes });
  const recipe = h("select", { onchange: showNumbers });
  const unit = h(
    "select",
    { "aria-label": "epochs or steps", onchange: changeUnit },
    h("option", { value: "epochs" }, "epochs"),
    h("option", { value: "steps" }, "steps"),
  );
  const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, numberInput(name)]));
  numbers.seed.input.value = 0;
  const about = h("p", { class: "quiet" });
  const time = h("p", { "aria-live": "polite" });
  const start = h("button", { class: "main", disabled: true }, "Train");
  const error = errorLine();
  const dataPart = dataFields(useData);

  let server = { networks: [], limits: {}, has_tensorflow: true };
  let recipes = {}; // network → recipe → its own numbers; empty until the server has read them
  let data = null; // what the server has found in the chosen data
  let areReading = false; // whether the recipes are awaited
  let isTyped = false; // whether the user has typed the length
  let isStarting = false;

  const choices = h(
    "div",
    { class: "stack", hidden: true },
    h("div", { class: "tools" }, field("network", network), field("recipe", recipe)),
    about,
    h(
      "div",
      { class: "settings" },
      setting("length", h("div", { class: "tools" }, numbers.length.input, unit)),
      ...["batch_size", "learning_rate", "seed"].map((name) => setting(name)),
    ),
    time,
  );
  const form = h(
    "form",
    { class: "card stack", onsubmit: submit, oninput: describe },
    h("h2", {}, "Train a network"),
    h("p", { class: "quiet" }, EXPLANATION),
    dataPart.element,
    choices,
    h("div", { class: "tools" }, start),
    error,
  );
  numbers.length.input.addEventListener("input", () => {
    isTyped = true;
  });
  form.addEventListener("invalid", showInvalid, true);

  function setting(name, control = numbers[name].input) {
    const { hint } = numbers[name];
    return h("div", {}, field(NUMBERS[name].label, control), hint);
  }

  /** The browser shows the first number's message in a bubble, which soon goes away. */
  function showInvalid({ target }) {
    error.textContent ||= target.validationMessage;
  }

  function showProblem(message) {
    error.textContent = message;
  }

  const entry = () => server.networks.find(({ name }) => name === network.value);
  const ownNumbers = () => recipes[network.value]?.[recipe.value];

  /** The recipe's own number, as text; "" while it is not known. */
  function ownNumber(name) {
    const own = ownNumbers();
    if (!own) return "";
    return String((name === "length" ? own[unit.value] : own[name]) ?? "");
  }

  function useData(found) {
    data = found;
    const names = data ? Object.keys(data.recipes) : [];
    const usual = names.includes(FIRST_CHOICE) ? FIRST_CHOICE : names[0];
    const kept = names.includes(network.value) ? network.value : usual;
    network.replaceChildren(...names.map((name) => h("option", {}, name)));
    if (kept) network.value = kept;
    showRecipes();
  }

  function showRecipes() {
    const names = data?.recipes[network.value] ?? [];
    const options = names.map((name) => h("option", { value: name }, recipeText(name)));
    recipe.replaceChildren(...options);
    showNumbers();
  }

  function recipeText(name) {
    const reach = entry()?.reaches[name];
    if (!reach) return name;
    return `${name}: ${accuracyText(reach.accuracy)} in ${duration(reach.seconds)}`;
  }

  /** Put the recipe's numbers into the form. */
  function showNumbers() {
    isTyped = false;
    for (const name of ["length", "batch_size", "learning_rate"]) numbers[name].input.value = "";
    fillNumbers();
  }

  /** Put the recipe's numbers into what is empty: they may arrive after the user has typed. */
  function fillNumbers() {
    const own = ownNumbers();
    if (own && !numbers.length.input.value) unit.value = own.epochs ? "epochs" : "steps";
    for (const name of ["length", "batch_size", "learning_rate"])
      numbers[name].input.value ||= ownNumber(name);
    describe();
  }

  /** The recipe's own length, in the other unit; a number that the user has typed stays. */
  function changeUnit() {
    const own = ownNumbers();
    const other = unit.value === "epochs" ? "steps" : "epochs";
    const { input } = numbers.length;
    if (own && data?.splits.train && !isTyped) {
      const perEpoch = data.splits.train / own.batch_size;
      const converted = other === "epochs" ? own.epochs * perEpoch : own.steps / perEpoch;
      input.value = own[unit.value] ?? Math.max(1, Math.round(converted));
    }
    describe();
  }

  function describe() {
    error.replaceChildren(...(server.has_tensorflow ? [] : howToInstall()));
    for (const [name, { input, hint }] of Object.entries(numbers)) {
      const label = name === "length" ? unit.value : NUMBERS[name].label;
      setLimits(input, label, server.limits[name === "length" ? unit.value : name]);
      hint.textContent = hintText(name, input.value);
    }
    choices.hidden = !data;
    about.textContent = networkText();
    time.textContent = timeText();
    start.disabled = !data || isStarting || !server.has_tensorflow;
  }

  function hintText(name, value) {
    const { meaning } = NUMBERS[name];
    const own = ownNumbers();
    if (name === "seed") return meaning;
    if (!own) return `the recipe's own; ${meaning}`;
    if (value === ownNumber(name)) return `from the recipe; ${meaning}`;
    const length = own.epochs ? `${own.epochs} epochs` : `${own.steps} steps`;
    return `the recipe has ${name === "length" ? length : own[name]}; ${meaning}`;
  }

  function networkText() {
    if (!entry()) return "";
    const { name, input, parameters, reaches } = entry();
    const [height, width, channels] = input;
    const colour = channels === 1 ? "grey" : "colour";
    const reduced = data.pictures ? "; your pictures are cropped and scaled to that" : "";
    const size = `${name} takes images of ${height}×${width} pixels in ${colour}${reduced}.`;
    const learned = `It learns ${integer(parameters)} numbers (parameters).`;
    const reach = reaches[recipe.value];
    const on = reach?.data === "mnist" ? "MNIST's test images" : "photographs of 12 classes";
    const reached = reach
      ? `With this recipe, ${accuracyText(reach.accuracy)} of ${on} were right.`
      : "What it reaches with this recipe was not measured.";
    return `${size} ${learned} ${reached}`;
  }

  function timeText() {
    if (areReading) return "The recipe's numbers appear when TensorFlow has started …";
    if (!data || !network.value) return "";
    const length = Number(numbers.length.input.value);
    if (numbers.length.input.value && !(length > 0)) return "";
    const chosen = { [unit.value]: length, batch_size: Number(numbers.batch_size.input.value) };
    const reach = entry()?.reaches[recipe.value];
    return expectedTime({ reach, recipe: ownNumbers(), chosen, data });
  }

  /** The fields of the training; what is as in the recipe is left out. */
  function question() {
    const fields = { data: data.location, network: network.value, recipe: recipe.value };
    for (const [name, { input }] of Object.entries(numbers)) {
      const key = name === "length" ? unit.value : name;
      if (input.value && input.value !== ownNumber(name)) fields[key] = Number(input.value);
    }
    return fields;
  }

  async function submit(event) {
    event.preventDefault();
    showProblem("");
    isStarting = start.disabled = true;
    await onStart(question()).catch(({ message }) => showProblem(message));
    isStarting = false;
    start.disabled = !data;
  }

  /** Show what the server offers. It needs TensorFlow to read the recipes' numbers. */
  async function begin(answer) {
    server = answer;
    areReading = server.has_tensorflow;
    dataPart.start(server);
    describe();
    if (!server.has_tensorflow) return;
    recipes = await get("recipes").finally(() => {
      areReading = false;
    });
    fillNumbers();
  }

  return { element: form, begin, showProblem };
}

function numberInput(name) {
  const hint = h("p", { class: "quiet", id: `hint-${name}` });
  const step = name === "learning_rate" ? "any" : 1;
  const input = h("input", { type: "number", step, "aria-describedby": hint.id });
  return { input, hint };
}

/** Set the range of a number; what is outside of it gets a message that names the range. */
function setLimits(input, label, limits) {
  if (!limits) return; // the server has not answered yet
  const [min, max] = limits;
  const isWhole = input.step === "1";
  const range = isWhole
    ? `a whole number from ${min} to ${integer(max)}`
    : `a number above ${min} and at most ${max}`;
  const value = Number(input.value);
  const isInside =
    value >= min && value <= max && (isWhole ? Number.isInteger(value) : value > min);
  input.min = min;
  input.max = max;
  let problem = "";
  if (input.validity.badInput) problem = `${label}: type ${range}`;
  else if (input.value && !isInside) problem = `${label} is ${input.value}; it must be ${range}`;
  input.setCustomValidity(problem);
}
