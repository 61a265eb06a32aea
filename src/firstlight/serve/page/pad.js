// A sheet to draw on, with mouse, pen, finger or keyboard. Strokes are kept as points of a sheet of
// 800×600 units, whatever its size on the screen: so they can be undone, sent and put in an address.

import { colors } from "./pixels.js";

const WIDTH = 800, HEIGHT = 600, PEN = 22;
const SENT = 400; // pixels across of the picture that is sent
const NEAREST = 3; // units between two points that are kept

export class Pad {
  /**
   * `changed(lifted, fresh)` is told of every new piece of ink, whether the pen was lifted, and
   * whether there is any ink that it was not told of before.
   */
  constructor(canvas, changed) {
    Object.assign(this, { canvas, changed, strokes: [], drawing: null });
    this.sheet = new OffscreenCanvas(SENT, (SENT * HEIGHT) / WIDTH);
    this.sheetPen = this.sheet.getContext("2d", { willReadFrequently: true });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"])
      canvas.addEventListener(kind, (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.cursor = { x: WIDTH / 2, y: HEIGHT / 3, down: false };
    for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => this.paint());
    this.watched = new ResizeObserver(() => this.paint());
    this.watched.observe(canvas);
    this.left = new AbortController();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.paint(), { signal: this.left.signal });
  }

  /** The view with the sheet is left. */
  forget() {
    this.watched.disconnect();
    this.left.abort();
  }

  get empty() {
    return !this.strokes.length;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * WIDTH, ((event.clientY - box.top) / box.height) * HEIGHT];
  }

  down(event) {
    if (this.drawing !== null || event.button > 0) return; // one finger draws; a palm does not
    this.canvas.setPointerCapture(event.pointerId); // go on when the pen leaves the sheet
    this.drawing = event.pointerId;
    this.strokes.push([this.at(event)]);
    this.paint();
  }

  move(event) {
    if (event.pointerId !== this.drawing) return;
    const stroke = this.strokes.at(-1);
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) {
      const point = this.at(each), last = stroke.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= NEAREST) stroke.push(point);
    }
    this.paint();
    this.changed(false, true);
  }

  up(event) {
    if (event.pointerId !== this.drawing) return;
    this.drawing = null;
    this.changed(true, this.strokes.at(-1).length === 1);
  }

  /** What was being drawn is no more. */
  lift() {
    this.drawing = null;
    this.cursor.down = false;
  }

  /** Arrow keys move a pen, the space bar puts it down and lifts it. */
  key(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || (!by && event.key !== " ")) return;
    event.preventDefault();
    const pen = this.cursor;
    if (!by) {
      pen.down = !pen.down;
      if (pen.down) this.strokes.push([[pen.x, pen.y]]);
    } else {
      pen.x = Math.min(WIDTH, Math.max(0, pen.x + 20 * by[0]));
      pen.y = Math.min(HEIGHT, Math.max(0, pen.y + 20 * by[1]));
      if (pen.down) this.strokes.at(-1)?.push([pen.x, pen.y]);
    }
    this.paint();
    this.changed(true, true);
  }

  undo() {
    this.strokes.pop();
    this.lift();
    this.paint();
    this.changed(true, true);
  }

  clear() {
    this.strokes = [];
    this.lift();
    this.paint();
    this.changed(true, true);
  }

  /** On the screen, at the screen's own resolution. */
  paint() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width) return;
    const [w, h] = [width, height].map((side) => Math.round(side * devicePixelRatio));
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    const pen = this.canvas.getContext("2d"), { ink, accent } = colors();
    pen.clearRect(0, 0, w, h);
    draw(pen, this.strokes, w / WIDTH, `rgb(${ink})`);
    if (this.canvas.matches(":focus-visible")) {
      const by = w / WIDTH;
      pen.beginPath();
      pen.arc(this.cursor.x * by, this.cursor.y * by, PEN * by, 0, 7);
      pen.lineWidth = 2 * by * (this.cursor.down ? 3 : 1);
      pen.strokeStyle = `rgb(${accent})`;
      pen.stroke();
    }
  }

  /** As a PGM picture, black on white: always of the same size, so the answer is the same too. */
  pgm() {
    const { width, height } = this.sheet;
    this.sheetPen.fillStyle = "#fff";
    this.sheetPen.fillRect(0, 0, width, height);
    draw(this.sheetPen, this.strokes, width / WIDTH, "#000");
    const rgba = this.sheetPen.getImageData(0, 0, width, height).data;
    const header = new TextEncoder().encode(`P5 ${width} ${height} 255\n`);
    const file = new Uint8Array(header.length + width * height);
    file.set(header);
    for (let i = 0; i < width * height; i++) file[header.length + i] = rgba[4 * i];
    return file;
  }

  /** Strokes as text for the address: two letters a number, strokes parted by a dot. */
  get text() {
    const letters = (value) => Math.round(Math.min(1295, Math.max(0, value))).toString(36).padStart(2, "0");
    return this.strokes.map((stroke) => stroke.flat().map(letters).join("")).join(".");
  }

  set text(text) {
    this.lift();
    const numbers = (part) => (part.match(/[0-9a-z]{2}/g) ?? []).map((pair) => parseInt(pair, 36));
    const points = (flat) => flat.flatMap((x, i) => (i % 2 ? [] : [[x, flat[i + 1]]]));
    this.strokes = text.split(".").map((part) => points(numbers(part))).filter((stroke) => stroke.length);
    this.strokes = this.strokes.filter((stroke) => stroke.flat().every(Number.isFinite));
    this.paint();
  }
}

function draw(pen, strokes, by, color) {
  pen.lineWidth = PEN * by;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = color;
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0][0] * by, stroke[0][1] * by);
    for (const [x, y] of stroke.length > 1 ? stroke.slice(1) : stroke) pen.lineTo(x * by, y * by);
    pen.stroke();
  }
}
