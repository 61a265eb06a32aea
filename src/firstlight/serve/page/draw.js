// The view Draw: a sheet, and what is read on it while the user draws.

import { recall, remember } from "./address.js";
import { cards, headline, remark } from "./answer.js";
import { h } from "./dom.js";
import { Pad, padCanvas } from "./pad.js";
import { listenForPictures, photo } from "./photo.js";
import { Reader } from "./reader.js";

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
  const fileInput = h("input", { type: "file", accept: "image/*", hidden: true });
  fileInput.addEventListener("change", () => openPhoto(fileInput.files[0]));
  const open = h("button", { onclick: () => fileInput.click() }, "Open a picture");
  const normalize = h("input", { type: "checkbox", role: "switch" });
  normalize.addEventListener("change", () => setNormalize(normalize.checked));
  const note = h("p", { class: "note" });
  const unread = h("p", { class: "note" });

  page.append(
    sheet,
    h("div", { class: "answer" }, result, unread, note),
    h(
      "div",
      { class: "stack controls" },
      h("div", { class: "tools" }, undo, clear, open, fileInput),
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
    details,
  );

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

  function show(answer, milliseconds) {
    hint.hidden = !pad.empty;
    const text = headline(answer);
    result.textContent = text;
    result.classList.toggle("words", !/^[\d?\n]+$/.test(text));
    unread.textContent = remark(answer);
    details.replaceChildren(...cards(answer));
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

  function openPhoto(file) {
    if (!file) return;
    photograph?.view.release();
    photograph = { file, view: photo(file) };
    sheet.replaceChildren(photograph.view.element);
    result.textContent = "…";
    reader.update();
  }

  function closePhoto() {
    photograph.view.release();
    photograph = null;
    fileInput.value = "";
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
