"""What TensorBoard shows of a run, in RUN/events, if the extra that reads it is installed."""

from importlib.util import find_spec

import tensorflow as tf

from firstlight.runs.run import Run


def event_writer(run: Run) -> tf.summary.SummaryWriter | None:
    """Return a writer into the run folder; None, and no folder, without the extra."""
    if find_spec("tensorboard") is None:
        return None
    return tf.summary.create_file_writer(str(run.folder / "events"))


def write_graph(events: tf.summary.SummaryWriter, graph: tf.Graph) -> None:
    with events.as_default(step=0):
        tf.summary.graph(graph)


def write_scalars(events: tf.summary.SummaryWriter, step: int, split: str, **values: float) -> None:
    """Write values of a step; TensorBoard has a chart for each, named SPLIT/NAME."""
    with events.as_default(step):
        for name, value in values.items():
            tf.summary.scalar(f"{split}/{name}", value)
