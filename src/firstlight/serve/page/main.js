// The frame: the address names the view that is shown, and each view is a module of that name.

import { address, moment, onAddress } from "./address.js";
import { errorLine, h, NO_ANSWER } from "./dom.js";
import { about } from "./server.js";
import { isShared } from "./token.js";

const RETRY = 4000; // milliseconds until a view is fetched again
const PAD_VIEWS = ["draw", "inside"]; // these two views share one drawing
const main = document.getElementById("view");
const headerLinks = [...document.querySelectorAll("header a")];
const navLinks = [...document.querySelectorAll("nav a")];
const viewOf = (link) => link.hash.slice(1).split("?")[0];
const shareLink = document.querySelector("nav a[href='#share']");
shareLink.hidden = !isShared;
const VIEWS = navLinks.map(viewOf);
let current = { name: null, leave() {} };

async function show() {
  if (!VIEWS.includes(address.view)) address.view = VIEWS[0];
  const name = address.view;
  markLink(name);
  carryMoment();
  if (current.name === name) {
    current.onAddress?.();
    return;
  }
  const isFirst = current.name === null;
  current.leave?.();
  const opened = { name };
  current = opened;
  const view = await import(`./${name}.js`).catch(() => null);
  if (current !== opened) return; // the user chose another view meanwhile
  if (view === null) {
    showNoAnswer(opened);
    return;
  }
  const page = h("div", { class: `page ${name}` });
  const title = document.querySelector("nav [aria-current]").textContent;
  document.title = `${title} · firstlight`;
  main.replaceChildren(h("h1", { class: "visually-hidden" }, title), page);
  if (!isFirst) main.focus({ preventScroll: true });
  Object.assign(opened, view.enter(page));
  carryDrawing();
}

/** The server does not send the view: ask it again when the user clicks, and from time to time. */
function showNoAnswer(opened) {
  const error = errorLine();
  const title = document.querySelector("nav [aria-current]").textContent;
  main.replaceChildren(
    h("h1", { class: "visually-hidden" }, title),
    h("div", { class: "page" }, error),
  );
  error.textContent = NO_ANSWER;
  const timer = setTimeout(again, RETRY);

  /** A new page, because some browsers remember what they could not fetch. */
  async function again() {
    clearTimeout(timer);
    const response = await fetch("/", { method: "HEAD" }).catch(() => null);
    if (current !== opened) return;
    if (response?.ok) location.reload();
    else showNoAnswer(opened);
  }

  opened.again = again;
  opened.leave = () => clearTimeout(timer);
}

function markLink(name) {
  for (const link of navLinks) {
    const isCurrent = viewOf(link) === name;
    link.toggleAttribute("data-current", isCurrent);
    if (isCurrent) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone the links scroll
    } else {
      link.removeAttribute("aria-current");
    }
  }
}

/** Put the drawing into the links to the views that have a sheet. */
function carryDrawing() {
  if (!PAD_VIEWS.includes(address.view)) return;
  const ink = address.query.get("ink");
  for (const link of headerLinks.filter((link) => PAD_VIEWS.includes(viewOf(link))))
    link.setAttribute("href", `#${viewOf(link)}${ink ? `?ink=${ink}` : ""}`);
}

/** Share shows the moment that one came from. */
function carryMoment() {
  if (address.view === "share") return;
  const query = moment() === VIEWS[0] ? "" : `?moment=${encodeURIComponent(moment())}`;
  shareLink.setAttribute("href", `#share${query}`);
}

/**
 * A click on the link of the current view must not empty its sheet; but the view asks the server
 * again. Learn has a first page.
 */
function keepCurrent(event) {
  const name = viewOf(event.currentTarget);
  const opensTab = event.ctrlKey || event.metaKey || event.shiftKey;
  if (name !== current.name || opensTab) return;
  if (name !== "learn") event.preventDefault();
  current.again?.();
}

for (const link of headerLinks) link.addEventListener("click", keepCurrent);
addEventListener("address-written", carryDrawing);
addEventListener("address-written", carryMoment);
onAddress(show);
show();
if (isShared) about().catch(() => {}); // so that a visitor is asked for the token before drawing
