"""Large weights written into an ONNX file one after the other."""

import numpy as np
import onnx


def before_raw_data(name: str, value: np.ndarray) -> bytes:
    """A model that holds nothing but this initializer, as protobuf writes it, up to its numbers."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=value.shape).SerializeToString()
    head = tensor + field(9, value.nbytes)  # TensorProto.raw_data
    head = field(5, len(head) + value.nbytes) + head  # GraphProto.initializer
    return field(7, len(head) + value.nbytes) + head  # ModelProto.graph


def field(number: int, length: int) -> bytes:
    """The beginning of a field of so many bytes."""
    return bytes([number << 3 | 2]) + varint(length)


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth set."""
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])
