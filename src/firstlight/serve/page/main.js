// The frame: the address says which view is shown, and each view is a module of that name.

import { address, onAddress } from "./address.js";
import { h } from "./dom.js";

const VIEWS = ["draw", "inside", "first", "train", "runs"];
const SHEETS = ["draw", "inside"]; // what is drawn on one is on the other too
const place = document.getElementById("view"), links = [...document.querySelectorAll("header a")];
let shown = { name: null, leave() {} };

const leadsTo = (link) => link.hash.slice(1).split("?")[0];

async function show() {
  const name = VIEWS.includes(address.view) ? address.view : "draw";
  for (const link of document.querySelectorAll("nav a")) {
    const here = leadsTo(link) === name;
    link.toggleAttribute("data-here", here);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown.name === name) return shown.readdress?.();
  const first = shown.name === null;
  shown.leave?.();
  const here = (shown = { name });
  const view = await import(`./${name}.js`);
  if (shown !== here) return; // another tab was clicked meanwhile
  const page = h("div", { class: `page ${name}` });
  const title = document.querySelector("nav [aria-current]").textContent;
  document.title = `${title} · firstlight`;
  place.replaceChildren(h("h1", { class: "unseen" }, title), page);
  if (!first) place.focus({ preventScroll: true });
  Object.assign(here, view.enter(page));
  carry();
}

/** The drawing goes along from one sheet to the other. */
function carry() {
  if (!SHEETS.includes(address.view || "draw")) return;
  const ink = address.query.get("ink");
  for (const link of links.filter((link) => SHEETS.includes(leadsTo(link))))
    link.setAttribute("href", `#${leadsTo(link)}${ink ? `?ink=${ink}` : ""}`);
}

/** A click on the view that is shown must not empty it. */
function stay(event) {
  const again = leadsTo(event.currentTarget) === shown.name;
  if (again && !event.ctrlKey && !event.metaKey && !event.shiftKey) event.preventDefault();
}

for (const link of links) link.addEventListener("click", stay);
addEventListener("remembered", carry);
onAddress(show);
show();
