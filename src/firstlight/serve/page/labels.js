// Where the label of each box in a picture stands: beside its box, in the picture, and where it can
// be read.

const ASCENT = 0.8; // of a letter above its baseline, as a fraction of the font size
const DESCENT = 0.22;
const RELATIVE_SIZE = 0.4; // of the font, compared with the height of the box
const FONT_PIXELS = { smallest: 9, usual: 16, largest: 48 }; // on the screen
const SHRINK = 0.8; // of the font, if there is no room

/**
 * The place and size of each label: [{ x, y, fontSize }], x its middle and y its baseline.
 *
 * @param boxes [{ box: [x, y, width, height], text }], in pixels of the picture
 * @param size width and height of the picture
 * @param pixel a pixel of the screen, in pixels of the picture
 */
export function placeLabels(boxes, size, pixel) {
  const covered = boxes.map(({ box: [left, top, width, height] }) => ({
    left,
    top,
    right: left + width,
    bottom: top + height,
  }));
  const labels = [];
  for (const { box, text } of boxes) {
    const fits = (place) => isInside(place, size) && !labels.some((l) => overlap(place, l));
    const bySize = fontSizes(box[3], pixel).map((fontSize) =>
      candidates(box, widthOf(text), { fontSize, gap: 3 * pixel, size }),
    );
    // Above or below it is clear whose label it is: better small there than large at a side.
    const [clear, unclear] = [
      bySize.map((all) => all.slice(0, 2)),
      bySize.map((all) => all.slice(2)),
    ];
    const places = [...clear, ...unclear].flat();
    const free = places.filter(fits);
    const best = free.find((place) => !covered.some((c) => overlap(place, c)));
    labels.push(best ?? free[0] ?? places.at(-1));
  }
  return labels.map(({ left, right, bottom, fontSize }) => {
    return { x: (left + right) / 2, y: bottom - DESCENT * fontSize, fontSize };
  });
}

/** From the best size down to the smallest that can be read. */
function fontSizes(boxHeight, pixel) {
  const { smallest, usual, largest } = FONT_PIXELS;
  const sizes = [];
  let fontSize = Math.min(Math.max(RELATIVE_SIZE * boxHeight, usual * pixel), largest * pixel);
  while (fontSize >= smallest * pixel) {
    sizes.push(fontSize);
    fontSize *= SHRINK;
  }
  return sizes;
}

/** Above the box, below, right, left and in it; moved sideways into the picture if need be. */
function candidates([x, y, width, height], emWidth, { fontSize, gap, size }) {
  const labelWidth = emWidth * fontSize;
  const labelHeight = (ASCENT + DESCENT) * fontSize;
  const middle = x + (width - labelWidth) / 2;
  const centre = y + (height - labelHeight) / 2;
  const corners = [
    [middle, y - gap - labelHeight],
    [middle, y + height + gap],
    [x + width + gap, centre],
    [x - gap - labelWidth, centre],
    [x + gap, y + gap],
  ];
  return corners.map(([wanted, top]) => {
    const left = Math.max(0, Math.min(wanted, size[0] - labelWidth));
    return { left, top, right: left + labelWidth, bottom: top + labelHeight, fontSize };
  });
}

const overlap = (one, other) =>
  one.left < other.right &&
  other.left < one.right &&
  one.top < other.bottom &&
  other.top < one.bottom;

const isInside = ({ top, bottom }, [, height]) => top >= 0 && bottom <= height;

let context;

/** The width of a bold text, in units of its font size. */
function widthOf(text) {
  context ??= new OffscreenCanvas(1, 1).getContext("2d");
  context.font = "700 100px system-ui, sans-serif";
  return context.measureText(text).width / 100;
}
