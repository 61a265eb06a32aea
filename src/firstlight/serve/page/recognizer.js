// What a network says about a digit, as the reader takes it: see reading/recognizer.py.

import { array, softmax } from "./network.js";

const NOT_A_DIGIT = "none"; // a class that some networks have
const NOT_A_DIGIT_PRIOR_RATIO = 0.05; // a person who draws mostly draws a digit

/**
 * A model of onnx.js and 784 pixels → { digit, confidence, threshold, probabilities, maps }.
 *
 * The probabilities are calibrated by what the file says about itself. `digit` is the name of a
 * class, or "?" if the confidence is below the file's threshold.
 */
export function recognize({ classes, metadata, run }, pixels) {
  const { temperature = 1, threshold = 0.5 } = metadata;
  const { logits, maps } = run(pixels);
  const adjusted = logits.map((logit, i) => {
    const prior = classes[i] === NOT_A_DIGIT ? Math.log(NOT_A_DIGIT_PRIOR_RATIO) : 0;
    return logit / temperature + prior;
  });
  const probabilities = Array.from(softmax(array([1, classes.length], adjusted)).values);
  const confidence = Math.max(...probabilities);
  const name = classes[probabilities.indexOf(confidence)];
  const isGiven = confidence >= threshold || name === NOT_A_DIGIT;
  return { digit: isGiven ? name : "?", confidence, threshold, probabilities, maps };
}
