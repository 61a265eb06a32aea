// The token that each request carries. The page of this machine alone has it from the server. A page
// that others can open has it from the link that was followed (address.js), or asks the visitor: such
// a token is its tab's, in sessionStorage. When the server has accepted it, all tabs of the browser
// have it, in localStorage, until the server refuses it: it makes a new one at each start.

import { field, h } from "./dom.js";

const pageToken = document.querySelector("meta[name=token]").content;
export const isShared = pageToken === ""; // whether others can open this page
let asked = null; // a promise, while the visitor is asked: all requests wait for the same answer
let wasWrong = false;
const NAME = "token"; // in both storages
const knownToken = () => sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);

/** The token, or a promise of it. */
export function token() {
  const known = pageToken || knownToken();
  if (known) return known;
  asked ??= ask();
  return asked;
}

/** Keep a token that the server has accepted, for all tabs. */
export function keep(accepted) {
  if (pageToken || localStorage.getItem(NAME) === accepted) return;
  localStorage.setItem(NAME, accepted);
}

/** Forget a token that the server has refused; false if the visitor cannot give another one. */
export function forget(refused) {
  if (pageToken) return false;
  for (const storage of [sessionStorage, localStorage])
    if (storage.getItem(NAME) === refused) storage.removeItem(NAME);
  wasWrong = true;
  return true;
}

/** Ask the visitor, and promise the token. */
function ask() {
  const dialog = tokenDialog();

  /** Somebody who is asked may follow the link instead, in this tab or in another one. */
  function closeIfKnown() {
    if (knownToken()) dialog.close();
  }

  addEventListener("address-written", closeIfKnown);
  addEventListener("storage", closeIfKnown);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      removeEventListener("address-written", closeIfKnown);
      removeEventListener("storage", closeIfKnown);
      dialog.remove();
      const entered = knownToken();
      if (!entered) {
        reject(new Error("this server needs a token: reload the page to enter it"));
        return; // and nobody is asked again
      }
      asked = null;
      resolve(entered);
    });
  });
}

/** A dialog that keeps the token which is entered, and closes. */
function tokenDialog() {
  const input = h("input", {
    required: true,
    pattern: "[ -~]+", // a request's header has no other characters
    title: "letters, digits and signs without accents",
    autocapitalize: "none",
    autocomplete: "off",
    spellcheck: "false",
  });
  const text = wasWrong
    ? "The server does not know this token. Please enter it again."
    : "The person who started this server, perhaps your teacher, can tell you its token.";
  const form = h(
    "form",
    { class: "stack" },
    h("h2", { id: "token-title" }, "Token of this server"),
    h("p", { role: wasWrong ? "alert" : null }, text),
    field("token", input),
    h("div", { class: "tools" }, h("button", { class: "main" }, "Open the page")),
  );
  const dialog = h("dialog", { class: "card", "aria-labelledby": "token-title" }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(NAME, input.value.trim());
    dialog.close();
  });
  return dialog;
}
