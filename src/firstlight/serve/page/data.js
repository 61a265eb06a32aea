// What is trained on: MNIST, or data of this machine, which the server looks at first.

import { errorLine, field, h, integer } from "./dom.js";
import { post } from "./server.js";

const OWN = "own"; // the choice of a path that the user types
const MAX_CLASSES = 40; // that are named
const KINDS =
  "A folder with a folder of pictures for each class, or a file with images: CSV, NumPy's .npz, IDX, Parquet.";
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
    field("path of the folder or file on this machine, or a dataset's name", path),
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
    if (isOwn) hint.textContent = KINDS;
    else hint.textContent = server.opens_paths ? "" : OPEN_TO_OTHERS;
    forget();
    if (!isOwn) lookAt(choice.value);
    else if (path.value.trim()) lookAtPath();
    else path.focus();
  }

  function lookAtPath() {
    forget();
    if (path.value.trim()) lookAt(path.value.trim());
    else error.textContent = "Type or paste the path of a folder or file first.";
  }

  async function lookAt(data) {
    requests += 1;
    const number = requests;
    const text = choice.value === OWN ? "Looking at every image …" : "Looking at the data …";
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
    if (server.opens_paths) options.push(h("option", { value: OWN }, "my own pictures or images"));
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
function description(found) {
  const { data, location, pictures, classes, examples, splits } = found;
  const names = Object.entries(classes);
  const uses = { train: "for training", val: "for validation", test: "for testing" };
  const parts = Object.entries(splits).map(([split, n]) => `${integer(n)} ${uses[split]}`);
  const count = `${integer(examples)} ${pictures ? "pictures" : "images"}`;
  const text = `${data}: ${count} in ${names.length} classes; ${parts.join(", ")}.`;
  const elements = [h("p", { class: "quiet" }, text)];
  if (location !== data) {
    const list = names.slice(0, MAX_CLASSES).map(([name, n]) => `${name}: ${integer(n)}`);
    if (names.length > MAX_CLASSES)
      list.push(`${integer(names.length - MAX_CLASSES)} more classes`);
    const kind = pictures ? "Pictures" : "Images";
    elements.push(h("p", { class: "quiet" }, `${kind} of each class – ${list.join(", ")}.`));
  }
  for (const remark of found.remarks) elements.push(h("p", { class: "quiet" }, `${remark}.`));
  const { faults, fault_count, near_copies, near_copy_count } = found;
  if (fault_count) {
    const lines = faults.map(({ file, problem }) => `${file}: ${problem}`);
    const what = fault_count === 1 ? "1 fault is" : `${integer(fault_count)} faults are`;
    elements.push(foldedList(`${what} left out`, lines, fault_count));
  }
  if (near_copy_count) {
    const lines = near_copies.map(({ file, like }) => `${file} looks the same as ${like}`);
    const what =
      near_copy_count === 1 ? "1 image looks" : `${integer(near_copy_count)} images look`;
    elements.push(foldedList(`${what} the same as one of another split`, lines, near_copy_count));
  }
  return elements;
}

function foldedList(summary, lines, count) {
  const items = lines.map((line) => h("li", {}, line));
  if (count > lines.length)
    items.push(h("li", {}, `${integer(count - lines.length)} more: see firstlight data check`));
  return h("details", { class: "quiet" }, h("summary", {}, summary), h("ul", {}, ...items));
}
