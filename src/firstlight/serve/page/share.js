// The view Share: how others open this page, large enough for a projector. The link opens the page
// at its first view, or at the moment at which the user chose Share.

import { recall, remember } from "./address.js";
import { copyButton } from "./copy.js";
import { errorLine, h } from "./dom.js";
import { get } from "./server.js";
import { isShared } from "./token.js";

const FIRST_VIEW = "draw";

export function enter(page) {
  if (!isShared) {
    const command = h("code", {}, "firstlight serve --host 0.0.0.0");
    const text = "Only this machine can open this page. This command lets others open it too: ";
    page.append(h("p", {}, text, command));
    return {};
  }
  const first = h("button", { onclick: () => choose("first") }, "The first page");
  const here = h("button", { onclick: () => choose("") }, "This moment");
  const choices = h(
    "div",
    { class: "tools", role: "group", "aria-label": "What the link opens" },
    here,
    first,
    h("span", { class: "quiet" }, "“This moment” is what the page showed before you chose Share."),
  );
  const error = errorLine();
  const content = h("div");
  let picture = ""; // the address of the QR code's picture
  let requests = 0;
  page.append(choices, error, content);

  function choose(link) {
    remember({ link });
    onAddress();
  }

  async function onAddress() {
    const moment = recall("moment", FIRST_VIEW);
    const isFirst = recall("link") === "first" || moment === FIRST_VIEW;
    choices.hidden = moment === FIRST_VIEW;
    first.setAttribute("aria-pressed", isFirst);
    here.setAttribute("aria-pressed", !isFirst);
    requests += 1;
    const number = requests;
    const query = new URLSearchParams({ moment: isFirst ? FIRST_VIEW : moment });
    const shared = await get(`share?${query}`).catch((problem) => ({ error: problem.message }));
    if (number === requests) show(shared, isFirst);
  }

  function show(shared, isFirst) {
    error.textContent = shared.error ?? "";
    URL.revokeObjectURL(picture);
    if (shared.qr) picture = URL.createObjectURL(new Blob([shared.qr], { type: "image/svg+xml" }));
    content.replaceChildren(...(shared.error ? [] : [card(shared, isFirst, picture)]));
  }

  onAddress();
  return {
    onAddress,
    again: onAddress,
    leave() {
      requests += 1;
      URL.revokeObjectURL(picture);
    },
  };
}

/** What opens the page: a QR code, the link in it, and for the first page what one types. */
function card({ link, token, qr }, isFirst, picture) {
  const typed = h("dl", {}, ...row("address", link.split("#")[0]), ...row("token", token));
  return h(
    "section",
    { class: "card" },
    qr && h("img", { src: picture, alt: "QR code of the link to this page" }),
    h(
      "div",
      { class: "stack" },
      h("h2", {}, isFirst ? "Open this page on another device" : "Open this moment elsewhere"),
      h("p", {}, qr ? POINT : TOO_LONG),
      ...(isFirst
        ? [h("p", {}, "Or type this address into a browser, and then the token:"), typed]
        : []),
      ...copied(link),
      h("p", { class: "quiet" }, "Both devices must be in the same network."),
    ),
  );
}

const POINT = "Point the camera of a telephone at the square, and follow the link.";
const TOO_LONG = "This link is too long for a QR code, because it has a drawing in it.";

/** The link with the token in it, to be sent to somebody. */
function copied(link) {
  const said = h("p", { class: "visually-hidden", role: "status" });
  const text = h("code", {}, link);
  const frame = { class: "link", role: "group", "aria-label": "link", tabindex: 0 }; // it may scroll
  const button = copyButton(text, said, "Copy the link");
  return [
    h("p", {}, "Or send this link. The token is in it:"),
    h("div", frame, text),
    h("div", { class: "tools" }, button, said),
  ];
}

const row = (name, value) => [h("dt", {}, name), h("dd", {}, h("code", {}, value))];
