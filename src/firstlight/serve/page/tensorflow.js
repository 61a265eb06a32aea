// What to do where TensorFlow is missing: the server's own sentence is for a terminal.

import { h } from "./dom.js";

/** The parts of a sentence, for an element. */
export const howToInstall = () => [
  "TensorFlow is not installed where this server runs. In the folder of firstlight's source, run ",
  h("code", {}, "pip install '.[train]'"),
  ", then start ",
  h("code", {}, "firstlight serve"),
  " again.",
];
