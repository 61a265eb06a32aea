// The page's whole state is in its address, after the #: `#draw?ink=...`. Everybody who opens the
// same address sees the same page. On a page of the site, the view is the section that is read:
// `#a-filter-by-hand?kernel=edges`.

export const address = { view: "", query: new URLSearchParams() };
let known; // what stood in the browser's address when it was read or written last

function parse() {
  known = location.hash;
  const [view, query = ""] = location.hash.slice(1).split("?");
  address.view = view;
  address.query = new URLSearchParams(query);
  takeToken();
}

/** A link can bring the server's token. People copy addresses, so it does not stay in this one. */
function takeToken() {
  const token = address.query.get("token");
  if (token === null) return;
  if (token) sessionStorage.setItem("token", token);
  remember({ token: "" });
}

/** What stands after the #, without a token. */
export function moment() {
  const query = address.query.toString().replaceAll("%2C", ",");
  return address.view + (query && `?${query}`);
}

/** Does nothing if the user has just followed a link: its address is about to be read. */
function write() {
  if (location.hash !== known) return;
  const state = moment();
  history.replaceState(null, "", state ? `#${state}` : location.pathname);
  known = location.hash;
  dispatchEvent(new Event("address-written"));
}

/** Put values into the address; empty ones are removed from it. */
export function remember(values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") address.query.delete(name);
    else address.query.set(name, value);
  }
  write();
}

/** Keep in the browser's history how far the page is scrolled: Back leads here. */
export const keepPlace = () => history.replaceState({ top: scrollY }, "");

/** A new entry in the browser's history, so that Back leads to where the reader is now. */
export function newEntry() {
  keepPlace();
  history.pushState(null, "");
}

/** How far the page was scrolled when the reader went on from here; undefined if nobody did. */
export const topBefore = () => history.state?.top;

/** Put the view into the address. */
export function rememberView(view) {
  address.view = view;
  write();
}

export const recall = (name, fallback = "") => address.query.get(name) ?? fallback;

/**
 * The number that stands in the address, from `min` to `max`, and whole if `step` is 1; the standard
 * one if there is none or a wrong one. For a wrong one, `problem` is a sentence; in it, `means` stands
 * for the standard one.
 */
export function recallNumber(name, { standard, min, max, step, means = standard }) {
  const text = recall(name);
  if (text === "") return { value: standard, problem: "" };
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= min && value <= max && (step !== 1 || Number.isInteger(value)))
    return { value, problem: "" };
  const kind = `a ${step === 1 ? "whole " : ""}number from ${min} to ${max.toLocaleString("en")}`;
  return { value: standard, problem: wrong(name, kind, means) };
}

/** The same for a text, which must be one of several. */
export function recallChoice(name, choices, standard) {
  const value = recall(name, standard);
  if (choices.includes(value)) return { value, problem: "" };
  return { value: standard, problem: wrong(name, `one of ${choices.join(", ")}`, standard) };
}

/** What is said about a wrong value in the address. */
export const wrong = (name, expected, standard) =>
  `The link has ${name}=${recall(name).slice(0, 20)}, which is not ${expected}. Here it is ${standard}.`;

/** Calls `listener` when the user follows a link or goes back. */
export function onAddress(listener) {
  addEventListener("hashchange", () => {
    parse();
    listener();
  });
}

parse();
