"""A network as an ONNX file."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from firstlight.exports._onnx_stream import before_raw_data
from firstlight.exports.check import Ends, Opened
from firstlight.exports.metadata import as_json
from firstlight.onnx_model import open_session

OPSET = 17  # the newest that passes ONNX's full check here; tf2onnx would take an older one


def write_onnx(network: keras.Model, path: Path, facts: dict[str, Any]) -> None:
    """The graph, and behind it the weights, one after the other.

    Protobuf takes the parts of a file for one message. So of a network of half a gigabyte no more
    than one weight is copied at a time: what is converted has its weights as inputs, and those
    become initializers here.
    """
    weights = {f"weight{i}": weight for i, weight in enumerate(network.weights)}
    serve = with_weights_as_inputs(network, weights)
    proto, _ = tf2onnx.convert.from_function(serve, serve.input_signature, opset=OPSET)
    graph, turned = proto.graph, turned_weights(proto.graph, weights)
    del graph.input[1:]
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "N"
    graph.name = network.name
    proto.doc_string = f"{network.name}, trained on {facts['data']}. {facts['preprocessing']}"
    onnx.helper.set_model_props(proto, {"firstlight": as_json(facts)})
    with path.open("wb") as file:
        file.write(proto.SerializeToString())
        for name, (weight, axes) in turned.items():
            value = np.ascontiguousarray(weights[weight].numpy().transpose(axes))
            file.write(before_raw_data(name, value))
            file.write(value.data)


def with_weights_as_inputs(network: keras.Model, weights: dict[str, Any]) -> Any:
    """The network's answer as a function of an image and all its weights."""
    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")
    specs = [tf.TensorSpec(w.shape, w.dtype, name=name) for name, w in weights.items()]
    number = {id(weight): i for i, weight in enumerate(network.weights)}

    @tf.function(input_signature=[image, *specs])
    def serve(image: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        trained, others = (
            [values[number[id(v)]] if id(v) in number else v.value for v in variables]
            for variables in (network.trainable_variables, network.non_trainable_variables)
        )
        logits, _ = network.stateless_call(trained, others, image, training=False)
        return {"logits": logits}

    return serve


def turned_weights(graph: Any, weights: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    """Initializer → the weight that it holds, and the order of its axes.

    ONNX has a kernel's axes in another order: the operations that turn them are taken out.
    """
    turned: dict[str, tuple[str, list[int]]] = {}
    for node in list(graph.node):
        if node.op_type == "Transpose" and node.input[0] in weights:
            turned[node.output[0]] = node.input[0], list(node.attribute[0].ints)
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for name in (name for name in weights if name in used):
        turned[name] = name, list(range(len(weights[name].shape)))
    return turned


def open_onnx(path: Path) -> Opened:
    onnx.checker.check_model(path, full_check=True)
    session = open_session(path)  # as `classify` and `read` do
    names = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}

    def ends(found: Any) -> Ends:
        return {
            end.name: (
                names.get(end.type, end.type),
                tuple(size if isinstance(size, int) else None for size in end.shape),
            )
            for end in found
        }

    def logits(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(["logits"], {"image": images})[0])

    return Opened(ends(session.get_inputs()), ends(session.get_outputs()), logits)
