// The two pictures of a graph: what a person means by it, and what TensorFlow runs.

import { h } from "./dom.js";
import { panzoom } from "./panzoom.js";
import { post } from "./server.js";

export function graphs(network) {
  const place = h("div", { class: "stack" });
  const button = h("button", { onclick: load }, "Show its graph");
  place.append(h("div", { class: "tools" }, button));

  async function load() {
    button.disabled = true;
    button.textContent = "Tracing the graph …";
    try {
      choose(await post("graph", { network }));
    } catch (error) {
      place.replaceChildren(h("p", { class: "error" }, error.message));
    }
  }

  function choose(pictures) {
    const kinds = { functional: "What is meant", operations: "What TensorFlow runs" };
    const shown = h("div");
    const buttons = Object.entries(kinds).map(([kind, says]) => h("button", { onclick: () => show(kind), "data-kind": kind }, says));
    const show = (kind) => {
      for (const each of buttons) each.setAttribute("aria-pressed", each.dataset.kind === kind);
      shown.replaceChildren(panzoom(pictures[kind], `The graph of ${network}: ${kinds[kind]}`));
    };
    place.replaceChildren(h("div", { class: "tools" }, ...buttons), shown);
    show("functional");
  }

  return place;
}
