"""Checkpoints: when they are written, and what becomes of a failure."""

import time

from firstlight.training.log import Log
from firstlight.training.state import TrainState

MIN_SECONDS_BETWEEN_CHECKPOINTS, MAX_SECONDS_BETWEEN_CHECKPOINTS = 1.0, 60.0
CHECKPOINT_SHARE = 0.02  # fraction of the time for checkpoints, within the two limits above


class Checkpoints:
    """Writes a checkpoint from time to time.

    The page redraws weights at each one, so small networks are saved often.
    """

    def __init__(self, state: TrainState, log: Log) -> None:
        self.state, self.log = state, log
        self.due = time.monotonic() + MIN_SECONDS_BETWEEN_CHECKPOINTS
        self.failure: OSError | None = None  # such as a full disk; the other processes wait

    def save_if_due(self, is_over: bool) -> None:
        """Let the chief write a checkpoint if it is time, or if the training is over.

        Raises OSError, unless the other processes must learn of it first: then it is `failure`.
        """
        began = time.monotonic()
        if not self.state.workers.is_chief or (began < self.due and not is_over):
            return
        try:
            self.log.sync()  # a checkpoint says how many lines there are
            self.state.save()
        except OSError as error:
            if is_over or self.state.workers.processes == 1:
                raise
            self.failure = error
        now = time.monotonic()
        wait = (now - began) / CHECKPOINT_SHARE
        self.due = now + max(
            MIN_SECONDS_BETWEEN_CHECKPOINTS, min(wait, MAX_SECONDS_BETWEEN_CHECKPOINTS)
        )
