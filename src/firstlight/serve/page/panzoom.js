// A picture that can be moved with the pointer and zoomed with wheel, fingers, keys and buttons.

import { h } from "./dom.js";

const ZOOM_IN = 0.8;
const ZOOM_OUT = 1.25;
const MAX_ENLARGEMENT = 12;
const KEY_STEP = 40; // pixels on the screen

/** Shows the text of an SVG file; at first all of it is visible. */
export function panzoom(svgText, label) {
  const picture = svgPicture(svgText);
  const whole = picture.getAttribute("viewBox").split(" ").map(Number);
  let [x, y, width, height] = whole;
  const frame = h(
    "div",
    { class: "graph", tabindex: 0, role: "application", "aria-label": label },
    picture,
  );
  const fingers = new Map(); // pointer id → position on the screen

  const show = () => picture.setAttribute("viewBox", [x, y, width, height].join(" "));

  /** Units of the picture per pixel of the screen. */
  const scale = () => Math.max(width / frame.clientWidth, height / frame.clientHeight);

  /** A factor below 1 enlarges; `center`, a position on the screen, stays where it is. */
  function zoom(factor, center = [frame.clientWidth / 2, frame.clientHeight / 2]) {
    const smallest = whole[2] / MAX_ENLARGEMENT / width;
    const largest = (2 * whole[2]) / width;
    const limited = Math.min(Math.max(factor, smallest), largest);
    const left = (frame.clientWidth - width / scale()) / 2;
    const top = (frame.clientHeight - height / scale()) / 2;
    x += (center[0] - left) * scale() * (1 - limited);
    y += (center[1] - top) * scale() * (1 - limited);
    width *= limited;
    height *= limited;
    show();
  }

  function move(dx, dy) {
    x -= dx * scale();
    y -= dy * scale();
    show();
  }

  function showAll() {
    [x, y, width, height] = whole;
    show();
  }

  function position(event) {
    const box = frame.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function fingerDistance() {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one[0] - other[0], one[1] - other[1]);
  }

  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, position(event));
  });
  frame.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = position(event);
    const distance = fingers.size > 1 ? fingerDistance() : 0;
    fingers.set(event.pointerId, now);
    if (distance) zoom(distance / fingerDistance(), now);
    else move(now[0] - before[0], now[1] - before[1]);
  });
  for (const type of ["pointerup", "pointercancel"])
    frame.addEventListener(type, (event) => fingers.delete(event.pointerId));
  const onWheel = (event) => {
    event.preventDefault();
    zoom(1.0015 ** event.deltaY, position(event));
  };
  frame.addEventListener("wheel", onWheel, { passive: false });

  const keys = {
    "+": () => zoom(ZOOM_IN),
    "-": () => zoom(ZOOM_OUT),
    0: showAll,
    ArrowLeft: () => move(KEY_STEP, 0),
    ArrowRight: () => move(-KEY_STEP, 0),
    ArrowUp: () => move(0, KEY_STEP),
    ArrowDown: () => move(0, -KEY_STEP),
  };
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  const tools = h(
    "div",
    { class: "tools" },
    h("button", { onclick: keys["+"], "aria-label": "Zoom in" }, "+"),
    h("button", { onclick: keys["-"], "aria-label": "Zoom out" }, "−"),
    h("button", { onclick: showAll, "aria-label": "Show the whole picture" }, "Fit"),
  );
  return h("div", { class: "stack" }, frame, tools);
}

/** The element of an SVG file. */
export function svgPicture(svgText) {
  const file = new DOMParser().parseFromString(svgText, "image/svg+xml");
  const picture = document.importNode(file.documentElement, true);
  for (const side of ["width", "height"]) picture.removeAttribute(side);
  picture.querySelector(":scope > title")?.remove(); // it would be a tooltip over all of it
  return picture;
}
