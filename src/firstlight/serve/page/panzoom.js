// A picture that can be moved with the pointer and zoomed with wheel, fingers, keys and buttons.

import { h } from "./dom.js";

/** Shows SVG text, whole at first. */
export function panzoom(text, label) {
  const picture = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  const whole = picture.getAttribute("viewBox").split(" ").map(Number);
  let [x, y, width, height] = whole;
  for (const side of ["width", "height"]) picture.removeAttribute(side);
  picture.querySelector(":scope > title")?.remove(); // else it follows the pointer
  const place = h("div", { class: "graph", tabindex: 0, role: "application", "aria-label": label }, picture);
  const fingers = new Map();

  const show = () => picture.setAttribute("viewBox", [x, y, width, height].join(" "));
  const scale = () => Math.max(width / place.clientWidth, height / place.clientHeight);

  function zoom(by, at = [place.clientWidth / 2, place.clientHeight / 2]) {
    by = Math.min(Math.max(by, whole[2] / 12 / width), (2 * whole[2]) / width);
    const left = (place.clientWidth - width / scale()) / 2, top = (place.clientHeight - height / scale()) / 2;
    x += (at[0] - left) * scale() * (1 - by);
    y += (at[1] - top) * scale() * (1 - by);
    width *= by;
    height *= by;
    show();
  }

  function move(dx, dy) {
    x -= dx * scale();
    y -= dy * scale();
    show();
  }

  const at = (event) => {
    const box = place.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const apart = () => {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one[0] - other[0], one[1] - other[1]);
  };
  place.addEventListener("pointerdown", (event) => {
    place.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
  });
  place.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = at(event), far = fingers.size > 1 ? apart() : 0;
    fingers.set(event.pointerId, now);
    if (far) zoom(far / apart(), now);
    else move(now[0] - before[0], now[1] - before[1]);
  });
  for (const kind of ["pointerup", "pointercancel"])
    place.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  place.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(1.0015 ** event.deltaY, at(event));
  }, { passive: false });
  place.addEventListener("keydown", (event) => {
    const keys = { "+": () => zoom(0.8), "-": () => zoom(1.25), 0: fit, ArrowLeft: () => move(40, 0),
      ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40), ArrowDown: () => move(0, -40) };
    if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  function fit() {
    [x, y, width, height] = whole;
    show();
  }

  const button = (says, name, work) => h("button", { onclick: work, "aria-label": name }, says);
  const tools = h("div", { class: "tools" }, button("+", "Zoom in", () => zoom(0.8)),
    button("−", "Zoom out", () => zoom(1.25)), button("Fit", "Show all of it", fit));
  return h("div", { class: "stack" }, place, tools);
}
