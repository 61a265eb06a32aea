// Images are augmented as training/augment.py does it, with other random numbers. An image has
// 28×28 pixels, 0 to 255, row by row. Nothing here touches the page.

import { normal } from "./session.js";

const SIDE = 28;
const KNOTS = 7; // along each side of an image, for a smooth random field

/** One image, changed at random, up to the strengths: { rotate, scale, shear, shift, elastic, … }. */
export function augmented(pixels, strengths, random) {
  const change = drawn(strengths, random);
  const clear = stroked(Float32Array.from(pixels), change.stroke);
  const image = warped(blurred(clear, change.blur), change);
  return Uint8ClampedArray.from(image, (value) =>
    Math.round(value + (change.noise && change.noise * normal(random))),
  );
}

/**
 * What is done to one image: angle in radians, factors, pixels, and knots of a field. The random
 * numbers are as many for all strengths: who changes one strength sees the same versions.
 */
function drawn({ rotate, scale, shear, shift, elastic, stroke, blur, noise }, random) {
  const within = (strength) => strength * (2 * random() - 1);
  const seldomHard = (strength) => strength * random() ** 3; // 79 % are below half of the strength
  const knots = () => Array.from({ length: KNOTS * KNOTS }, () => elastic * normal(random));
  return {
    angle: (within(rotate) * Math.PI) / 180,
    scale: [within(scale) + 1, within(scale) + 1],
    slant: within(shear),
    shift: [within(shift), within(shift)],
    knots: [knots(), knots()],
    stroke: within(stroke),
    blur: [seldomHard(blur), seldomHard(blur)], // across, down
    noise: seldomHard(noise),
  };
}

/** Strokes become thicker (amount above 0) or thinner: a part of the way to a neighbour's value. */
function stroked(image, amount) {
  if (!amount) return image;
  const choose = amount > 0 ? Math.max : Math.min;
  return image.map((value, i) => {
    const around = neighbours(image, i);
    return value + Math.abs(amount) * (choose(...around) - value);
  });
}

/** The 3×3 pixels around a pixel that lie in the image. */
function neighbours(image, i) {
  const [row, column] = [Math.floor(i / SIDE), i % SIDE];
  const values = [];
  for (let y = Math.max(0, row - 1); y <= Math.min(SIDE - 1, row + 1); y++)
    for (let x = Math.max(0, column - 1); x <= Math.min(SIDE - 1, column + 1); x++)
      values.push(image[SIDE * y + x]);
  return values;
}

/** Each pixel is mixed with the mean of five, as far as they lie in the image: across, then down. */
function blurred(image, [across, down]) {
  return mixedWithMean(mixedWithMean(image, across, [0, 1]), down, [1, 0]);
}

function mixedWithMean(image, amount, [stepDown, stepAcross]) {
  if (!amount) return image;
  return image.map((value, i) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    const values = [-2, -1, 0, 1, 2]
      .map((offset) => [row + offset * stepDown, column + offset * stepAcross])
      .filter(isInside)
      .map(([y, x]) => image[SIDE * y + x]);
    const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
    return value + amount * (mean - value);
  });
}

const isInside = ([row, column]) => row >= 0 && row < SIDE && column >= 0 && column < SIDE;

/** Each pixel comes from elsewhere: rotated, scaled, slanted, shifted, and bent by a field. */
function warped(image, { angle, scale, slant, shift, knots }) {
  const middle = (SIDE - 1) / 2;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [bentX, bentY] = knots.map(smoothField);
  return image.map((_, i) => {
    const [y, x] = [Math.floor(i / SIDE) - middle, (i % SIDE) - middle];
    const fromX = scale[0] * (cos * x + (cos * slant - sin) * y) + shift[0] + middle;
    const fromY = scale[1] * (sin * x + (sin * slant + cos) * y) + shift[1] + middle;
    return valueAt(image, fromX + bentX[i], fromY + bentY[i]);
  });
}

/** Between four pixels; beyond the edge an image is 0. */
function valueAt(image, x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const pixel = (row, column) => (isInside([row, column]) ? image[SIDE * row + column] : 0);
  const [right, below] = [x - left, y - top];
  const upper = pixel(top, left) * (1 - right) + pixel(top, left + 1) * right;
  const lower = pixel(top + 1, left) * (1 - right) + pixel(top + 1, left + 1) * right;
  return upper * (1 - below) + lower * below;
}

/** A field of 28×28 values, near the values of 7×7 knots (a cubic B-spline). */
function smoothField(knots) {
  if (knots.every((knot) => knot === 0)) return new Float32Array(SIDE * SIDE);
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [rows, columns] = [SPLINE[Math.floor(i / SIDE)], SPLINE[i % SIDE]];
    return knots.reduce(
      (sum, knot, j) => sum + knot * rows[Math.floor(j / KNOTS)] * columns[j % KNOTS],
      0,
    );
  });
}

/** The weights of the knots for each pixel of a row; they add up to 1. */
const SPLINE = Array.from({ length: SIDE }, (_, i) => {
  const position = 0.5 + (i * (KNOTS - 2)) / (SIDE - 1);
  const weights = Array.from({ length: KNOTS }, (_, knot) => spline(Math.abs(position - knot)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
});

function spline(distance) {
  if (distance < 1) return 2 / 3 - distance ** 2 + distance ** 3 / 2;
  return Math.max(0, 2 - distance) ** 3 / 6;
}
