// How long a training takes: before it starts, from what was measured; while it runs, from its log.

// The data on which recipes were measured: its training images, and the cores that trained.
const MEASURED = {
  mnist: { images: 55000, cores: "two cores" },
  photographs: { images: 848, cores: "one or two cores" },
};
const LINES_FOR_SPEED = 50; // logged steps that the time left is computed from

/** A time as a person says it: "35 s", "4 min", "2.5 h". */
export function duration(seconds) {
  if (seconds < 100) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  return `${Number((seconds / 3600).toFixed(1))} h`;
}

const imagesSeen = ({ epochs, steps, batch_size }, trainingImages) =>
  epochs ? epochs * trainingImages : steps * batch_size;

/**
 * A sentence about the time of a training that has not begun.
 *
 * `reach` is what was measured of the recipe, if anything; `recipe` are the recipe's own numbers and
 * `chosen` those of the training; `data` is what the server has found in the data.
 */
export function expectedTime({ reach, recipe, chosen, data }) {
  const unknown = (reason) => `How long it takes was not measured ${reason}; training shows it.`;
  const isSameData = data.pictures ? reach?.data === "photographs" : data.location === reach?.data;
  if (!recipe) return "";
  if (!reach) return unknown("for this recipe");
  if (!isSameData) return unknown("on this data");
  if (chosen.batch_size !== recipe.batch_size)
    return unknown(`with batches of ${chosen.batch_size}`);
  const { images, cores } = MEASURED[reach.data];
  const share = imagesSeen(chosen, data.splits.train ?? 0) / imagesSeen(recipe, images);
  const time = `It takes about ${duration(reach.seconds * share)} on ${cores}`;
  const source = share === 1 ? "as measured" : "computed from a measured training";
  return `${time}, ${source}. TensorFlow needs some seconds more to start.`;
}

/** The seconds that are left, from the speed of the last steps; null while it is not known. */
export function secondsLeft(lines, totalSteps) {
  const steps = lines.filter(({ split }) => split === "train").slice(1); // the first step compiles
  const last = steps.at(-1);
  const before = steps.at(-LINES_FOR_SPEED) ?? steps[0];
  if (!totalSteps || !last || last.step === before.step) return null;
  const perStep = (last.seconds - before.seconds) / (last.step - before.step);
  return perStep * (totalSteps - last.step);
}
