// Curves over training steps, drawn as SVG.
//
// A curve is { name, legend, color, points: [[step, value], ...], dots, isMark }; curves without a
// `legend` are not named below the picture, `dots` marks each point, a mark is one point.

import { h, integer, svg } from "./dom.js";

const HEIGHT = 256;
const LEFT = 46;
const RIGHT = 12;
const TOP = 24; // above it is the name of the values
const BOTTOM = 38; // below it are the steps, and their name
const MIN_LOG_VALUE = 1e-5; // on a logarithmic scale, smaller values (a cost of 0) are drawn here
const MAX_POINTS = 160; // of a curve; a longer one is averaged down to this number
const VALUE_LINE_HEIGHT = 16;

/**
 * Draw curves into `frame`, and again when its width changes. `title` is the name of the values.
 *
 * `log` draws values on a logarithmic scale; `isFraction` is for values from 0 to 1, whose axis is in
 * percent; `format` makes a value's text; `empty` is shown while there is no point.
 */
export function drawCurves(frame, title, curves, options = {}) {
  const { format = String, empty = "nothing yet" } = options;
  frame.classList.add("curve");
  redraws.set(frame, () => {
    const chart = new Chart(frame.clientWidth || 400, curves, options);
    frame.replaceChildren(chart.draw(title, { format, empty }), legend(curves));
  });
  redraws.get(frame)();
  resizeObserver.observe(frame);
}

const redraws = new WeakMap(); // frame → the function that draws into it
const resizeObserver = new ResizeObserver((entries) => {
  for (const { target } of entries) redraws.get(target)?.();
});

function legend(curves) {
  const named = curves.filter(({ legend }) => legend);
  const items = named.map(({ legend, color, isMark }) => {
    const mark = h("i", { class: isMark && "mark" });
    mark.style.background = color;
    return h("li", {}, mark, legend);
  });
  return h("ul", { class: "legend", "aria-hidden": "true" }, ...items);
}

class Chart {
  constructor(width, curves, { log = false, isFraction = false }) {
    const points = curves.flatMap((curve) => curve.points);
    this.width = width;
    this.curves = curves;
    this.log = log;
    this.isFraction = isFraction;
    this.isEmpty = !points.length;
    this.lastStep = Math.max(...points.map(([step]) => step), 1);
    [this.low, this.high] = padded(points.map(([, value]) => this.onScale(value)));
    if (!log) this.low = Math.max(this.low, 0); // no cost and no accuracy is below 0
  }

  onScale(value) {
    return this.log ? Math.log10(Math.max(value, MIN_LOG_VALUE)) : value;
  }

  x(step) {
    return LEFT + (step / this.lastStep) * (this.width - LEFT - RIGHT);
  }

  y(value) {
    const fraction = (this.onScale(value) - this.low) / (this.high - this.low);
    return TOP + (1 - fraction) * (HEIGHT - TOP - BOTTOM);
  }

  draw(title, { format, empty }) {
    const lastValues = this.curves.map((curve) => lastValue(curve, format));
    const picture = svg("svg", {
      viewBox: `0 0 ${this.width} ${HEIGHT}`,
      height: HEIGHT,
      role: "img",
      "aria-label": `${title}: ${lastValues.join("; ") || "nothing yet"}`,
    });
    if (this.isEmpty) {
      const middle = { x: this.width / 2, y: HEIGHT / 2, "text-anchor": "middle" };
      picture.append(svg("text", middle, empty));
      return picture;
    }
    picture.append(...this.axisNames(title), ...this.horizontalGrid(), ...this.stepLabels());
    for (const curve of this.curves) picture.append(...this.line(curve));
    picture.append(this.cursor(picture, format));
    return picture;
  }

  /** The values of the axis, and their texts. */
  axis() {
    const powers = this.log ? logTicks(this.low, this.high) : [];
    if (powers.length > 1) return powers.map((value) => [value, shortNumber(value)]);
    const [low, high] = [this.low, this.high].map((each) => (this.log ? 10 ** each : each));
    const values = ticks(low, this.isFraction ? Math.min(high, 1) : high, 4);
    const texts = exactTexts(values.map((value) => (this.isFraction ? 100 * value : value)));
    return values.map((value, i) => [value, texts[i] + (this.isFraction ? "\u00a0%" : "")]);
  }

  axisNames(title) {
    const scale = this.log ? ", logarithmic scale" : "";
    const right = { x: this.width - RIGHT, y: HEIGHT - 3, "text-anchor": "end" };
    return [svg("text", { x: 0, y: 11 }, title.toLowerCase() + scale), svg("text", right, "step")];
  }

  horizontalGrid() {
    const right = this.width - RIGHT;
    return this.axis().flatMap(([value, text]) => {
      const y = this.y(value);
      const label = { x: LEFT - 6, y: y + 4, "text-anchor": "end" };
      return [
        svg("line", { class: "grid", x1: LEFT, x2: right, y1: y, y2: y }),
        svg("text", label, text),
      ];
    });
  }

  stepLabels() {
    const round = ticks(0, this.lastStep, Math.max(2, this.width / 130));
    const steps = round.filter(Number.isInteger);
    return steps.map((step) =>
      svg("text", { x: this.x(step), y: HEIGHT - 20, "text-anchor": "middle" }, integer(step)),
    );
  }

  line({ color, points, dots }) {
    const moves = points.map(([step, value], i) => {
      const command = i === 0 ? "M" : "L";
      return `${command}${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`;
    });
    const path = svg("path", { d: moves.join(""), stroke: color });
    const marked = dots || points.length === 1 ? points : [];
    return [path, ...marked.map((point) => this.dot(point, color, 3.5))];
  }

  dot([step, value], color, r) {
    return svg("circle", { cx: this.x(step), cy: this.y(value), r, fill: color });
  }

  /** A group that shows the values under the pointer. */
  cursor(picture, format) {
    const group = svg("g", {});
    picture.addEventListener("pointerleave", () => group.replaceChildren());
    picture.addEventListener("pointermove", (event) => {
      const x = event.clientX - picture.getBoundingClientRect().left;
      group.replaceChildren(...this.valuesAt(x, format));
    });
    return group;
  }

  valuesAt(pointerX, format) {
    const distance = ([step]) => Math.abs(this.x(step) - pointerX);
    const nearer = (one, other) => (distance(other) < distance(one) ? other : one);
    const nearest = this.curves
      .filter(({ points }) => points.length)
      .map((curve) => ({ curve, point: curve.points.reduce(nearer) }));
    if (!nearest.length) return [];
    const x = this.x(nearest[0].point[0]);
    const onRightHalf = x > this.width / 2;
    const texts = nearest.map(({ curve, point: [step, value] }, i) => {
      const attributes = {
        class: "value",
        x: onRightHalf ? x - 8 : x + 8,
        y: TOP + 12 + VALUE_LINE_HEIGHT * i,
        "text-anchor": onRightHalf ? "end" : "start",
      };
      return svg("text", attributes, `${curve.name}  ${format(value)}  at ${integer(step)}`);
    });
    const dots = nearest.map(({ curve, point }) => this.dot(point, curve.color, 4));
    const line = svg("line", { class: "cross", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM });
    return [line, ...dots, ...texts];
  }
}

function lastValue({ name, points }, format) {
  return points.length ? `${name} ${format(points.at(-1)[1])}` : name;
}

/** The range of the values, with a margin below and above. */
function padded(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = (high - low) * 0.06 || 0.5;
  return [low - margin, high + margin];
}

/** About `count` round numbers between two values. */
function ticks(low, high, count) {
  const minDistance = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(minDistance));
  const distance = [1, 2, 2.5, 5, 10].map((n) => n * power).find((each) => each >= minDistance);
  const values = [];
  for (let value = Math.ceil(low / distance) * distance; value <= high + 1e-9; value += distance)
    values.push(Number(value.toPrecision(12)));
  return values;
}

/** The texts of an axis' values, with as many decimals as the distance between them needs. */
function exactTexts(values) {
  const distance = values.length > 1 ? values[1] - values[0] : values[0];
  const digits = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const isExact = (n) => Math.abs(Number(distance.toFixed(n)) - distance) < 1e-6 * distance;
  const decimals = digits.find(isExact) ?? digits.at(-1);
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return values.map((value) => value.toLocaleString("en", options));
}

/** The powers of ten between two logarithms; 2 and 5 times them too if the range is small. */
function logTicks(low, high) {
  const factors = high - low > 1.5 ? [1] : [1, 2, 5];
  const values = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const logarithm = Math.log10(factor) + power;
      if (logarithm >= low && logarithm <= high) values.push(factor * 10 ** power);
    }
  }
  return values;
}

/** A number with three significant digits, or a large one without decimals. */
export function shortNumber(value) {
  if (Math.abs(value) >= 1000 || value === 0)
    return value.toLocaleString("en", { maximumFractionDigits: 0 });
  return String(Number(value.toPrecision(3)));
}

/** The logged lines of a run as curves of cost and accuracy; those of training are averaged. */
export function costAndAccuracy(lines, colors, runName = "") {
  const prefix = runName && `${runName} `;
  const points = (split, key) =>
    lines
      .filter((line) => line.split === split && line[key] !== null)
      .map((line) => [line.step, line[key]]);
  const curves = (key) => {
    const training = {
      name: `${prefix}training`,
      legend: runName || "training",
      color: colors[0],
      points: smooth(points("train", key)),
    };
    const validation = {
      name: `${prefix}validation`,
      legend: runName ? "" : "validation",
      color: colors[1],
      points: points("val", key),
      dots: true,
    };
    return [training, validation].filter((curve) => curve.points.length);
  };
  return { costs: curves("loss"), accuracies: curves("accuracy") };
}

/** The first point, and the means of groups of points: MAX_POINTS groups at most. */
export function smooth(points) {
  const groupSize = Math.ceil(points.length / MAX_POINTS);
  if (groupSize < 2) return points;
  const means = [points[0]];
  for (let i = 0; i < points.length; i += groupSize) {
    const group = points.slice(i, i + groupSize);
    const sum = group.reduce((total, [, value]) => total + value, 0);
    means.push([group.at(-1)[0], sum / group.length]);
  }
  return means;
}
