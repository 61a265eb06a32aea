// Which part of a digit a network looks at: it answers again while a part is covered.

import { figure, h, percent } from "./dom.js";
import { colors, greyPicture, mix, picture } from "./pixels.js";

const MIN_RANGE = 0.05; // of a probability, so that a network that is always sure shows no noise

/** `name` is the class that the network predicts, `cover` what is laid over: "blank" paper. */
export function occlusionPanel(image, { probabilities, occlusion }, name, cover) {
  const highest = Math.max(...probabilities);
  const covered = occlusion.flat();
  const input = greyPicture(image, 28, "the network's input");
  const paragraphs = explanation({ name, cover }, highest, Math.min(...covered)).map((text) =>
    h("p", {}, text),
  );
  return h(
    "article",
    { class: "card layer" },
    h("h2", {}, "Where the network looks"),
    h(
      "div",
      { class: "input-card" },
      figure(input, "the network's input: 28×28 pixels"),
      figure(occlusionPicture(image, covered, highest), "blue: what the answer depends on"),
      h("div", { class: "stack quiet" }, paragraphs),
    ),
  );
}

function explanation({ name, cover }, highest, lowest) {
  const after = percent(Math.min(lowest, highest));
  return [
    `A cover of 8×8 pixels, ${cover === "blank" ? "as blank as paper" : "black"}, slides over the picture. At each place the network ` +
      "answers again.",
    `A pixel is blue if the network is less sure of ${name} while the cover is centred there. The ` +
      "bluer it is, the more the answer depends on what was covered.",
    highest - lowest < MIN_RANGE
      ? `Here no place matters much: the probability of ${name} is always at least ${after}.`
      : `The probability of ${name} is ${percent(highest)}. At the bluest pixel it falls to ${after}.`,
  ];
}

/** The digit in dark grey; over it, in blue, how much the probability falls where it is covered. */
function occlusionPicture(image, probabilities, highest) {
  const { accent } = colors();
  const range = Math.max(highest - Math.min(...probabilities), MIN_RANGE);
  const colorAt = (i) => {
    const grey = 0.55 * image[i];
    const fall = Math.max(0, highest - probabilities[i]) / range;
    return mix([grey, grey, grey], accent, 0.85 * fall);
  };
  return picture(28, 28, colorAt, "where the network looks");
}
