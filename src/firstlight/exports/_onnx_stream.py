"""Protobuf by hand: a large weight as a piece of an ONNX file, without a copy of it in memory.

https://protobuf.dev/programming-guides/encoding describes fields and varints.
"""

import numpy as np
import onnx

TENSOR_RAW_DATA, GRAPH_INITIALIZER, MODEL_GRAPH = 9, 5, 7  # field numbers in onnx.proto
LENGTH_DELIMITED = 2  # the wire type of bytes and of messages


def bytes_before_values(name: str, value: np.ndarray) -> bytes:
    """Return the bytes of a model with only this initializer, up to the initializer's values."""
    data_type = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    tensor = onnx.TensorProto(name=name, data_type=data_type, dims=value.shape)
    head = tensor.SerializeToString() + field_head(TENSOR_RAW_DATA, value.nbytes)
    head = field_head(GRAPH_INITIALIZER, len(head) + value.nbytes) + head
    return field_head(MODEL_GRAPH, len(head) + value.nbytes) + head


def field_head(number: int, length: int) -> bytes:
    """Return the beginning of a field that holds `length` bytes."""
    return bytes([number << 3 | LENGTH_DELIMITED]) + varint(length)


def varint(number: int) -> bytes:
    """Encode a number, seven bits a byte, lowest first; all bytes but the last have bit 8 set."""
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])
