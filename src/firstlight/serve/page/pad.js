// A sheet to draw on with mouse, pen, finger or keyboard. Strokes are kept as points of a sheet of
// 800×600 units, whatever its size on the screen: they can be undone, sent and put in an address.

import { h } from "./dom.js";
import { colors } from "./pixels.js";

const WIDTH = 800;
const HEIGHT = 600;
const PEN_WIDTH = 22;
const INK_WIDTH = 400; // pixels, of the picture that is read
const MIN_DISTANCE = 3; // units between two points that are kept
const KEY_STEP = 20; // units
const MAX_COORDINATE = 1295; // "zz" in base 36
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const clamp = (value, minimum, maximum) => Math.min(maximum, Math.max(minimum, value));

/** The canvas for a Pad. */
export const padCanvas = (label) =>
  h("canvas", {
    class: "pad",
    tabindex: 0,
    role: "application",
    "aria-label": `${label} Arrow keys move the pen; the space bar lowers and lifts it.`,
  });

export class Pad {
  /**
   * `onChange(lifted, fresh)` is called when the ink changes and when the pen is lifted; `fresh` is
   * false if no ink was added since the last call.
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.strokes = [];
    this.pointer = null; // the id of the pointer that draws
    this.cursor = { x: WIDTH / 2, y: HEIGHT / 3, down: false }; // the keyboard's pen
    this.inkCanvas = new OffscreenCanvas(INK_WIDTH, (INK_WIDTH * HEIGHT) / WIDTH);
    this.inkContext = this.inkCanvas.getContext("2d", { willReadFrequently: true });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"])
      canvas.addEventListener(type, (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const type of ["focus", "blur"]) canvas.addEventListener(type, () => this.paint());
    this.resizeObserver = new ResizeObserver(() => this.paint());
    this.resizeObserver.observe(canvas);
    this.released = new AbortController();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.paint(), { signal: this.released.signal });
  }

  /** The user leaves the view: stop listening. */
  release() {
    this.resizeObserver.disconnect();
    this.released.abort();
  }

  get empty() {
    return !this.strokes.length;
  }

  /** Where an event happened, in whole units of the sheet: an address has no others. */
  position(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      Math.round(((event.clientX - box.left) / box.width) * WIDTH),
      Math.round(((event.clientY - box.top) / box.height) * HEIGHT),
    ];
  }

  down(event) {
    if (this.pointer !== null || event.button > 0) return; // another finger or a palm draws nothing
    this.canvas.setPointerCapture(event.pointerId); // keeps the pen beyond the sheet's edge
    this.pointer = event.pointerId;
    this.strokes.push([this.position(event)]);
    this.paint();
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const stroke = this.strokes.at(-1);
    const coalesced = event.getCoalescedEvents?.() ?? [];
    for (const each of coalesced.length ? coalesced : [event]) {
      const point = this.position(each);
      const last = stroke.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= MIN_DISTANCE) stroke.push(point);
    }
    this.paint();
    this.onChange(false, true);
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    const isDot = this.strokes.at(-1).length === 1; // `move` has not reported it
    this.onChange(true, isDot);
  }

  /** Lift both pens without a report. */
  lift() {
    this.pointer = null;
    this.cursor.down = false;
  }

  /** Arrow keys move the keyboard's pen; the space bar lowers and lifts it. */
  key(event) {
    const direction = ARROWS[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (!direction && event.key !== " ") return;
    event.preventDefault();
    const cursor = this.cursor;
    if (direction) {
      cursor.x = clamp(cursor.x + KEY_STEP * direction[0], 0, WIDTH);
      cursor.y = clamp(cursor.y + KEY_STEP * direction[1], 0, HEIGHT);
      if (cursor.down) this.strokes.at(-1)?.push([cursor.x, cursor.y]);
    } else {
      cursor.down = !cursor.down;
      if (cursor.down) this.strokes.push([[cursor.x, cursor.y]]);
    }
    this.paint();
    this.onChange(true, true);
  }

  undo() {
    this.setStrokes(this.strokes.slice(0, -1));
  }

  clear() {
    this.setStrokes([]);
  }

  setStrokes(strokes) {
    this.strokes = strokes;
    this.lift();
    this.paint();
    this.onChange(true, true);
  }

  /** Draw the strokes on the screen, at the screen's own resolution. */
  paint() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    const width = Math.round(box.width * devicePixelRatio);
    const height = Math.round(box.height * devicePixelRatio);
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    const context = this.canvas.getContext("2d");
    const { ink, accent } = colors();
    const scale = width / WIDTH;
    context.clearRect(0, 0, width, height);
    drawStrokes(context, this.strokes, scale, `rgb(${ink})`);
    if (this.canvas.matches(":focus-visible"))
      drawCursor(context, this.cursor, scale, `rgb(${accent})`);
  }

  /** The sheet as values 0..255, light ink on black, always of one size: the answer is then the same. */
  ink() {
    const { width, height } = this.inkCanvas;
    this.inkContext.fillStyle = "#000";
    this.inkContext.fillRect(0, 0, width, height);
    drawStrokes(this.inkContext, this.strokes, width / WIDTH, "#fff");
    const rgba = this.inkContext.getImageData(0, 0, width, height).data;
    const values = new Uint8Array(width * height);
    for (let i = 0; i < values.length; i++) values[i] = rgba[4 * i];
    return { width, height, values };
  }

  /** The sheet as a PGM file, black on white. */
  pgm() {
    const { width, height, values } = this.ink();
    const header = new TextEncoder().encode(`P5 ${width} ${height} 255\n`);
    const file = new Uint8Array(header.length + values.length);
    file.set(header);
    for (let i = 0; i < values.length; i++) file[header.length + i] = 255 - values[i];
    return file;
  }

  /** The strokes as text for the address: two letters per number, a dot between strokes. */
  get text() {
    const letters = (value) => {
      const rounded = Math.round(clamp(value, 0, MAX_COORDINATE));
      return rounded.toString(36).padStart(2, "0");
    };
    return this.strokes.map((stroke) => stroke.flat().map(letters).join("")).join(".");
  }

  set text(text) {
    this.lift();
    this.strokes = parseStrokes(text);
    this.paint();
  }
}

/** What `text` of a Pad has written → its strokes. */
export const parseStrokes = (text) => text.split(".").map(parseStroke).filter(isStroke);

/** "0a140b15" → [[10, 40], [11, 41]]. */
function parseStroke(text) {
  const numbers = (text.match(/[0-9a-z]{2}/g) ?? []).map((pair) => parseInt(pair, 36));
  const points = [];
  for (let i = 0; i < numbers.length; i += 2) points.push([numbers[i], numbers[i + 1]]);
  return points;
}

const isStroke = (points) => points.length > 0 && points.flat().every(Number.isFinite);

/** Draw strokes; `scale` is in pixels per unit of the sheet. */
export function drawStrokes(context, strokes, scale, color) {
  context.lineWidth = PEN_WIDTH * scale;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = color;
  for (const stroke of strokes) {
    const [first, ...others] = stroke;
    context.beginPath();
    context.moveTo(first[0] * scale, first[1] * scale);
    for (const [x, y] of others.length ? others : [first]) context.lineTo(x * scale, y * scale);
    context.stroke();
  }
}

function drawCursor(context, { x, y, down }, scale, color) {
  context.beginPath();
  context.arc(x * scale, y * scale, PEN_WIDTH * scale, 0, 2 * Math.PI);
  context.lineWidth = (down ? 6 : 2) * scale;
  context.strokeStyle = color;
  context.stroke();
}
