// The frame: the address says which view is shown, and each view is a module of that name.

import { address, onAddress } from "./address.js";
import { h } from "./dom.js";

const VIEWS = ["draw", "inside", "first", "train", "runs"];
const place = document.getElementById("view");
let shown = { name: null, leave() {} };

async function show() {
  const name = VIEWS.includes(address.view) ? address.view : "draw";
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#${name}`;
    link.toggleAttribute("data-here", here);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown.name === name) return shown.readdress?.();
  shown.leave?.();
  shown = { name };
  const view = await import(`./${name}.js`);
  if (shown.name !== name) return; // another tab was clicked meanwhile
  const page = h("div", { class: `page ${name}` });
  place.replaceChildren(page);
  shown = { name, ...view.enter(page) };
}

onAddress(show);
show();
