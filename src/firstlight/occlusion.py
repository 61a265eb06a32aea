"""Which part of a picture an answer hangs on: a square slid over it, the network asked each time.

Zeiler and Fergus (arXiv 1311.2901), 4.2 and figure 7. The paper gives neither the square's size
nor its steps: PART and ACROSS are ours. Its grey is what a photograph is on average. On a digit it
would be a blob of ink: there the square has the colour of the paper, and takes ink away.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from firstlight import deconvnet, inputs
from firstlight.deconvnet import Box, Stage, Stages
from firstlight.progress import in_batches

PART = 3.5  # the square's side in the picture's: 8 of 28 pixels, 64 of 224
ACROSS = 28  # places of the square in a row: all 28 of 28 pixels, every eighth of 224
GREY, PAPER = 128, 0
_BATCH = 32


class Occlusion(NamedTuple):
    """What the network says with the square at each place: arrays (rows, columns) of places."""

    covered: np.ndarray  # the image (height, width, channels) uint8, hidden where it matters most
    square: Box  # where that is
    probability: np.ndarray  # of the label, 0 to 1
    answer: np.ndarray  # the most probable class
    map: str  # the strongest of the last convolution; "" if there is none
    activity: np.ndarray  # that map's sum; zeros if there is none
    whole: float  # the same with nothing hidden


def occlude(
    network: keras.Model, stages: Stages, image: np.ndarray, label: int, quiet: bool = True
) -> Occlusion:
    """Slide the square over the image; where the answer changes, the network looks.

    Args:
        image: (height, width, channels) uint8, as the network takes it.
        label: the class whose probability is told.
    """
    height, width, _ = image.shape
    side, step = round(max(height, width) / PART), max(1, max(height, width) // ACROSS)
    rows, columns = (range(step // 2, size, step) for size in (height, width))
    squares = [square(image, y, x, side) for y in rows for x in columns]
    colour, (last, number) = colour_on(image), strongest_map(stages, image)
    says = asked(network, last, number)
    told = [
        says(np.array([hidden(image, box, colour) for box in squares[batch]]))
        for batch in in_batches(len(squares), _BATCH, "hiding one part after another", quiet)
    ]
    probabilities, activity = (np.concatenate(part) for part in zip(*told, strict=True))
    before, whole = says(image[None])
    changes = np.abs(probabilities[:, label] - before[0, label])
    there, shape = squares[int(changes.argmax())], (len(rows), len(columns))
    return Occlusion(
        hidden(image, there, colour),
        there,
        probabilities[:, label].reshape(shape),
        probabilities.argmax(1).reshape(shape),
        f"{last.name}, map {number}" if last else "",
        activity.reshape(shape),
        float(whole[0]),
    )


def colour_on(image: np.ndarray) -> int:
    return PAPER if image.shape[-1] == 1 and inputs.is_on_black(image[..., 0]) else GREY


def strongest_map(stages: Stages, image: np.ndarray) -> tuple[Stage | None, int]:
    """The last convolution, and its map with the strongest response to the whole image."""
    last = next((stage for stage in reversed(stages.values()) if stage.convolves), None)
    if not last:
        return None, 0
    answer = deconvnet.forward(last.path, image[None])[-1].numpy()[0]
    return last, int(answer.sum((0, 1)).argmax())


def asked(
    network: keras.Model, last: Stage | None, number: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A function of images: probabilities (N, classes) and the map's sums (N,), compiled."""

    @tf.function(input_signature=[tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)])
    def says(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = deconvnet.forward(network.layers[1:], images)
        probabilities = tf.nn.softmax(values[-1])
        if not last:
            return probabilities, tf.zeros_like(probabilities[:, 0])
        return probabilities, tf.reduce_sum(values[len(last.path)][..., number], (1, 2))

    return lambda images: tuple(part.numpy() for part in says(images))


def square(image: np.ndarray, y: int, x: int, side: int) -> Box:
    """The square around a place, as far as it lies in the image."""
    top, left = y - side // 2, x - side // 2
    height, width = image.shape[:2]
    return max(0, top), max(0, left), min(height, top + side), min(width, left + side)


def hidden(image: np.ndarray, box: Box, colour: int) -> np.ndarray:
    """A copy of the image with that part of it in one colour."""
    copy = image.copy()
    top, left, bottom, right = box
    copy[top:bottom, left:right] = colour
    return copy
