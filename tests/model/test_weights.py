"""Files of weights: what does not fit is refused before it is read, what is code never runs."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from auricle.errors import ModelError
from auricle.model.weights import Kind, check_fit, load_fitting, read_pickle

NEEDED = {"a": Kind((2, 3), True), "b": Kind((), False)}


def tensors():
    return {"a": torch.ones(2, 3), "b": torch.tensor(1)}


@pytest.fixture
def path(tmp_path):
    save_file(tensors(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def with_header(path, change, length=None):
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", length or len(text)) + text + content[8 + size :])


def test_weights_that_fit_are_read(path):
    found = load_fitting(path, NEEDED)
    assert torch.equal(found["a"], torch.ones(2, 3))
    torch.save(tensors(), path.with_name("w.bin"))
    assert torch.equal(load_fitting(path.with_name("w.bin"), NEEDED)["a"], torch.ones(2, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["a"].update(shape=[10**6, 10**6]), "no weights that can be read"),
        (lambda h: h["a"].update(shape=[-1]), "no weights that can be read"),
        (lambda h: h["a"].update(shape=[3, 2]), r"a has shape \[3, 2\], expected \[2, 3\]"),
        (lambda h: h["a"].update(dtype="I32"), "of whole numbers"),
        (lambda h: h["a"].update(dtype="X"), "no weights that can be read"),
        (lambda h: h["a"].update(data_offsets=[0, 2**63]), "no weights that can be read"),
        (lambda h: h.update(c=h["a"]), "no weights that can be read"),
        (lambda h: h.update(c=h.pop("a")), "missing keys: a; unexpected keys: 'c'"),
        (dict.clear, "no weights that can be read|missing keys"),
    ],
)
def test_a_header_decides_before_tensors_are_read(path, monkeypatch, change, message):
    monkeypatch.setattr("safetensors.torch.load_file", lambda _: pytest.fail("they were read"))
    with_header(path, change)
    with pytest.raises(ModelError, match=message):
        load_fitting(path, NEEDED)


def test_a_header_of_absurd_length_is_not_read(path):
    with_header(path, lambda _: None, length=2**62)
    with pytest.raises(ModelError, match="a header of"):
        load_fitting(path, NEEDED)


@pytest.mark.parametrize("content", [b"", b"junk", bytes(100), None])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_what_is_no_file_of_weights_is_named_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: no ") as caught:
        load_fitting(path, NEEDED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_numbers_that_are_none_are_refused(tmp_path, name, value):
    weights = tensors()
    weights["a"][1, 2] = value
    path = tmp_path / name
    save_file(weights, path) if name.endswith("safetensors") else torch.save(weights, path)
    with pytest.raises(ModelError, match="a holds infinite numbers or none"):
        load_fitting(path, NEEDED)


@pytest.mark.parametrize(
    "content",
    [
        {"a": torch.ones(2, 3).to_sparse(), "b": torch.tensor(1)},
        {"a": torch.empty(2, 3, device="meta"), "b": torch.tensor(1)},
        {"a": {"b": torch.ones(1)}},
        {1: torch.ones(1)},
        [],
        "text",
    ],
)
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(ModelError, match="not a dictionary of tensors"):
        load_fitting(tmp_path / "w.bin", NEEDED)


class Payload:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("write", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_code_in_a_pickle_never_runs(tmp_path, write):
    write({"a": Payload(tmp_path / "ran")}, tmp_path / "w.bin")
    with pytest.raises(ModelError, match=r"never executes|no weights that can be read"):
        read_pickle(tmp_path / "w.bin")
    assert not (tmp_path / "ran").exists()


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    path, small = tmp_path / "w.bin", io.BytesIO()
    torch.save({"a": torch.zeros(1 << 22)}, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            new.writestr(item.filename, old.read(item))
    path.write_bytes(small.getvalue())
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelError, match="unpacks to 16,"):
        read_pickle(path)


def test_many_wrong_tensors_are_counted_and_the_first_named():
    found = {f"t{i}": Kind((1,), True) for i in range(100_000)}
    with pytest.raises(ModelError, match=r"and 99,980 more") as caught:
        check_fit(found, {}, "w")
    assert len(str(caught.value)) < 1_000


def test_a_file_of_more_addresses_than_there_are_is_refused(tmp_path):
    """A file of 8 GB, none of which is written, in a process that may have 6 GB."""
    path = tmp_path / "model.safetensors"
    path.touch()
    os.truncate(path, 8 << 30)
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom auricle.model.weights import header\n"
        "from safetensors import safe_open\nfrom auricle.errors import ModelError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
        "try:\n    header(Path(sys.argv[1]))\nexcept ModelError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{path}: no weights that can be read")
