// Live parts: what one can try out in the middle of a text. Each is a module that exports
// `mount(element)`, which returns `{ onAddress, leave }`; both may be missing.
// Here it gets its title.

import { address } from "./address.js";
import { errorLine, h, NO_ANSWER } from "./dom.js";

const OF_THE_PAGE = ["chapter", "section"]; // all other names in the address are a live part's

/**
 * The section to show for the one that the address names: the live part, if the address has
 * settings of it. A reader who has gone on to another section after using it stays there.
 */
export function sectionToShow(article, section) {
  const part = article.querySelector("[data-live]"); // a chapter has one, or none
  const hasSettings = [...address.query.keys()].some((name) => !OF_THE_PAGE.includes(name));
  if (!part || !hasSettings) return section;
  return section === "" || section === part.closest("section").id ? part.id : section;
}

/** The title of a live part, one level below the heading that it stands under. */
function titleOf(element) {
  if (!element.ariaLabel) return [];
  const isAbove = (heading) =>
    heading.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING;
  const heading = [...document.querySelectorAll("h1, h2, h3, h4, h5")].findLast(isAbove);
  const level = Number(heading?.tagName.at(1) ?? 1) + 1;
  return [h(`h${level}`, { class: "live-title" }, element.ariaLabel)];
}

/**
 * Put in the live parts of a text, each when it comes near the window.
 *
 * `onUse(id)` is called when the reader begins to use one, and again at each click in it.
 */
export function liveParts(article, onUse = () => {}) {
  const mounted = [];
  let left = false;

  async function mount(element) {
    try {
      const part = await import(`./${element.dataset.live}.js`).catch(() => {
        throw new Error(NO_ANSWER);
      });
      if (left) return;
      element.replaceChildren(...titleOf(element)); // in place of the sentence without JavaScript
      mounted.push(part.mount(element) ?? {});
    } catch (problem) {
      const error = errorLine();
      element.replaceChildren(error, h("button", { onclick: () => again(element) }, "Try again"));
      error.textContent = problem.message;
    }
  }

  function again(element) {
    element.replaceChildren();
    mount(element);
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        mount(target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const element of article.querySelectorAll("[data-live]")) {
    watcher.observe(element);
    for (const type of ["focusin", "click"])
      element.addEventListener(type, () => onUse(element.id));
  }

  return {
    onAddress() {
      for (const part of mounted) part.onAddress?.();
    },
    leave() {
      left = true;
      watcher.disconnect();
      for (const part of mounted) part.leave?.();
    },
  };
}
