// A page of the site is complete without this module. It adds the parts that one can try out, buttons
// that copy code, and the reader's place in the address.

import { address, onAddress, rememberView } from "./address.js";
import { copyButtons } from "./copy.js";
import { liveParts, sectionToShow } from "./live.js";
import { foldOutline, markSection, readingPosition, stayOnPage } from "./reading.js";

const article = document.querySelector(".chapter");
const position = article ? reading(article, document.querySelector(".outline")) : null;
const live = liveParts(document.querySelector("main"), position?.enter);

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
  for (const links of [outline, ...article.querySelectorAll(".try")])
    links.addEventListener("click", (event) => stayOnPage(event, position));
  const section = sectionToShow(article, address.view);
  if (section) position.goTo(section);
  return position;
}

onAddress(() => {
  position?.follow(sectionToShow(article, address.view));
  live.onAddress();
});
