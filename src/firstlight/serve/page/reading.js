// Where the reader of a text is: the section at the top of the window.

import { newEntry, topBefore } from "./address.js";

const besideText = matchMedia("(min-width: 1100px)"); // as in style.css
const TOP_PART = 0.3; // of the window: a section that begins in it is the one that is read

/**
 * Calls `onSection(id)` when the reader scrolls into another section; "" is the introduction, the
 * first of the sections. A live part is a section as long as it is on the screen. Parts that scroll sideways get a place in the order of the Tab key.
 */
export function readingPosition(article, sections, onSection) {
  let current = null;
  let jumped = false; // the next scrolling is not the reader's

  function onScroll() {
    if (jumped) {
      jumped = false;
      return;
    }
    enter((sections.findLast(isRead) ?? sections[0]).id);
  }

  function enter(id) {
    if (id !== current) onSection(id);
    current = id;
  }

  /** Go where the address leads: to a section, or back to the place that was left for another. */
  function follow(id) {
    const top = topBefore();
    goTo(id);
    if (top !== undefined) scrollTo(0, top);
  }

  function goTo(id) {
    const target = id ? document.getElementById(id) : sections[0];
    if (!article.contains(target)) return;
    if (target.matches("details")) target.open = true;
    current = target.closest("section, .live").id;
    jumped = true;
    setTimeout(() => {
      jumped = false;
    }, 200);
    target.scrollIntoView();
    const title = target.matches("[tabindex]") ? null : target.querySelector("summary, [tabindex]");
    (title ?? target).focus({ preventScroll: true });
    onSection(id);
  }

  const watcher = new ResizeObserver((entries) => {
    for (const { target } of entries)
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
  });
  for (const wide of article.querySelectorAll("pre, .wide")) watcher.observe(wide);
  addEventListener("scroll", onScroll, { passive: true });
  return {
    goTo,
    follow,
    enter,
    stop() {
      watcher.disconnect();
      removeEventListener("scroll", onScroll);
    },
  };
}

/** Whether a section begins at the top of the window or above it; a live part must end below. */
function isRead(section) {
  const { top, bottom } = section.getBoundingClientRect();
  const line = TOP_PART * innerHeight;
  return top < line && (bottom > line || !section.matches(".live"));
}

/**
 * Go to the section of a link that was clicked, in an outline or to a live part. The address keeps
 * what the live parts have put into it; the link's own address is for another tab.
 */
export function stayOnPage(event, position) {
  const link = event.target.closest("li a, .try a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const outline = link.closest("details");
  if (outline && !besideText.matches) outline.open = false; // the text moves up, then scrolls
  newEntry();
  position.goTo(new URLSearchParams(link.hash.split("?")[1]).get("section") ?? link.hash.slice(1));
}

/**
 * Fold an outline (<details>): open where it stands beside the text, and closed above the text.
 *
 * Returns a function that stops it.
 */
export function foldOutline(outline) {
  const details = outline.querySelector("details");
  const update = () => {
    details.open = besideText.matches;
  };
  update();
  besideText.addEventListener("change", update);
  return () => besideText.removeEventListener("change", update);
}

/** Mark the link of an outline that leads to the section that is read. */
export function markSection(outline, hash) {
  for (const link of outline.querySelectorAll("li a")) {
    if (link.hash === hash) {
      link.setAttribute("aria-current", "location");
      outline.scrollTop = link.offsetTop - outline.clientHeight / 2; // a long outline scrolls
    } else {
      link.removeAttribute("aria-current");
    }
  }
}
