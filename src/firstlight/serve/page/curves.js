// Curves over steps, drawn as SVG: drawCurves(place, [{ name, color, points: [[x, y], ...] }], ...).

import { h, svg } from "./dom.js";

const HEIGHT = 230, LEFT = 46, RIGHT = 12, TOP = 10, BOTTOM = 26;
const LEAST = 1e-5; // where a scale spans decades, what is less, as a cost of 0, is drawn here

/** Draw them into `place`, and again when its width changes. `log` is for what spans decades. */
export function drawCurves(place, title, curves, { log = false, format = String } = {}) {
  place.classList.add("curve");
  place.onresized = () => place.replaceChildren(drawn(place.clientWidth || 400, title, curves, log, format), legend(curves));
  place.onresized();
  watched.observe(place);
}

function legend(curves) {
  const named = curves.filter(({ legend }) => legend).map(({ legend, color }) => {
    const mark = h("i");
    mark.style.background = color;
    return h("li", {}, mark, legend);
  });
  return h("ul", { class: "legend", "aria-hidden": "true" }, ...named);
}

const watched = new ResizeObserver((entries) => entries.forEach(({ target }) => target.onresized?.()));

function drawn(width, title, curves, log, format) {
  const all = curves.flatMap((curve) => curve.points);
  const label = `${title}: ${curves.map((curve) => said(curve, format)).join("; ") || "nothing yet"}`;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": label });
  if (!all.length) return picture;
  const height = log ? (value) => Math.log10(Math.max(value, LEAST)) : (value) => value;
  const [low, high] = range(all.map(([, y]) => height(y)));
  const last = Math.max(...all.map(([x]) => x), 1);
  const x = (step) => LEFT + (step / last) * (width - LEFT - RIGHT);
  const y = (value) => TOP + (1 - (height(value) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  for (const tick of log ? decades(low, high) : ticks(low, high, 4)) {
    const at = y(tick);
    picture.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }),
      svg("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, format(tick)));
  }
  for (const step of ticks(0, last, Math.max(2, width / 130)))
    picture.append(svg("text", { x: x(step), y: HEIGHT - 6, "text-anchor": "middle" }, step.toLocaleString("en")));
  for (const curve of curves) picture.append(...line(curve, x, y));
  picture.append(cursor(picture, curves, x, y, width, format));
  return picture;
}

function line({ color, points, dots }, x, y) {
  const path = points.map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
  const marks = dots || points.length === 1 ? points : [];
  return [svg("path", { d: path.join(""), stroke: color }),
    ...marks.map(([step, value]) => svg("circle", { cx: x(step), cy: y(value), r: 3.5, fill: color }))];
}

/** The values under the pointer. */
function cursor(picture, curves, x, y, width, format) {
  const group = svg("g", {});
  picture.addEventListener("pointerleave", () => group.replaceChildren());
  picture.addEventListener("pointermove", (event) => {
    const at = event.clientX - picture.getBoundingClientRect().left;
    const nearest = curves.filter((curve) => curve.points.length).map((curve) =>
      [curve, curve.points.reduce((best, point) => Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best)]);
    if (!nearest.length) return;
    const place = x(nearest[0][1][0]), left = place > width / 2;
    const texts = nearest.map(([curve, [step, value]], i) =>
      svg("text", { class: "value", x: place + (left ? -8 : 8), y: TOP + 12 + 16 * i, "text-anchor": left ? "end" : "start" },
        `${curve.name}  ${format(value)}  at ${step.toLocaleString("en")}`));
    const marks = nearest.map(([curve, [step, value]]) => svg("circle", { cx: x(step), cy: y(value), r: 4, fill: curve.color }));
    group.replaceChildren(svg("line", { class: "cross", x1: place, x2: place, y1: TOP, y2: HEIGHT - BOTTOM }), ...marks, ...texts);
  });
  return group;
}

const said = ({ name, points }, format) => (points.length ? `${name} ${format(points.at(-1)[1])}` : name);

function range(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const room = (high - low) * 0.06 || 0.5;
  return [low - room, high + room];
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + 1e-9; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

function decades(low, high) {
  const steps = high - low > 1.5 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const step of steps) if (Math.log10(step) + power >= low && Math.log10(step) + power <= high) found.push(step * 10 ** power);
  return found;
}

/** A number in as few digits as say it. */
export const short = (value) =>
  Math.abs(value) >= 1000 || value === 0 ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : String(Number(value.toPrecision(3)));

/** Costs and accuracies of logged lines as curves; training's are noisy, so they are averaged. */
export function costAndAccuracy(lines, colors, prefix = "") {
  const of = (split, what) => lines.filter((line) => line.split === split && line[what] !== null)
    .map((line) => [line.step, line[what]]);
  const pair = (what) => [
    { name: `${prefix}training`, legend: prefix || "training", color: colors[0], points: smooth(of("train", what)) },
    { name: `${prefix}validation`, legend: prefix ? "" : "validation", color: colors[1], points: of("val", what), dots: true },
  ].filter((curve) => curve.points.length);
  return { costs: pair("loss"), accuracies: pair("accuracy") };
}

/** Means of so many points that no more than `most` are left, and the first. */
export function smooth(points, most = 160) {
  const size = Math.ceil(points.length / most);
  if (size < 2) return points;
  const means = [points[0]];
  for (let i = 0; i < points.length; i += size) {
    const part = points.slice(i, i + size);
    means.push([part.at(-1)[0], part.reduce((sum, [, y]) => sum + y, 0) / part.length]);
  }
  return means;
}
