"""ONNX files without the package onnx: the nodes and the float32 tensors of a graph.

An ONNX file is a protobuf message (onnx.proto): fields, each a key and a value. A key holds the
field's number and the wire type of its value: a varint, 4 or 8 bytes, or bytes with their length
before them, which may be a message again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auricle.errors import ModelError

if TYPE_CHECKING:
    import numpy as np

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types
FLOAT, EXTERNAL = 1, 1  # TensorProto.DataType, TensorProto.DataLocation

# Numbers of fields in onnx.proto
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OPERATOR = 1, 4
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14
ENTRY_KEY, ENTRY_VALUE = 1, 2


@dataclass(frozen=True)
class Node:
    operator: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The nodes in their order; name -> array of every float32 initializer."""

    nodes: tuple[Node, ...]
    tensors: dict[str, np.ndarray]


def read_graph(model: bytes, data: bytes = b"") -> Graph:
    """The graph of an ONNX file; ``data``: the file of its external tensors.

    Raises ModelError: the bytes are not such a file.
    """
    try:
        (graph,) = _bytes(model, MODEL_GRAPH)
        nodes = tuple(
            Node(_text(node, NODE_OPERATOR), tuple(map(bytes.decode, _bytes(node, NODE_INPUT))))
            for node in _bytes(graph, GRAPH_NODE)
        )
        tensors = [_tensor(tensor, data) for tensor in _bytes(graph, GRAPH_INITIALIZER)]
    except (ValueError, OverflowError) as error:
        raise ModelError(f"not a readable ONNX file ({error})") from error
    return Graph(nodes, {name: values for name, values in tensors if values is not None})


def _tensor(tensor: bytes, data: bytes) -> tuple[str, np.ndarray | None]:
    """Name and values of an initializer; None unless they are float32, raw or external."""
    import numpy as np

    numbers = {TENSOR_TYPE: 0, TENSOR_LOCATION: 0}
    dims: list[int] = []
    for number, value in _fields(tensor):
        if number in numbers and isinstance(value, int):
            numbers[number] = value
        elif number == TENSOR_DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
    name = _text(tensor, TENSOR_NAME)
    if numbers[TENSOR_TYPE] != FLOAT:
        return name, None
    if numbers[TENSOR_LOCATION] == EXTERNAL:
        entries = _bytes(tensor, TENSOR_EXTERNAL)
        place = {_text(entry, ENTRY_KEY): _text(entry, ENTRY_VALUE) for entry in entries}
        start = int(place.get("offset", 0))
        end = start + int(place["length"]) if "length" in place else len(data)
        if not 0 <= start <= end <= len(data):
            raise ValueError(f"tensor {name} lies outside the data")
        raw = data[start:end]
    else:
        raw = b"".join(_bytes(tensor, TENSOR_RAW))
    if math.prod(dims) * 4 != len(raw):
        raise ValueError(f"tensor {name} has the shape {dims} but {len(raw)} bytes")
    return name, np.frombuffer(raw, "<f4").reshape(dims)


def _bytes(message: bytes, wanted: int) -> list[bytes]:
    """The values of every field ``wanted`` that are bytes."""
    return [v for number, v in _fields(message) if number == wanted and isinstance(v, bytes)]


def _text(message: bytes, wanted: int) -> str:
    return b"".join(_bytes(message, wanted)[-1:]).decode()


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of the fields of a message; floating-point values stay bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            length, at = _varint(message, at)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if kind == EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if at + length > len(message):
            raise ValueError(f"a field ends after the {len(message)} bytes of its message")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at byte ``at``, seven bits in each byte, and where it ends."""
    value = 0
    for place, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError(f"no whole number at byte {at}")


def _varints(packed: bytes) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values
