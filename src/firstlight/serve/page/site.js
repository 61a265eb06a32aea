// A page of the site is complete without this module. It adds the parts that one can try out, buttons
// that copy code, and the reader's place in the address.

import { address, onAddress, rememberView } from "./address.js";
import { copyButtons } from "./copy.js";
import { liveParts } from "./live.js";
import { foldOutline, markSection, readingPosition, stayOnPage } from "./reading.js";

const live = liveParts(document.querySelector("main"));
const article = document.querySelector(".chapter");
const position = article ? reading(article, document.querySelector(".outline")) : null;

function reading(article, outline) {
  copyButtons(article);
  foldOutline(outline);
  const linked = [...outline.querySelectorAll("li a")].map((link) => link.hash.slice(1));
  const sections = linked.map((id) => document.getElementById(id));
  sections.unshift(article.querySelector(".intro"));
  const position = readingPosition(article, sections, (section) => {
    rememberView(section);
    markSection(outline, `#${section}`);
  });
  outline.addEventListener("click", (event) => stayOnPage(event, position));
  if (address.view) position.goTo(address.view);
  return position;
}

onAddress(() => {
  position?.goTo(address.view);
  live.onAddress();
});
