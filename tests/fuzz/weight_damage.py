"""Mutations of weights: headers, numbers, and pickles that run code."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

from tests.fuzz.small_models import MARK, files


def header_changed(rng: random.Random, folder: Path) -> None:
    """The header of a safetensors file says something else of its data."""
    path = rng.choice(files(folder, "*.safetensors"))
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    name = rng.choice([key for key in header if key != "__metadata__"])
    entry = header[name]
    kind = rng.randrange(9)
    if kind == 0:
        entry["dtype"] = rng.choice(["I64", "BOOL", "F8_E4M3", "U8", "F64", "F16", "C64", "X", ""])
    elif kind == 1:
        entry["shape"] = rng.choice(
            [[], [0], [-1], [10**12], [2**63], [2**32, 2**32], entry["shape"][::-1], [1.5], "x"]
        )
    elif kind == 2:
        start, end = entry["data_offsets"]
        wrong = [[0, end], [start, end + 4], [end, start], [start, 2**63], [-4, end], []]
        entry["data_offsets"] = rng.choice(wrong)
    elif kind == 3:
        del header[name]
    elif kind == 4:
        header[rng.choice(["more", "x\ny", "\ud800", "", "encoder.weight"])] = dict(entry)
    elif kind == 5:
        header["__metadata__"] = rng.choice([{"format": "tf"}, {"a": 1}, [], None, "x"])
    elif kind == 6:
        header = rng.choice([{}, [], {"a": {}}, dict.fromkeys(map(str, range(10_000)), entry)])
    elif kind == 7:
        header[name] = rng.choice([None, [], {}, {"dtype": "F32"}])
    text = json.dumps(header).encode()
    length = rng.choice([0, 2**63, len(content) * 2, 10**8]) if kind == 8 else len(text)
    path.write_bytes(struct.pack("<Q", length) + text + data)


def weights_changed(rng: random.Random, folder: Path) -> None:
    """Numbers that are no weights."""
    import torch
    from safetensors.torch import load_file, save_file

    path = rng.choice(files(folder, "*.safetensors"))
    weights = load_file(path)
    floats = [key for key, tensor in weights.items() if tensor.is_floating_point()]
    value = rng.choice([float("nan"), float("inf"), 1e38, -1e38, 1e20, 0.0, 1e-40])
    chosen = floats if rng.random() < 0.4 else [rng.choice(floats)]
    for key in chosen:
        if rng.random() < 0.5:
            weights[key] = torch.full_like(weights[key], value)
        else:
            weights[key].view(-1)[rng.randrange(weights[key].numel())] = value
    if rng.random() < 0.2:
        kind = rng.choice([torch.int64, torch.bool, torch.float64, torch.float8_e4m3fn])
        weights = {key: tensor.to(kind) for key, tensor in weights.items()}
    save_file(weights, path)


class Payload:
    """What a pickle runs when it is loaded without care."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{os.environ[MARK]}'",)


def pickled(rng: random.Random, folder: Path) -> None:
    """Weights as a pickle, in many shapes."""
    import torch
    from safetensors.torch import load_file

    path = rng.choice(files(folder, "*.safetensors"))
    weights: Any = load_file(path)
    path.unlink()
    path = path.with_name("pytorch_model.bin")
    some = max(weights, key=lambda key: weights[key].numel())
    kind = rng.randrange(14)
    if kind == 0:
        weights[some] = Payload()
    elif kind == 1:
        path.write_bytes(pickle.dumps(Payload()))
        return
    elif kind == 2:
        path.write_bytes(rng.choice([b"", b"junk", rng.randbytes(500), b"PK\x03\x04" + bytes(99)]))
        return
    elif kind == 3:
        weights[some] = weights[some].to_sparse()
    elif kind == 4:
        weights[some] = torch.zeros(1).expand(weights[some].shape)
    elif kind == 5:
        weights = rng.choice([[], 3, {1: torch.zeros(1)}, {"a": {"b": torch.zeros(1)}}, "x"])
    elif kind == 6:
        weights[some] = weights[some].to(rng.choice([torch.int64, torch.bool, torch.float16]))
    elif kind == 7:
        weights[some] = torch.full_like(weights[some], float("nan"))
    elif kind == 8:
        weights[some] = torch.empty(weights[some].shape, device="meta")
    elif kind == 9:
        del weights[some]
    elif kind == 10:
        weights[some] = torch.zeros(1).expand(10**6, 10**6)
    torch.save(weights, path, _use_new_zipfile_serialization=kind != 11)
    if kind == 12:
        content = path.read_bytes()
        path.write_bytes(content[: rng.randrange(len(content))])
    elif kind == 13:
        inflated(path)


def pickle_changed(rng: random.Random, path: Path) -> None:
    """The pickle inside the archive of a checkpoint is damaged; the archive is whole."""
    whole = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(whole, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename.endswith("data.pkl"):
                content = rng.choice((_noisy, _with_opcodes))(rng, bytearray(content))
            new.writestr(item.filename, content)
    path.write_bytes(whole.getvalue())


def _noisy(rng: random.Random, content: bytearray) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def _with_opcodes(rng: random.Random, content: bytearray) -> bytes:
    """More, fewer or other operations, where it may well stay a pickle; numbers that are sizes."""
    for _ in range(rng.choice((1, 2, 4))):
        place = rng.randrange(len(content))
        more = rng.choice(
            (b"0", b".", b"R", b"}", b")", b"]", b"N", b"K\xff", b"J\xff\xff\xff\x7f")
        )
        content[place : place + rng.choice((0, 1, 2))] = more
    return bytes(content)


def inflated(path: Path) -> None:
    """The archive of a checkpoint with 3 GB of zeros, in 3 MB."""
    whole = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        big = max(old.infolist(), key=lambda item: item.file_size).filename
        for item in old.infolist():
            with new.open(item.filename, "w", force_zip64=True) as file:
                if item.filename == big:
                    for _ in range(3000):
                        file.write(bytes(1 << 20))
                else:
                    file.write(old.read(item))
    path.write_bytes(whole.getvalue())
