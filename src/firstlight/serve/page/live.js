// Live parts: what one can try out in the middle of a text. Each is a module that exports
// `mount(element)`, which returns `{ onAddress, leave }`; both may be missing.

import { errorLine, h, NO_ANSWER } from "./dom.js";

/** Put in the live parts of a text, each when it comes near the window. */
export function liveParts(article) {
  const mounted = [];
  let left = false;

  async function mount(element) {
    try {
      const part = await import(`./${element.dataset.live}.js`).catch(() => {
        throw new Error(NO_ANSWER);
      });
      if (!left) mounted.push(part.mount(element) ?? {});
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
  for (const element of article.querySelectorAll("[data-live]")) watcher.observe(element);

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
