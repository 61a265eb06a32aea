"""The line reader or the line finder as an ONNX file, its weights in half precision.

    python -m firstlight.exports.lines reader RUN lines.onnx

RUN is the folder that `firstlight.training.lines` wrote. Weights take half the space; ONNX Runtime
computes with single precision.
"""

import argparse
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from firstlight import __version__
from firstlight.evaluation.calibration import Calibration
from firstlight.exports.metadata import Metadata, Provenance
from firstlight.exports.onnx import write_onnx
from firstlight.training import lines

MIN_HALF = 1000  # smaller weights stay in single precision
NOT_CALIBRATED = Calibration(
    problem="not measured",
    temperature=1.0,
    threshold=0.5,
    calibration_error=(0.0, 0.0),
    images=0,
    answers=0,
    wrong=0,
)


def export(task: lines.Task, run: Path, path: Path) -> None:
    """Write the averaged weights of a run's last checkpoint.

    Raises:
        DataError: there is no checkpoint.
    """
    network = import_module(f"firstlight.networks.{task.network}").build()
    weights, steps = lines.averaged_weights(run)
    network.set_weights(weights)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        write_onnx(network, whole, metadata(network, task.outputs, steps))
        proto = onnx.load(whole)
    with_half_weights(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def metadata(network: keras.Model, outputs: tuple[str, ...], steps: int) -> Metadata:
    return Metadata(
        network=network.name,
        classes=outputs,
        input=network.input_shape[1:],
        image_kind="digits",
        data="lines composed of MNIST's training digits",
        preprocessing="See reading/strip.py and reading/finder.py.",
        trained=Provenance(
            seed=lines.SEED,
            steps=steps,
            finished=True,
            test_accuracy=None,
            firstlight=__version__,
        ),
        calibration=NOT_CALIBRATED,
    )


def with_half_weights(graph: Any) -> None:
    """Store large weights as float16; an operation casts them back."""
    for tensor in list(graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= MIN_HALF:
            half = onnx.numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_half")
            graph.initializer.remove(tensor)
            graph.initializer.append(half)
            cast = onnx.helper.make_node(
                "Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT
            )
            graph.node.insert(0, cast)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=tuple(lines.TASKS))
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    export(lines.TASKS[arguments.task], arguments.run, arguments.out)


if __name__ == "__main__":
    main()
