// The view Share: how others open this page, large enough for a projector.

import { errorLine, h } from "./dom.js";
import { get } from "./server.js";
import { isShared } from "./token.js";

export function enter(page) {
  if (!isShared) {
    const command = h("code", {}, "firstlight serve --host 0.0.0.0");
    const text = "Only this machine can open this page. This command lets others open it too: ";
    page.append(h("p", {}, text, command));
    return {};
  }
  const error = errorLine();
  let picture = ""; // the address of the QR code's picture
  let left = false;
  page.append(error);

  function show({ link, token, qr }) {
    if (left) return;
    picture = URL.createObjectURL(new Blob([qr], { type: "image/svg+xml" }));
    page.append(
      h(
        "section",
        { class: "card" },
        h("img", { src: picture, alt: "QR code of the link to this page" }),
        h(
          "div",
          { class: "stack" },
          h("h2", {}, "Open this page on another device"),
          h("p", {}, "Point the camera of a telephone at the square, and follow the link."),
          h("p", {}, "Or type this address into a browser, and then the token:"),
          h("dl", {}, ...row("address", link.split("#")[0]), ...row("token", token)),
          h("p", { class: "quiet" }, "Both devices must be in the same network."),
        ),
      ),
    );
  }

  get("share")
    .then(show)
    .catch((problem) => {
      error.textContent = problem.message;
    });
  return {
    leave() {
      left = true;
      URL.revokeObjectURL(picture);
    },
  };
}

const row = (name, value) => [h("dt", {}, name), h("dd", {}, h("code", {}, value))];
