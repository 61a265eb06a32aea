// Elements in one line: h("p", { class: "note" }, "text", otherElement).

const SVG = "http://www.w3.org/2000/svg";

export const h = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

function fill(element, attributes = {}, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const percent = (part, digits = 0) => `${(100 * part).toFixed(digits)} %`;
export const accuracy = (part) => percent(part, part > 0.98 && part < 1 ? 2 : 0); // where a hundredth of a percent counts

/** Runs `work` now and then, never twice at a time; returns how to stop it. */
export function every(milliseconds, work) {
  let going = true;
  (async () => {
    while (going) {
      if (!document.hidden) await work();
      await new Promise((done) => setTimeout(done, milliseconds));
    }
  })();
  return () => (going = false);
}
