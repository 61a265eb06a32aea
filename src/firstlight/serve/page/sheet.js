// The sheet on the site's first page. The network that reads it is loaded when the sheet comes near
// the window.

import { fileBytes } from "./files.js";
import { readModel } from "./onnx.js";
import * as tryout from "./tryout.js";

export async function mount(element) {
  const model = readModel(await fileBytes("data/digits.onnx"));
  element.replaceChildren();
  return { leave: tryout.mount(element, model) };
}
