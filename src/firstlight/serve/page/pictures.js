// Which files can be read, and what to do about the others: said before a file is sent.

const READABLE = "PNG, JPEG, WebP, BMP, GIF, TIFF and AVIF";
const MAX_MEGABYTES = 16;
const FOREIGN = {
  pdf: "a PDF; save its pages as pictures.",
  heic: "a HEIC picture, as phones take them; save it as JPEG.",
  heif: "a HEIC picture, as phones take them; save it as JPEG.",
  svg: "an SVG drawing; save it as PNG.",
};

/** Why a file cannot be read, in a sentence or two; "" if it may be a picture that can. */
export function pictureProblem({ name, type, size }) {
  const ending = name.split(".").at(-1).toLowerCase();
  if (!size) return `${name} is empty. Choose another picture.`;
  const kind = [ending, type.split("/").at(-1)].find((each) => Object.hasOwn(FOREIGN, each));
  if (kind) return `${name} cannot be read: it is ${FOREIGN[kind]}`;
  if (!type.startsWith("image/"))
    return `${name} is ${type || "no picture"}. Open a picture instead: ${READABLE} can be read.`;
  if (size > MAX_MEGABYTES * 2 ** 20) {
    const megabytes = Math.ceil((10 * size) / 2 ** 20) / 10;
    return `${name} has ${megabytes} MB; at most ${MAX_MEGABYTES} MB are read. Make it smaller.`;
  }
  return "";
}
