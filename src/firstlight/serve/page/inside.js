// The view Look inside: what each layer of a network makes of a digit that you draw.

import { recall, remember } from "./address.js";
import { bars } from "./answer.js";
import { h, percent } from "./dom.js";
import { Pad } from "./pad.js";
import { bytes, colors, grey, maps, mix, picture, signed, signs } from "./pixels.js";
import { Reader } from "./reader.js";
import { about, get, post } from "./server.js";

const KINDS = {
  Conv2D: "convolution", SparseConvolution: "convolution", BatchNorm: "batch normalisation", ReLU: "what is above zero",
  Dense: "neurons", EinsumDense: "neurons", Rescaling: "0 to 255 becomes 0 to 1", Subsampling: "means of 2×2",
  MaxPooling2D: "largest of 2×2", ZeroPadding2D: "a frame of zeros", GlobalAveragePooling2D: "the mean of each map",
};

export function enter(page) {
  const canvas = h("canvas", { class: "pad", tabindex: 0, role: "application",
    "aria-label": "Sheet to draw a digit on. Arrow keys move the pen, the space bar puts it down and lifts it." });
  const hint = h("p", { class: "hint", "aria-hidden": "true" }, "Draw a digit here.");
  const chosen = h("select", { onchange: () => choose(chosen.value) }, h("option", { value: "" }, "the reader"));
  const chips = h("div", { class: "chips", "aria-label": "Digits on the sheet" });
  const input = h("figure"), occlusion = h("figure"), says = h("div");
  const seen = h("div", { class: "card seen" }, input, occlusion);
  const error = h("p", { class: "error", role: "alert" });
  const layers = h("section", { class: "layers", "aria-live": "polite" });

  page.append(
    h("section", { class: "stack" },
      h("label", { class: "field" }, "network", chosen),
      h("div", { class: "sheet" }, canvas, hint),
      h("div", { class: "tools" }, h("button", { onclick: () => pad.undo() }, "Undo"), h("button", { onclick: () => pad.clear() }, "Clear"), chips),
      says),
    h("div", { class: "stack" }, error, seen, layers));

  let digits = [], classes = [], which = 0, asked = 0, left = false;
  const pad = new Pad(canvas, (lifted) => {
    if (!lifted) return;
    remember({ ink: pad.text });
    reader.ask();
  });
  const reader = new Reader(() => (pad.empty ? null : pad.pgm()), (answer) => {
    if (left) return;
    hint.hidden = !pad.empty;
    digits = answer?.digits ?? [];
    which = Math.min(which, Math.max(0, digits.length - 1));
    chips.replaceChildren(...(digits.length < 2 ? [] : digits).map((digit, i) =>
      h("button", { "aria-pressed": i === which, "aria-label": `digit ${i + 1}`, onclick: () => look(i) }, grey(bytes(digit.image), 28))));
    look(which);
    if (answer?.error) error.textContent = answer.error;
  });

  async function look(index) {
    which = index;
    remember({ digit: which || "" });
    [...chips.children].forEach((chip, i) => chip.setAttribute("aria-pressed", i === which));
    const run = recall("run"), number = ++asked;
    if (!digits.length) return showNothing(run, number);
    error.textContent = run && !layers.children.length ? "TensorFlow is starting …" : "";
    const { image } = digits[which];
    try {
      const told = await post("occlusion", { image, ...(run ? { run } : {}) });
      const first = run ? await get(`runs/${encodeURIComponent(run)}/weights`) : null;
      if (number === asked) show(bytes(image), told, first);
    } catch (problem) {
      if (number === asked) error.textContent = problem.message;
    }
  }

  function showNothing(run, number) {
    seen.hidden = true;
    error.textContent = "";
    for (const place of [says, layers]) place.replaceChildren();
    const late = (first) => number === asked && layers.replaceChildren(filters(first));
    if (run) get(`runs/${encodeURIComponent(run)}/weights`).then(late, () => {});
    else layers.replaceChildren(h("p", { class: "quiet" }, "Draw a digit to see where the reader looks. Choose a run to see what each of its layers makes of it."));
  }

  function show(image, { probabilities, occlusion: hidden, layers: told }, first) {
    error.textContent = "";
    seen.hidden = false;
    const names = probabilities.length === classes.length ? classes : probabilities.map((_, i) => String(i));
    const best = probabilities.indexOf(Math.max(...probabilities));
    says.replaceChildren(h("p", { class: "says" }, h("b", {}, names[best]), h("span", {}, percent(probabilities[best]))),
      bars({ probabilities }, names));
    input.replaceChildren(grey(image, 28, "what the network sees"), h("figcaption", {}, "what it sees: 28×28 pixels"));
    occlusion.replaceChildren(shadows(image, hidden.flat()), h("figcaption", {}, "where it looks: blue is where covering 8×8 pixels makes it less sure"));
    const softmax = first?.name === "layer1/kernel" && first.shape[0] === 10;
    layers.replaceChildren(...(first ? [softmax ? products(first, image) : filters(first)] : []), ...told.map(layer));
    if (!first) layers.replaceChildren(h("p", { class: "quiet" }, "Choose a run to see what each of its layers makes of this digit."));
  }

  async function choose(run) {
    remember({ run, by: run ? "" : "reader" });
    layers.replaceChildren();
    look(which);
  }

  async function readdress() {
    const [{ runs }, known] = await Promise.all([get("runs"), about()]);
    if (left) return;
    const usable = runs.filter((run) => run.network).map(({ name }) => name);
    chosen.replaceChildren(h("option", { value: "" }, "the reader"), ...usable.map((name) => h("option", { value: name }, name)));
    classes = known.classes;
    if (!recall("run") && !recall("by") && known.run) remember({ run: known.run });
    chosen.value = recall("run");
    if (pad.drawing === null && recall("ink") !== pad.text) pad.text = recall("ink");
    which = Number(recall("digit")) || 0;
    reader.ask();
  }

  readdress().catch((problem) => (error.textContent = problem.message));
  return { readdress, leave: () => ((left = true), pad.forget()) };
}

/** The digit in grey, and over it in the accent what its answer hangs on. */
function shadows(image, hidden) {
  const { accent } = colors(), full = Math.max(...hidden), low = Math.min(...hidden);
  const depth = (i) => (full - hidden[i]) / Math.max(full - low, 0.05);
  return picture(28, 28, (i) => mix([image[i], image[i], image[i]].map((v) => v * 0.55), accent, 0.85 * depth(i)), "where it looks");
}

const block = (title, note, ...children) =>
  h("article", { class: "card layer" }, h("h3", {}, title, h("span", {}, note)), ...children);

function filters(first) {
  const [n, height] = first.shape;
  const place = h("div", { class: "maps" }, ...maps(first, (i) => `filter ${i + 1}`));
  place.style.setProperty("--size", height > 12 ? "64px" : "44px");
  return block(`${first.name}`, `the first ${n} of its weights as pictures, ${height}×${first.shape[2]}`, place);
}

/** Softmax: a picture of weights a digit, times the image, added up. */
function products(first, image) {
  const weights = signed(first.pixels);
  const each = Array.from({ length: 10 }, (_, digit) => {
    const own = weights.subarray(784 * digit, 784 * (digit + 1));
    const product = Float32Array.from(own, (weight, i) => (weight * image[i]) / 255);
    return { digit, own, product, sum: product.reduce((total, value) => total + value, 0) * (first.largest / 127) + (first.biases[digit] ?? 0) };
  });
  const most = Math.max(...each.map(({ sum }) => sum));
  const figures = each.map(({ digit, own, product, sum }) => h("figure", { class: sum === most ? "best" : "" },
    signs(own, 28, `weights of ${digit}`), signs(product, 28, `times the digit, for ${digit}`),
    h("figcaption", {}, `${digit}: ${sum.toFixed(1).replace("-", "−")}`)));
  const place = h("div", { class: "maps ten" }, ...figures);
  return block("weights, and weights × input", "blue speaks for the digit, grey against it; the sum, and the digit's bias, decide", place);
}

function layer(told) {
  const [n, height, width] = told.shape;
  const flat = height === 1;
  const what = flat ? `${width} numbers` : `${told.of} maps of ${height}×${width}${told.of > n ? `, the first ${n}` : ""}`;
  const place = h("div", { class: flat ? "neurons" : "maps" }, ...maps(told, (i) => (flat ? told.name : `map ${i + 1} of ${told.name}`)));
  place.style.setProperty("--size", height > 20 ? "72px" : height > 10 ? "56px" : "40px");
  return block(told.name, `${KINDS[told.kind] ?? told.kind}: ${what}`, place);
}
