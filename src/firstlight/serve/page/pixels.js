// Arrays of numbers as pictures.

export function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

export const signed = (base64) => new Int8Array(bytes(base64).buffer);

/** The page's colours as [r, g, b], so that pictures follow light and dark. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).match(/\w\w/g).map((pair) => parseInt(pair, 16));
  return { accent: read("--accent"), ink: read("--ink"), paper: read("--card") };
}

export const mix = (from, to, part) => from.map((value, i) => value + (to[i] - value) * part);

/** A canvas of width×height pixels; color(index) gives each as [r, g, b]. Shown enlarged. */
export function picture(width, height, color, label = "") {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.className = "pixels";
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else canvas.setAttribute("aria-hidden", "true");
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...color(i), 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** 0..255, light ink on black: what a network sees. */
export const grey = (values, side, label) =>
  picture(side, values.length / side, (i) => [values[i], values[i], values[i]], label);

/** The same of three colours, or of one: an image [height, width, channels]. */
export function photograph(values, [height, width, channels], label) {
  if (channels === 1) return grey(values, width, label);
  return picture(width, height, (i) => values.subarray(3 * i, 3 * i + 3), label);
}

/** −127..127: the accent speaks for, ink (grey) against, paper says nothing. */
export function signs(values, width, label) {
  const { accent, ink, paper } = colors();
  const color = (i) => mix(paper, values[i] > 0 ? accent : ink, Math.min(1, Math.abs(values[i]) / 127));
  return picture(width, values.length / width, color, label);
}

/** Many maps (n, height, width) as canvases, each its own. */
export function maps({ shape, pixels }, label = (i) => `map ${i + 1}`) {
  const [n, height, width] = shape;
  const values = signed(pixels);
  return Array.from({ length: n }, (_, i) =>
    signs(values.subarray(i * height * width, (i + 1) * height * width), width, label(i)));
}
