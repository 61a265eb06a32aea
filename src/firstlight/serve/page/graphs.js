// The two pictures of a network's graph: its layers, and TensorFlow's operations.

import { h } from "./dom.js";
import { panzoom } from "./panzoom.js";

const TITLES = { functional: "Overview", operations: "TensorFlow's operations" };

/** `load` returns (as a promise) the two pictures of the network's graph: kind → SVG. */
export function graphs(network, load) {
  const element = h("div", { class: "stack" });
  const button = h("button", { onclick: open }, "Show the graph");
  element.append(h("div", { class: "tools" }, button));

  async function open() {
    button.disabled = true;
    button.textContent = "Tracing the graph …";
    try {
      showPictures(await load());
    } catch (error) {
      element.replaceChildren(h("p", { class: "error" }, error.message));
    }
  }

  function showPictures(pictures) {
    const frame = h("div");
    const buttons = Object.entries(TITLES).map(([kind, title]) =>
      h("button", { "data-kind": kind, onclick: () => show(kind) }, title),
    );
    function show(kind) {
      for (const each of buttons) each.setAttribute("aria-pressed", each.dataset.kind === kind);
      const label = `The graph of ${network}: ${TITLES[kind]}`;
      frame.replaceChildren(panzoom(pictures[kind], label));
    }
    element.replaceChildren(h("div", { class: "tools" }, ...buttons), frame);
    show("functional");
  }

  return element;
}
