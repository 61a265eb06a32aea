"""A network as an ONNX file.

The graph is written first, then the weights behind it, one after the other: protobuf reads the
parts of a file as one message. So memory never holds more than one weight a second time, however
large the network is. For this, the network is converted with its weights as inputs; they become
initializers of the graph here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from firstlight.exports._onnx_stream import bytes_before_values
from firstlight.exports.check import Opened, Tensors
from firstlight.exports.metadata import Metadata
from firstlight.onnx_model import logits_of, open_session

IMAGE_AXES = 4  # number, height, width, channels
OPSET = 17  # the newest that passes ONNX's full check here; tf2onnx would take an older one


@dataclass(frozen=True)
class Initializer:
    """A weight whose axes ONNX takes in another order."""

    weight: str
    axes: list[int]


def write_onnx(network: keras.Model, path: Path, metadata: Metadata) -> None:
    """Write the network and its metadata to an .onnx file."""
    weights = {f"weight{i}": weight for i, weight in enumerate(network.weights)}
    serve = with_weights_as_inputs(network, weights)
    proto, _ = tf2onnx.convert.from_function(serve, serve.input_signature, opset=OPSET)
    initializers = take_out_transposes(proto.graph, weights)
    give_scalars_axes(proto)
    del proto.graph.input[1:]
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    proto.graph.name = network.name
    trained = "trained" if metadata.trained.finished else "not yet fully trained"
    proto.doc_string = f"{network.name}, {trained} on {metadata.data}. {metadata.preprocessing}"
    onnx.helper.set_model_props(proto, {"firstlight": metadata.json_text()})
    with path.open("wb") as file:
        file.write(proto.SerializeToString())
        for name, initializer in initializers.items():
            value = weights[initializer.weight].numpy().transpose(initializer.axes)
            contiguous = np.ascontiguousarray(value)
            file.write(bytes_before_values(name, contiguous))
            file.write(contiguous.data)


def with_weights_as_inputs(network: keras.Model, weights: dict[str, keras.Variable]) -> Any:
    """Return the network as a function of images and of all its weights: {"logits": logits}."""
    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")
    specs = [
        tf.TensorSpec(weight.shape, weight.dtype, name=name) for name, weight in weights.items()
    ]
    number = {id(weight): i for i, weight in enumerate(network.weights)}

    @tf.function(input_signature=[image, *specs])
    def serve(image: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        def inputs_for(variables: list[Any]) -> list[Any]:
            """Return the input for each weight; the random state of a dropout is not a weight."""
            return [values[number[id(v)]] if id(v) in number else v.value for v in variables]

        logits, _ = network.stateless_call(
            inputs_for(network.trainable_variables),
            inputs_for(network.non_trainable_variables),
            image,
            training=False,
        )
        return {"logits": logits}

    return serve


def take_out_transposes(graph: Any, weights: dict[str, keras.Variable]) -> dict[str, Initializer]:
    """Remove the operations that transpose weights; return each initializer that is needed."""
    initializers: dict[str, Initializer] = {}
    for node in list(graph.node):
        if node.op_type == "Transpose" and node.input[0] in weights:
            axes = list(node.attribute[0].ints)
            initializers[node.output[0]] = Initializer(node.input[0], axes)
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for name, weight in weights.items():
        if name in used:
            initializers[name] = Initializer(name, list(range(len(weight.shape))))
    return initializers


def give_scalars_axes(proto: onnx.ModelProto) -> None:
    """Give each number that images are scaled by the four axes of the images, each of length 1.

    If images have one channel, ONNX Runtime takes 90 times as long for their product with a number
    that has no axes: it does not see that the product is one loop over all pixels.
    """
    graph = onnx.shape_inference.infer_shapes(proto).graph
    rank = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.value_info}
    used_beside: dict[str, set[int | None]] = {}  # a number → ranks of what it is used with
    for node in graph.node:
        for name in node.input:
            others = {rank.get(other) for other in node.input if other != name}
            scales = node.op_type in ("Mul", "Add", "Sub", "Div")
            used_beside.setdefault(name, set()).update(others if scales else {None})
    for constant in proto.graph.initializer:
        if not constant.dims and used_beside.get(constant.name) == {IMAGE_AXES}:
            constant.dims.extend([1] * IMAGE_AXES)


def open_onnx(path: Path) -> Opened:
    """Check a file that `write_onnx` wrote, and open it with ONNX Runtime."""
    onnx.checker.check_model(path, full_check=True)
    session = open_session(path)  # as `classify` and `read` do

    def logits(images: np.ndarray) -> np.ndarray:
        return logits_of(session, images, path)

    return Opened(_tensors(session.get_inputs()), _tensors(session.get_outputs()), logits)


def _tensors(arguments: Iterable[Any]) -> Tensors:
    types = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}
    tensors: Tensors = {}
    for argument in arguments:
        shape = tuple(size if isinstance(size, int) else None for size in argument.shape)
        tensors[argument.name] = types.get(argument.type, argument.type), shape
    return tensors
