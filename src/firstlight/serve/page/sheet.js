// The sheet on the site's first page. One can draw at once; the network that reads is loaded then.

import { fileBytes } from "./files.js";
import { readModel } from "./onnx.js";
import * as tryout from "./tryout.js";

const network = async () => readModel(await fileBytes("data/digits.onnx"));

export function mount(element) {
  element.replaceChildren();
  return { leave: tryout.mount(element, network()) };
}
