// The view Draw: a sheet, and what is read on it while the user draws.

import { recall, remember } from "./address.js";
import { cards, headline, remark, strips } from "./answer.js";
import { h } from "./dom.js";
import { DIGITS, examples, paperButton, STAR } from "./drawings.js";
import { Pad, padCanvas } from "./pad.js";
import { listenForPictures, photo } from "./photo.js";
import { pictureProblem } from "./pictures.js";
import { Reader } from "./reader.js";
import { reduced } from "./reduce.js";

const SQUASHED =
  "The whole sheet is resized to 28×28 pixels, as in most tutorials. " +
  "Draw a small digit in a corner, or two digits, and see it fail.";

export function enter(page) {
  const canvas = padCanvas("Sheet to draw digits on.");
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw one or more digits here.");
  const sheet = h("div", { class: "sheet" }, canvas, hint);
  const result = h("output", { class: "headline", "aria-live": "polite" });
  const details = h("div", { class: "digits" });
  const undo = h("button", { onclick: () => (photograph ? closePhoto() : pad.undo()) }, "Undo");
  const clear = h("button", { onclick: () => (photograph ? closePhoto() : pad.clear()) }, "Clear");
  const fileInput = pictureInput({});
  const camera = pictureInput({ capture: "environment" });
  const open = h("button", { onclick: () => fileInput.click() }, "Open a picture");
  const take = h("button", { class: "camera", onclick: () => camera.click() }, "Take a photo");
  const normalize = h("input", { type: "checkbox", role: "switch" });
  normalize.addEventListener("change", () => setNormalize(normalize.checked));
  const note = h("p", { class: "note" });
  const unread = h("p", { class: "note" });

  page.append(
    sheet,
    h(
      "div",
      { class: "stack controls" },
      h("div", { class: "tools" }, undo, clear, open, take, fileInput, camera),
      h(
        "label",
        { class: "switch" },
        normalize,
        h("span", {}, "Normalise: cut out, centre and scale each digit first"),
      ),
      h(
        "p",
        { class: "quiet" },
        "Drop or paste a photograph to read it. Nothing that you draw or open is stored.",
      ),
    ),
    h("div", { class: "read" }, h("div", { class: "answer" }, result, unread, note), details),
  );

  const tries = examples([...DIGITS, STAR], drawExample, paperButton(openPhoto));
  let photograph = null; // { file, view }, if one is shown in place of the sheet
  const pad = new Pad(canvas, (lifted, fresh) => {
    reader.update(lifted, fresh);
    if (lifted) remember({ ink: pad.text });
  });
  const reader = new Reader(currentPicture, show);

  function currentPicture() {
    if (photograph) return photograph.file;
    return pad.empty ? null : pad.pgm();
  }

  function drawExample(ink) {
    pad.text = ink;
    remember({ ink });
    reader.update();
  }

  function show(answer, milliseconds) {
    hint.hidden = !pad.empty;
    const text = headline(answer);
    result.textContent = text;
    result.classList.toggle("words", !/^[\d?\n]+$/.test(text));
    unread.textContent = remark(answer);
    const answers = [...strips(answer), ...cards(answer)];
    details.replaceChildren(...(pad.empty && !photograph ? [tries] : answers));
    photograph?.view.mark(answer);
    undo.disabled = clear.disabled = pad.empty && !photograph;
    page.dataset.answerMilliseconds = milliseconds.toFixed(1);
  }

  function setNormalize(on) {
    normalize.checked = on;
    reader.query = on ? "" : "?normalize=off";
    note.textContent = on ? "" : SQUASHED;
    remember({ normalize: on ? "" : "off" });
    reader.update();
  }

  function pictureInput(attributes) {
    const input = h("input", { type: "file", accept: "image/*", hidden: true, ...attributes });
    input.addEventListener("change", () => openPhoto(input.files[0]));
    return input;
  }

  async function openPhoto(file) {
    if (!file) return;
    const problem = pictureProblem(file);
    if (problem) {
      showProblem(problem);
      return;
    }
    photograph?.view.release();
    const opened = { file, view: photo(file) };
    photograph = opened;
    sheet.replaceChildren(opened.view.element);
    result.textContent = "…";
    opened.file = await reduced(file);
    if (photograph === opened) reader.update();
  }

  /** Say what is wrong with a file that is not sent; the sheet stays as it is. */
  function showProblem(problem) {
    result.textContent = problem;
    result.classList.add("words");
    fileInput.value = ""; // the same file may be chosen again
  }

  function closePhoto() {
    photograph.view.release();
    photograph = null;
    fileInput.value = camera.value = "";
    sheet.replaceChildren(canvas, hint);
    reader.update();
  }

  function onAddress() {
    if (pad.pointer === null && recall("ink") !== pad.text) pad.text = recall("ink");
    setNormalize(recall("normalize") !== "off");
  }

  const stopListening = listenForPictures(openPhoto);
  onAddress();
  return {
    onAddress,
    leave() {
      stopListening();
      pad.release();
      photograph?.view.release();
    },
  };
}
