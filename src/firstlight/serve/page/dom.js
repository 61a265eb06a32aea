// Builds elements: h("p", { class: "note" }, "text", otherElement) is <p class="note">text…</p>.

const SVG = "http://www.w3.org/2000/svg";

export const h = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** `onclick` and the like are listeners; true sets an attribute without a value, false none. */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** The space is a no-break space. */
export const percent = (fraction, decimals = 0) => `${(100 * fraction).toFixed(decimals)}\u00a0%`;

/** Near 100 %, hundredths of a percent matter. */
export const accuracyText = (fraction) =>
  percent(fraction, fraction > 0.98 && fraction < 1 ? 2 : 0);

export const integer = (value) => value.toLocaleString("en");

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export const NO_ANSWER = "the server does not answer; is it still running?";

/** A <p> for an error message: read aloud when it is filled, not shown while it is empty. */
export const errorLine = () => h("p", { class: "error", role: "alert" });

/** A form field with its label. */
export const field = (label, input) => h("label", { class: "field" }, label, input);

/** A picture with its caption. */
export const figure = (shown, caption) => h("figure", {}, shown, h("figcaption", {}, caption));

/** A number, large, with its label above it. */
export const largeNumber = (label, value) => h("div", {}, h("span", {}, label), value);

/** Calls `work` again and again, one call at a time; returns a function that stops it. */
export function repeat(milliseconds, work) {
  let stopped = false;
  async function loop() {
    while (!stopped) {
      if (!document.hidden) await work();
      await sleep(milliseconds);
    }
  }
  loop();
  return () => {
    stopped = true;
  };
}
