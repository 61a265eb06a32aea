// The token that each request carries. The page of this machine alone has it from the server. A page
// that others can open has it from the link that was followed (address.js), or asks the visitor.

import { field, h } from "./dom.js";

const pageToken = document.querySelector("meta[name=token]").content;
export const isShared = pageToken === ""; // whether others can open this page
let asked = null; // a promise, while the visitor is asked: all requests wait for the same answer
let wasWrong = false;

/** The token, or a promise of it. */
export function token() {
  const known = pageToken || sessionStorage.getItem("token");
  if (known) return known;
  asked ??= ask();
  return asked;
}

/** Forget a token that the server has refused; false if the visitor cannot give another one. */
export function forget(refused) {
  if (pageToken) return false;
  if (sessionStorage.getItem("token") === refused) sessionStorage.removeItem("token");
  wasWrong = true;
  return true;
}

/** Ask the visitor, and promise the token. */
function ask() {
  const dialog = tokenDialog();

  /** Somebody who is asked may follow the link instead, in the same tab. */
  function closeIfKnown() {
    if (sessionStorage.getItem("token")) dialog.close();
  }

  addEventListener("address-written", closeIfKnown);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener("close", () => {
      removeEventListener("address-written", closeIfKnown);
      dialog.remove();
      const entered = sessionStorage.getItem("token");
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
    sessionStorage.setItem("token", input.value.trim());
    dialog.close();
  });
  return dialog;
}
