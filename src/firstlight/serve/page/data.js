// What is trained on: MNIST, or a folder of this machine, which the server looks at first.

import { errorLine, field, h, integer } from "./dom.js";
import { post } from "./server.js";

const OWN = "own"; // the choice of a path that the user types
const FOLDERS = "The folder has a folder for each class, with that class's pictures in it.";
const OPEN_TO_OTHERS =
  "Others can use this server, so it opens no folder of its disk. Start firstlight serve on your " +
  "own machine to train on your own pictures.";

/**
 * The fields for the data. `onData(found)` is called with what the server has found, and with null
 * while that is not known.
 */
export function dataFields(onData) {
  const choice = h("select", { onchange: choose });
  const path = h("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  const look = h("button", { type: "button", onclick: lookAtPath }, "Look at it");
  const pathTools = h(
    "div",
    { class: "tools", hidden: true },
    field("path of the folder on this machine, or a dataset's name", path),
    look,
  );
  const hint = h("p", { class: "quiet" });
  const found = h("div", { class: "found", "aria-live": "polite" });
  const error = errorLine();
  let server = {};
  let requests = 0;

  path.addEventListener("input", forget);
  path.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // Enter must not start a training before the folder was seen
    lookAtPath();
  });

  /** Forget what was found: the user has chosen something else. */
  function forget() {
    requests += 1;
    error.textContent = "";
    found.replaceChildren();
    onData(null);
  }

  function choose() {
    const isOwn = choice.value === OWN;
    pathTools.hidden = !isOwn;
    if (isOwn) hint.textContent = FOLDERS;
    else hint.textContent = server.opens_paths ? "" : OPEN_TO_OTHERS;
    forget();
    if (!isOwn) lookAt(choice.value);
    else if (path.value.trim()) lookAtPath();
    else path.focus();
  }

  function lookAtPath() {
    forget();
    if (path.value.trim()) lookAt(path.value.trim());
    else error.textContent = "Type or paste the path of a folder first.";
  }

  async function lookAt(data) {
    requests += 1;
    const number = requests;
    const text = choice.value === OWN ? "Looking at every picture …" : "Looking at the data …";
    found.replaceChildren(h("p", { class: "quiet" }, text));
    try {
      const answer = await post("data", { data });
      if (number !== requests) return; // the user has chosen something else meanwhile
      found.replaceChildren(...description(answer));
      onData(answer);
    } catch (problem) {
      if (number !== requests) return;
      found.replaceChildren();
      error.textContent = problem.message;
    }
  }

  /** Offer what this server trains on, and look at the first. */
  function start(answer) {
    server = answer;
    const options = [h("option", { value: "mnist" }, "MNIST, handwritten digits")];
    if (server.opens_paths)
      options.push(h("option", { value: OWN }, "a folder of my own pictures"));
    choice.replaceChildren(...options);
    choose();
  }

  const element = h(
    "div",
    { class: "stack" },
    h("div", { class: "tools" }, field("data", choice), pathTools),
    hint,
    found,
    error,
  );
  return { element, start };
}

/** What was found, in a sentence, and what is left out. */
function description({ data, pictures, classes, examples, splits, faults, fault_count }) {
  const names = Object.entries(classes);
  const uses = { train: "for training", val: "for validation", test: "for testing" };
  const parts = Object.entries(splits).map(([split, n]) => `${integer(n)} ${uses[split]}`);
  const count = `${integer(examples)} ${pictures ? "pictures" : "images"}`;
  const text = `${data}: ${count} in ${names.length} classes; ${parts.join(", ")}.`;
  const elements = [h("p", { class: "quiet" }, text)];
  if (pictures) {
    const list = names.map(([name, n]) => `${name} ${integer(n)}`).join(", ");
    elements.push(h("p", { class: "quiet" }, `Pictures of each class: ${list}.`));
  }
  if (fault_count) elements.push(faultList(faults, fault_count));
  return elements;
}

function faultList(faults, count) {
  const summary = count === 1 ? "1 fault is left out" : `${integer(count)} faults are left out`;
  const items = faults.map(({ file, problem }) => h("li", {}, `${file}: ${problem}`));
  if (count > faults.length)
    items.push(h("li", {}, `${integer(count - faults.length)} more: see firstlight data check`));
  return h("details", { class: "quiet" }, h("summary", {}, summary), h("ul", {}, ...items));
}
