"""From the line reader's outputs to digits: which, how sure, and where (CTC).

For each step, which is four columns of the strip, the network gives a probability to each digit and
to the blank. An alignment is one of these classes for each step. To make a text of it, equal
neighbours become one digit, and then the blanks are removed. Several alignments can have the same
text. A text's probability is the sum of theirs (Graves and others, "Connectionist Temporal
Classification", 2006, sections 3 and 4).

The states of a text are its digits with a blank before, between and behind them. From step to step
an alignment stays in its state or goes to the next; from a digit it may skip the blank, if the
next digit is a different one.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DIGITS, BLANK = 10, 10  # the classes are the ten digits and the blank
BEAM = 8  # texts that are followed at the same time
MIN_PROBABILITY = 1e-3  # of an output that continues a text
MIN_RELATIVE = 1e-4  # of a text that is followed on, compared with all that are followed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Text = tuple[int, ...]


class AlignedDigit(NamedTuple):
    """A digit of a line."""

    probabilities: Floats  # (11,): of each digit in this place, and of none
    step: float  # the middle of the steps in which the likeliest alignment has it


def align(views: Sequence[NDArray[np.float32]]) -> list[AlignedDigit]:
    """Return the digits of a line.

    Each strip has its likeliest text. Of these, the text with the largest product of its
    probabilities in all strips is returned.

    Args:
        views: the logits (steps, 11) of one or more strips that show the line with different
            margins. The digits' steps are those of the first.
    """
    outputs = [log_softmax(logits) for logits in views]
    texts = sorted({likeliest_text(each) for each in outputs})
    text = texts[0]
    if len(texts) > 1:
        text = max(texts, key=lambda text: log_probability_in_all(outputs, text))
    if not text:
        return []
    places = middle_steps(outputs[0], text)
    probabilities = np.mean([alternatives(each, text) for each in outputs], axis=0)
    return [AlignedDigit(*each) for each in zip(probabilities, places, strict=True)]


def log_probability_in_all(outputs: Sequence[Floats], text: Text) -> float:
    """Return the logarithm of the product of a text's probabilities in all strips."""
    one = np.array([text], np.int64).reshape(1, -1)
    return sum(float(log_probability(each, one)[0]) for each in outputs)


def log_softmax(values: NDArray[np.floating]) -> Floats:
    """Return the logarithms of the probabilities (n, classes) of logits (n, classes)."""
    relative = values.astype(np.float64) - values.max(axis=1, keepdims=True)
    return np.asarray(relative - np.log(np.exp(relative).sum(axis=1, keepdims=True)))


class SingleDigit(NamedTuple):
    """The one digit of a strip."""

    probabilities: Floats  # (11,): of each digit and of none, if nothing else is possible
    evidence: float  # the logarithm of the probability that it shows one digit


def single_digit(logits: NDArray[np.float32]) -> SingleDigit:
    """Return how probable each digit is, and none, if a strip shows at most one."""
    outputs = log_softmax(logits)
    scores = log_probability(outputs, np.arange(DIGITS)[:, None])
    both = np.append(scores, outputs[:, BLANK].sum())
    return SingleDigit(np.exp(log_softmax(both[None]))[0], float(np.logaddexp.reduce(scores)))


def likeliest_text(outputs: Floats) -> Text:
    """Return the text with the highest probability: a prefix search with a beam.

    For each prefix two probabilities are kept: of its alignments that end in a blank, and of those
    that end in its last digit. Only the former can be continued with the same digit.
    """
    beam: dict[Text, tuple[float, float]] = {(): (1.0, 0.0)}
    for step in np.exp(outputs).tolist():  # of Python's numbers, which are faster one by one
        blank = step[BLANK]
        likely = [digit for digit in range(DIGITS) if step[digit] > MIN_PROBABILITY]
        following: dict[Text, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for text, (ends_blank, ends_digit) in beam.items():
            both = ends_blank + ends_digit
            following[text][0] += both * blank
            if text:
                following[text][1] += ends_digit * step[text[-1]]
            for digit in likely:
                before = ends_blank if text and text[-1] == digit else both
                following[(*text, digit)][1] += before * step[digit]
        best = sorted(following.items(), key=lambda item: -sum(item[1]))[:BEAM]
        total = sum(sum(pair) for _, pair in best)
        beam = {
            text: (ends_blank / total, ends_digit / total)
            for text, (ends_blank, ends_digit) in best
            if ends_blank + ends_digit > MIN_RELATIVE * total
        }
    return max(beam, key=lambda text: sum(beam[text]))


def alternatives(outputs: Floats, text: Text) -> Floats:
    """Return for each place of a text how probable each digit and no digit is, (places, 11).

    The rest of the text stays as it is. The alignments of what comes before a place are summed from
    the left, and those of what comes after it from the right (forward and backward variables,
    Graves and others, 2006, section 4.1); each digit, or none, is put between the two.
    """
    states = with_blanks(np.array([text]))[0]
    steps, before = scaled_from_left(np.exp(outputs), states)
    after = from_right(steps, states)
    count = len(text)
    nothing = np.zeros((len(before), 1))
    blank_before, blank_after = before[:, : 2 * count : 2], after[:, 2::2]
    digit_before = np.hstack([nothing, before[:, 1 : 2 * count - 1 : 2]])
    digit_after = np.hstack([after[:, 3::2], nothing])
    neighbours = np.array([BLANK, *text, BLANK])
    enters = neighbours[:-2, None] != np.arange(DIGITS)  # without a blank between
    leaves = neighbours[2:, None] != np.arange(DIGITS)
    scores = np.zeros((count, DIGITS + 1))
    here = np.zeros((count, DIGITS))
    for step, likely in enumerate(steps[:, :DIGITS]):
        here += blank_before[step, :, None] + enters * digit_before[step, :, None]
        here *= likely
        onward = blank_after[step + 1, :, None] + leaves * digit_after[step + 1, :, None]
        scores[:, :DIGITS] += here * onward
    digit_after[-1, -1] = 1.0  # behind the last place comes the end
    skips = neighbours[:-2] != neighbours[2:]
    skips[[0, -1]] = True
    scores[:, DIGITS] = ((blank_before + skips * digit_before) * digit_after).sum(axis=0)
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def scaled_from_left(steps: Floats, states: Ints) -> tuple[Floats, Floats]:
    """Return the steps' probabilities, scaled, and how probable each state is before each step.

    Products of many probabilities would become 0. So each step's are divided by their sum over the
    alignments. Every alignment has a class for each step, so all are scaled alike, and their ratios
    stay.

    Returns:
        the steps (steps, 11), and the states' probabilities (steps + 1, states).
    """
    skips = may_skip(states[None])[0, 2:]
    own = steps[:, states]
    before = np.zeros((len(steps) + 1, len(states)))
    before[0, 0] = 1.0  # an alignment begins with the first blank
    sums = np.ones((len(steps), 1))
    for step, now in enumerate(before[1:]):
        advance(before[step], now, skips)
        now *= own[step]
        sums[step] = max(float(now.sum()), 1e-300)
        now /= sums[step]
    return steps / sums, before


def from_right(steps: Floats, states: Ints) -> Floats:
    """Return how probable each state is behind each step, (steps + 1, states)."""
    skips = may_skip(states[None, ::-1])[0, 2:]
    own = steps[::-1, states[::-1]]
    after = np.zeros((len(steps) + 1, len(states)))
    after[0, 0] = 1.0
    for step, now in enumerate(after[1:]):
        advance(after[step], now, skips)
        now *= own[step]
    return after[::-1, ::-1]


def advance(reached: Floats, now: Floats, skips: NDArray[np.bool_]) -> None:
    """Write into `now` with which probability an alignment goes on to each state.

    Args:
        skips: whether the blank before a state may be left out, for the third state and those
            behind it.
    """
    now[:] = reached
    now[1:] += reached[:-1]
    now[2:] += reached[:-2] * skips


def log_probability(outputs: Floats, texts: Ints) -> Floats:
    """Return the logarithm of the probability of texts (n, length), (n,)."""
    states = with_blanks(texts)
    skips = may_skip(states)
    reached = np.full(states.shape, -np.inf)
    reached[:, :2] = outputs[0, states[:, :2]]
    for step in outputs[1:]:
        stay, move, skip = arrivals(reached, skips)
        with np.errstate(invalid="ignore"):
            reached = np.logaddexp(np.logaddexp(stay, move), skip) + step[states]
    return np.asarray(np.logaddexp.reduce(reached[:, -2:], axis=1))


def with_blanks(texts: Ints) -> Ints:
    """Return texts (n, length) with a blank around each digit, (n, 2 · length + 1)."""
    states = np.full((len(texts), 2 * texts.shape[1] + 1), BLANK)
    states[:, 1::2] = texts
    return states


def may_skip(states: Ints) -> NDArray[np.bool_]:
    """Return where the blank before a state may be left out: between two different digits."""
    skips = np.zeros(states.shape, bool)
    skips[:, 2:] = states[:, 2:] != states[:, :-2]  # two blanks are equal: none is skipped
    return skips


def arrivals(reached: Floats, skips: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return the values with which each state is reached: from itself, and from the two before."""
    padded = np.full((len(reached), reached.shape[1] + 2), -np.inf)
    padded[:, 2:] = reached
    return reached, padded[:, 1:-1], np.where(skips, padded[:, :-2], -np.inf)


def middle_steps(outputs: Floats, text: Text) -> list[float]:
    """Return the middle of each digit's steps in the likeliest alignment of a text."""
    states = with_blanks(np.array([text]))
    skips = may_skip(states)
    reached = np.full(states.shape, -np.inf)
    reached[:, :2] = outputs[0, states[:, :2]]
    came_from = []
    for step in outputs[1:]:
        options = np.stack(arrivals(reached, skips))
        came_from.append(options.argmax(axis=0)[0])
        reached = options.max(axis=0) + step[states]
    state = states.shape[1] - 2 + int(reached[0, -2:].argmax())
    path = [state]
    for back in reversed(came_from):
        path.append(path[-1] - int(back[path[-1]]))
    steps = np.array(path[::-1])
    return [float(np.flatnonzero(steps == 2 * place + 1).mean()) for place in range(len(text))]
