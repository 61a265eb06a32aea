// Drawings to try with one click, as the address holds them: see pad.js.

import { h, svg } from "./dom.js";
import { drawStrokes, parseStrokes } from "./pad.js";

export const DIGITS = [
  {
    name: "a 7",
    ink:
      "8k4i9546a345am44b842bx40ck3yd13xdf48d94xd35dcx5vcq6ech6zc87lc187bu8sbo9dbi9ybeaj" +
      "b9b7b5bwb2cjb0cy.a88eaq89be84c581cs80",
  },
  {
    name: "2013",
    ink:
      "2j6t2n6d2v5v3a5l3s5g4a5k4p5v4v6c4v6x4q7h4g83418q3j9d2ya32jan2zaq3jal3zaj4jan53ar" +
      "5jau.9a5z8o61896e7u717l7s7i8l7l9f7q9v81al8hb18yb69gax9vada59ka893aa88a57f9x6r9m6" +
      "9945z8v5z.cy6idd5ydn5edr60dq6idq70dp7kdo84dn8pdm9adm9udlafdlaxdlba.gs6eha5xhr5ri" +
      "b5tiq62iz6iiy71ip7lid80hx8aib8iis8sj698ja9sj5afitaxiab9hrbdh9b8gvazgial",
  },
  {
    name: "4 or 9?",
    ink:
      "bj46bg46bc46b946b546b247ay47aj4ua8589x5n9n629c6i926x8u7c8n7r8f8j8n909b97a198au92" +
      "bi8uc18lc78i.cz4hcy5bcw60cv6pct7gcr88co92cm9wckavchbwcfcucddi",
  },
];
export const STAR = {
  name: "a star",
  ink:
    "95cf9cbo9mak9w9da787ai6yat5lb44gbe3zbo4eby5hc76tcg80ct98d8akdjbodic8d1c1c8babbab" +
    "ai9h9p8t8u84867j7y738d6x986xaa6zb970c86xda6se66qe97edi84cj8xbp9oazafa9b79mbx95cf",
};
const MARGIN = 30; // units around the strokes of a small picture

/** What an empty sheet shows: a button for each drawing, which calls `draw(ink)`, and `others`. */
export function examples(drawings, draw, ...others) {
  const buttons = drawings.map(({ name, ink }) =>
    exampleButton(name, ink, { onclick: () => draw(ink) }),
  );
  const text =
    "Draw with the mouse, a finger or a pen: it is read while you draw. Or try one of these:";
  return h(
    "div",
    { class: "stack examples" },
    h("p", { class: "quiet" }, text),
    h("div", { class: "tools" }, buttons, others),
  );
}

/** Opens a picture file of ink on paper. */
export function paperButton(open) {
  const onclick = async () => open(await inkOnPaper());
  return exampleButton("ink on paper", DIGITS[0].ink, { class: "paper", onclick });
}

function exampleButton(name, ink, attributes) {
  const strokes = parseStrokes(ink);
  const [x, y] = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
  const left = Math.min(...x) - MARGIN;
  const top = Math.min(...y) - MARGIN;
  const width = Math.max(...x) + MARGIN - left;
  const height = Math.max(...y) + MARGIN - top;
  const viewBox = `${left} ${top} ${width} ${height}`;
  const lines = strokes.map((stroke) => svg("polyline", { points: stroke.flat().join(" ") }));
  return h("button", attributes, svg("svg", { viewBox, "aria-hidden": "true" }, ...lines), name);
}

/** The first two drawings in blue ink on ruled paper, in uneven light: a picture file. */
async function inkOnPaper() {
  const [width, height] = [1200, 900];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#e9e4d8";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#b9c6d6";
  for (let y = 90; y < height; y += 90) context.fillRect(0, y, width, 2);
  for (const [i, { ink }] of DIGITS.slice(0, 2).entries()) {
    context.setTransform(1, 0.03, -0.05, 1, 420 - 400 * i, 100 + 330 * i);
    drawStrokes(context, parseStrokes(ink), 0.8, "#26366b");
  }
  context.resetTransform();
  const shadow = context.createLinearGradient(0, 0, width, height);
  shadow.addColorStop(0.2, "rgb(0 0 0 / 0%)");
  shadow.addColorStop(1, "rgb(0 0 0 / 45%)");
  context.fillStyle = shadow;
  context.fillRect(0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  return new File([blob], "paper.jpg", { type: blob.type });
}
