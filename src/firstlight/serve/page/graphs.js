// The two pictures of a network's graph: its layers, and TensorFlow's operations.

import { h } from "./dom.js";
import { panzoom } from "./panzoom.js";
import { post } from "./server.js";

const TITLES = { functional: "Overview", operations: "TensorFlow's operations" };

export function graphs(network) {
  const element = h("div", { class: "stack" });
  const button = h("button", { onclick: load }, "Show the graph");
  element.append(h("div", { class: "tools" }, button));

  async function load() {
    button.disabled = true;
    button.textContent = "Tracing the graph …";
    try {
      showPictures(await post("graph", { network }));
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
