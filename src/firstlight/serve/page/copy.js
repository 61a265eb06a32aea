// A button on each block of code, which copies it.

import { h } from "./dom.js";

const MILLISECONDS_SHOWN = 2000;

export function copyButtons(article) {
  const said = h("p", { class: "visually-hidden", role: "status" });
  for (const code of article.querySelectorAll(".code code"))
    code.closest(".code").querySelector(".label").append(copyButton(code, said));
  article.append(said);
}

/** A button that copies the text of an element; `said` is read aloud. */
export function copyButton(code, said, name = "Copy") {
  const button = h("button", { onclick: copy }, name);

  async function copy() {
    const text = await copied(code);
    button.textContent = text;
    said.textContent = text;
    setTimeout(() => {
      button.textContent = name;
      said.textContent = "";
    }, MILLISECONDS_SHOWN);
  }

  return button;
}

/** Copy the code without the shell's prompts; where a browser forbids it, select the code. */
async function copied(code) {
  const typed = code.cloneNode(true);
  for (const prompt of typed.querySelectorAll(".prompt")) prompt.remove();
  try {
    await navigator.clipboard.writeText(typed.textContent);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    return "Selected: press Ctrl+C";
  }
}
