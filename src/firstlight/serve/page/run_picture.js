// What a run that has learned from pictures says about a picture that the user opens.

import { verdictLine } from "./answer.js";
import { errorLine, h, percent } from "./dom.js";
import { listenForPictures, photo } from "./photo.js";
import { pictureProblem } from "./pictures.js";
import { reduced } from "./reduce.js";
import { post } from "./server.js";

const EXPLANATION =
  "This network has learned from pictures. Open one, and the network says what it shows.";
const WAITING = "TensorFlow is starting …";
const LARGEST_CLASSES = 5;

/** The part of the view for the run `name`: a picture to open, and the classes of the answer. */
export function runPicture(name) {
  const input = h("input", { type: "file", accept: "image/*", hidden: true });
  const error = errorLine();
  const picture = h("div");
  const answer = h("div", { class: "stack", "aria-live": "polite" });
  let opened = null; // the picture that is shown
  let requests = 0;
  let left = false;

  async function open(file) {
    if (!file || left) return;
    requests += 1;
    const number = requests;
    answer.replaceChildren();
    error.textContent = pictureProblem(file);
    if (error.textContent) return;
    opened?.release();
    opened = photo(file);
    picture.replaceChildren(opened.element);
    answer.textContent = WAITING;
    const path = `classify?run=${encodeURIComponent(name)}&top=${LARGEST_CLASSES}`;
    try {
      const { labels } = await post(path, await reduced(file));
      if (number === requests && !left) answer.replaceChildren(...classesOf(labels));
    } catch (problem) {
      if (number !== requests || left) return;
      answer.replaceChildren();
      error.textContent = problem.message;
    }
  }

  input.addEventListener("change", async () => {
    await open(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  const stopListening = listenForPictures(open);
  const element = h(
    "section",
    { class: "stack run-picture" },
    h("p", { class: "quiet" }, EXPLANATION),
    h("div", { class: "tools" }, h("button", { onclick: () => input.click() }, "Open a picture")),
    input,
    picture,
    answer,
    error,
    howToExplain(name),
  );
  return {
    element,
    leave() {
      left = true;
      stopListening();
      opened?.release();
    },
  };
}

function classesOf(labels) {
  const [best] = labels;
  const rows = labels.map(({ label, probability }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      h("td", {}, h("progress", { max: 1, value: probability, "aria-hidden": "true" })),
      h("td", {}, percent(probability)),
    ),
  );
  const caption = h("caption", {}, "The most probable classes");
  return [
    verdictLine(best.label, best.probability),
    h("table", { class: "classes" }, caption, h("tbody", {}, ...rows)),
  ];
}

const howToExplain = (name) =>
  h(
    "p",
    { class: "quiet" },
    "The layers are shown here for networks of digits alone. For this one, type ",
    h("code", {}, `firstlight explain runs/${name} photo.jpg`),
    " on the computer of the server: it draws what the network looks at, its filters and its maps.",
  );
