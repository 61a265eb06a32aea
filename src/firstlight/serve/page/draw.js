// The view Draw: a sheet, and what is read on it while you draw.

import { recall, remember } from "./address.js";
import { cards, headline } from "./answer.js";
import { h } from "./dom.js";
import { Pad } from "./pad.js";
import { photo, pictures } from "./photo.js";
import { Reader } from "./reader.js";

export function enter(page) {
  const canvas = h("canvas", { class: "pad", tabindex: 0, role: "application",
    "aria-label": "Sheet to draw digits on. Arrow keys move the pen, the space bar puts it down and lifts it." });
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw a digit here. Or several.");
  const sheet = h("div", { class: "sheet" }, canvas, hint);
  const says = h("output", { class: "headline", "aria-live": "polite" });
  const details = h("div", { class: "digits" });
  const undo = h("button", { onclick: () => (taken ? putAway() : pad.undo()) }, "Undo");
  const clear = h("button", { onclick: () => (taken ? putAway() : pad.clear()) }, "Clear");
  const input = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => take(input.files[0]) });
  const open = h("button", { onclick: () => input.click() }, "Open a picture");
  const normal = h("input", { type: "checkbox", role: "switch", onchange: () => normalized(normal.checked) });
  const why = h("p", { class: "note" });

  page.append(sheet,
    h("div", { class: "told" }, says, why),
    h("div", { class: "stack controls" },
      h("div", { class: "tools" }, undo, clear, open, input),
      h("label", { class: "switch" }, normal, h("span", {}, "Normalise: cut out, centre and scale each digit first")),
      h("p", { class: "quiet" }, "Drop or paste a photograph to read it. Nothing that you draw or open is stored.")),
    details);

  let taken = null; // a photograph in the place of the sheet
  const pad = new Pad(canvas, (lifted, fresh) => {
    reader.ask(lifted, fresh);
    if (lifted) remember({ ink: pad.text });
  });
  const reader = new Reader(() => taken?.file ?? (pad.empty ? null : pad.pgm()), show);

  function show(answer, milliseconds) {
    hint.hidden = !pad.empty;
    const text = headline(answer);
    says.textContent = text;
    says.classList.toggle("word", !/^[\d?\n]+$/.test(text));
    details.replaceChildren(...cards(answer));
    taken?.photo.mark(answer);
    undo.disabled = clear.disabled = pad.empty && !taken;
    page.dataset.answered = milliseconds.toFixed(1);
  }

  function normalized(on) {
    normal.checked = on;
    reader.options = on ? "" : "?normalize=off";
    why.textContent = on ? "" : "The whole sheet is squashed into 28×28 pixels, as in most tutorials. "
      + "Draw small, in a corner, or two digits, and see it fail.";
    remember({ normalize: on ? "" : "off" });
    reader.ask();
  }

  function take(file) {
    if (!file) return;
    taken?.photo.forget();
    taken = { file, photo: photo(file) };
    sheet.replaceChildren(taken.photo.element);
    says.textContent = "…";
    reader.ask();
  }

  function putAway() {
    taken.photo.forget();
    taken = null;
    input.value = "";
    sheet.replaceChildren(canvas, hint);
    reader.ask();
  }

  function readdress() {
    if (pad.drawing === null && recall("ink") !== pad.text) pad.text = recall("ink");
    normalized(recall("normalize") !== "off");
  }

  const deaf = pictures(take);
  readdress();
  return { readdress, leave: () => (deaf(), pad.forget(), taken?.photo.forget()) };
}
