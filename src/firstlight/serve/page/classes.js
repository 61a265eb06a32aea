// A picture for a run that has learned from pictures: opened by the user, or one of the run's own.

import { h, percent } from "./dom.js";
import { listenForPictures } from "./photo.js";
import { decode, photograph } from "./pixels.js";

const INVITATION =
  "Open a picture to see what the network makes of it. It can also be dropped here or pasted.";

/**
 * @param onPicture is called with a File, or with the number of one of the run's own pictures
 * @returns { element, show, release }
 */
export function pictureChoice(onPicture) {
  const input = h("input", { type: "file", accept: "image/*", hidden: true });
  const open = h("button", { class: "main", onclick: () => input.click() }, "Open a picture");
  const own = h("div", {
    class: "own-pictures",
    role: "group",
    "aria-label": "Pictures of the run",
  });
  const caption = h("p", { class: "quiet", hidden: true }, "Or choose one of the run's pictures:");
  const gets = h("p", { class: "quiet" });
  const chosen = h("div", { class: "chosen-picture" });
  let url = "";
  let side = 0;
  const element = h(
    "div",
    { class: "stack", hidden: true },
    h("p", { class: "quiet" }, INVITATION),
    h("div", { class: "tools" }, open, input),
    caption,
    own,
    chosen,
    gets,
  );

  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });
  const stopListening = listenForPictures((file) => {
    if (!element.hidden) take(file);
  });

  function take(file) {
    press(null);
    URL.revokeObjectURL(url);
    url = URL.createObjectURL(file);
    const image = h("img", { src: url, alt: "the picture that you opened" });
    image.addEventListener("error", () => image.remove()); // the server says why
    chosen.replaceChildren(image);
    onPicture(file);
  }

  function press(pressed) {
    for (const button of own.children)
      button.setAttribute("aria-pressed", String(button === pressed));
  }

  function choice({ number, label, image }) {
    const button = h(
      "button",
      {
        "aria-pressed": "false",
        onclick: () => {
          press(button);
          chosen.replaceChildren();
          onPicture(number);
        },
      },
      photograph(decode(image), [side, side, 3]),
      h("span", {}, label),
    );
    return button;
  }

  /** Show what GET /api/runs/NAME/pictures answers; null for a run on other data. */
  function show(found) {
    element.hidden = !found;
    chosen.replaceChildren();
    side = found?.side ?? 0;
    own.replaceChildren(...(found?.pictures ?? []).map(choice));
    caption.hidden = !own.children.length;
    gets.textContent = found?.input ? `The network gets it as ${inWords(found.input)}.` : "";
  }

  return {
    element,
    show,
    release() {
      stopListening();
      URL.revokeObjectURL(url);
    },
  };
}

const inWords = ([height, width, channels]) =>
  `${height} × ${width} pixels in ${channels === 1 ? "grey" : "colour"}`;

/** The classes, each with a bar as long as its probability; the most probable first. */
export function classBars(labels) {
  const row = ({ label, probability }) => {
    const bar = h("span", { class: "class-bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${100 * probability}%`);
    return h("li", {}, h("span", {}, label), bar, h("span", {}, percent(probability)));
  };
  return h(
    "ol",
    { class: "class-bars", "aria-label": "Classes, the most probable first" },
    labels.map(row),
  );
}
