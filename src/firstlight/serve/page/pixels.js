// Arrays of numbers as pictures.

/** Bytes in base64; a loop, because there can be millions. */
export function decode(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

export const decodeSigned = (base64) => new Int8Array(decode(base64).buffer);

/** The page's colours as [r, g, b], so that pictures follow the light and the dark scheme. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) =>
    style
      .getPropertyValue(name)
      .match(/\w\w/g)
      .map((pair) => parseInt(pair, 16));
  return {
    accent: color("--accent"),
    ink: color("--ink"),
    paper: color("--card"),
    wrong: color("--wrong"),
  };
}

/** Between two colours: `fraction` 0 is `from`, 1 is `to`. */
export const mix = (from, to, fraction) =>
  from.map((value, channel) => value + (to[channel] - value) * fraction);

/** A canvas of width×height pixels, shown enlarged; colorAt(index) is [r, g, b]. */
export function picture(width, height, colorAt, label = "") {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.className = "pixels";
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else canvas.setAttribute("aria-hidden", "true");
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...colorAt(i), 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Values 0..255, light ink on black, as a network takes them. */
export const greyPicture = (values, width, label) =>
  picture(width, values.length / width, (i) => [values[i], values[i], values[i]], label);

/** Several grey 28×28 pictures from one array; label(index) is optional. */
export function digitPictures(values, label = () => "") {
  const count = values.length / 784;
  return Array.from({ length: count }, (_, i) =>
    greyPicture(values.subarray(784 * i, 784 * (i + 1)), 28, label(i)),
  );
}

/** An image [height, width, channels] of one channel (grey) or three (red, green, blue). */
export function photograph(values, [height, width, channels], label) {
  if (channels === 1) return greyPicture(values, width, label);
  return picture(width, height, (i) => values.subarray(3 * i, 3 * i + 3), label);
}

/** Values −127..127: positive ones in the accent colour, negative ones grey, 0 as paper. */
export function signedPicture(values, width, label) {
  const { accent, ink, paper } = colors();
  const colorAt = (i) =>
    mix(paper, values[i] > 0 ? accent : ink, Math.min(1, Math.abs(values[i]) / 127));
  return picture(width, values.length / width, colorAt, label);
}

/** Maps (n, height, width) as canvases, one for each. */
export function mapPictures({ shape, pixels }, label = (i) => `map ${i + 1}`) {
  const [n, height, width] = shape;
  const values = decodeSigned(pixels);
  const size = height * width;
  return Array.from({ length: n }, (_, i) =>
    signedPicture(values.subarray(i * size, (i + 1) * size), width, label(i)),
  );
}
