// The view Learn: the chapters of the series as cards, and one chapter to read.

import { keepPlace, recall, remember, topBefore } from "./address.js";
import { copyButtons } from "./copy.js";
import { errorLine, h } from "./dom.js";
import { liveParts, sectionToShow } from "./live.js";
import { foldOutline, markSection, readingPosition, stayOnPage } from "./reading.js";
import { get } from "./server.js";

export function enter(page) {
  const error = errorLine();
  const content = h("div");
  page.append(error, content);

  let shown = null; // the name of the chapter that is shown; "" if it is the list of all
  let chapters = [];
  let position = null; // where the reader is in the chapter
  let live = null; // the live parts of the chapter
  let stopFolding = () => {}; // the outline of the chapter
  let requests = 0;

  async function onAddress() {
    const name = recall("chapter");
    if (name === shown) {
      position?.follow(sectionToShow(content, recall("section")));
      live?.onAddress();
      return;
    }
    stopReading();
    requests += 1;
    const number = requests;
    try {
      if (!chapters.length) chapters = (await get("chapters")).chapters;
      const html = name ? (await get(`chapters/${encodeURIComponent(name)}`)).html : "";
      if (number === requests) show(name, html);
    } catch (problem) {
      if (number === requests) showProblem(name, problem);
    }
  }

  function show(name, html) {
    const isFirst = shown === null;
    shown = name;
    error.textContent = "";
    const chapter = chapters.find((each) => each.name === name);
    document.title = `${chapter ? titleOf(chapter) : "Learn"} · firstlight`;
    if (chapter) showChapter(chapter, html);
    else content.replaceChildren(tableOfContents(chapters));
    if (!isFirst) focusStart();
    const section = sectionToShow(content, recall("section"));
    if (chapter && section) position.goTo(section);
    else if (!isFirst) scrollTo(0, topBefore() ?? 0);
  }

  function showChapter(chapter, html) {
    const article = h("article", { class: "chapter" }, ...elementsOf(html));
    copyButtons(article);
    const outline = outlineOf(article, chapter);
    const text = h("div", { class: "stack" }, article, neighbours(chapters, chapter));
    content.replaceChildren(h("div", { class: "reading" }, outline, text));
    const sections = [...article.querySelectorAll("section, .live")];
    position = readingPosition(article, sections, (section) => {
      remember({ section });
      markSection(outline, addressOf(chapter, section));
    });
    stopFolding = foldOutline(outline);
    for (const links of [outline, ...article.querySelectorAll(".try")])
      links.addEventListener("click", (event) => stayOnPage(event, position));
    markSection(outline, addressOf(chapter, recall("section")));
    live = liveParts(article, position.enter);
  }

  /** After a link was followed, the keyboard and a screen reader go on at the new title. */
  function focusStart() {
    content.querySelector("h2").focus({ preventScroll: true });
  }

  function showProblem(name, problem) {
    shown = name;
    error.textContent = problem.message;
    content.replaceChildren(chapters.length ? tableOfContents(chapters) : "");
  }

  /** What the reader still scrolls is no place in the chapter that the address names now. */
  function stopReading() {
    position?.stop();
    live?.leave();
    stopFolding();
    position = live = null;
  }

  /** Ask again for what did not arrive. */
  function again() {
    if (!error.textContent) return;
    shown = null;
    onAddress();
  }

  onAddress();
  return {
    onAddress,
    again,
    leave() {
      requests += 1;
      stopReading();
    },
  };
}

const titleOf = ({ number, title }) => `${number}. ${title}`;

const addressOf = ({ name }, section) =>
  `#learn?chapter=${name}${section ? `&section=${section}` : ""}`;

/** The elements of a text in HTML, which the server has made; no script in it would run. */
const elementsOf = (html) => new DOMParser().parseFromString(html, "text/html").body.childNodes;

/** What one needs to run the chapters' code, as the parts of a sentence. */
const needs = () => [
  "To run the code yourself, you need ",
  h("code", {}, "pip install '.[train]'"),
  " in the folder of firstlight's source. To read, and to try the live parts, you need nothing but this page.",
];

function tableOfContents(chapters) {
  const cards = chapters.map((chapter) =>
    h(
      "li",
      { class: "card" },
      h(
        "a",
        { href: addressOf(chapter) },
        h("span", { class: "big", "aria-hidden": "true" }, String(chapter.number)),
        h("h3", {}, chapter.title),
      ),
      h("p", { class: "quiet" }, chapter.subject),
      ...chapter.live.map(({ title, section }) =>
        h("p", { class: "try" }, h("a", { href: addressOf(chapter, section) }, `Try it: ${title}`)),
      ),
    ),
  );
  const introduction =
    "Nine chapters lead from the smallest network that learns to networks that win competitions. " +
    "Each takes about twenty minutes. Read them here, and run their code in Python's " +
    "shell or in notebooks, which this command writes: ";
  return h(
    "div",
    { class: "stack" },
    h("h2", { tabindex: -1 }, "Chapters"),
    h("p", { class: "introduction" }, introduction, h("code", {}, "firstlight lessons notebooks")),
    h("p", { class: "introduction" }, ...needs()),
    h("ol", { class: "contents", onclick: keepPlace }, ...cards),
  );
}

/** Links to the sections of a chapter, and to its live part. */
function outlineOf(article, chapter) {
  const links = [...article.querySelectorAll("section[id], .live")].map((section) => {
    const isLive = section.matches(".live");
    const title = isLive ? section.ariaLabel : section.querySelector("h3").textContent;
    const link = h("a", { href: addressOf(chapter, section.id) }, title);
    return h("li", { class: isLive && "level3" }, link);
  });
  return h(
    "nav",
    { class: "outline", "aria-label": "Sections of this chapter" },
    h("a", { href: "#learn" }, "All chapters"),
    h("details", {}, h("summary", {}, "In this chapter"), h("ol", {}, ...links)),
  );
}

/** Links to the chapters before and after this one. */
function neighbours(chapters, chapter) {
  const index = chapters.indexOf(chapter);
  const link = (label, other) =>
    other &&
    h("a", { class: "card", href: addressOf(other) }, h("span", {}, label), titleOf(other));
  return h(
    "nav",
    { class: "neighbours", "aria-label": "Chapters before and after" },
    link("Previous chapter", chapters[index - 1]),
    link("Next chapter", chapters[index + 1]),
  );
}
