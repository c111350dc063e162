"""Files of Stanford CoreNLP 3.6.0, SPICE's parser: half a gigabyte, in no package."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from auricle.errors import DataError, MissingDependencyError
from auricle.fetch.cache import cache_folder
from auricle.fetch.http import BLOCK_BYTES, download
from auricle.files import whole_file
from auricle.metrics.java import carried
from auricle.watch import Progress, silent

COMMAND = "auricle data metrics"
FOLDER = "AURICLE_CORENLP"  # environment variable: a folder instead of the cache
NAME = "stanford-corenlp-3.6.0"
ARCHIVE = "stanford-corenlp-full-2015-12-09.zip"
URL = f"https://nlp.stanford.edu/software/{ARCHIVE}"
SIZE = "0.5 GB"
SHA1 = (
    "55c9d653eb30ace7d5a60eb3138e424f9442e539"  # as HazyResearch/deepdive's udf/corenlp checks it
)
# Each jar, and a member that identifies it.
JARS = {
    f"{NAME}.jar": "edu/stanford/nlp/pipeline/StanfordCoreNLP.class",
    f"{NAME}-models.jar": "edu/stanford/nlp/models/lexparser/englishPCFG.ser.gz",
}


def home() -> Path:
    """The folder of the files: $AURICLE_CORENLP, else one in the cache."""
    chosen = os.environ.get(FOLDER)
    return Path(chosen).expanduser() if chosen else cache_folder() / NAME


def jars() -> list[Path]:
    """The files, from `home` or from pycocoevalcap's own SPICE.

    Raises:
        MissingDependencyError: they are in neither folder.
    """
    folders = [home()]
    with contextlib.suppress(MissingDependencyError):
        folders.append(carried("spice", "lib"))
    for folder in folders:
        found = [folder / name for name in JARS]
        if all(path.is_file() for path in found):
            return found
    raise MissingDependencyError(f"Stanford CoreNLP 3.6.0 ({SIZE}) is not in {folders[0]}")


def install(source: Path | None = None, progress: Progress = silent) -> tuple[Path, bool]:
    """Put the files into `home`; return it, and False if they were already there.

    Args:
        source: a folder that contains the two jars at any depth, or the archive; without it the
            archive is downloaded, and an interrupted download resumes.
        progress: gets bytes and their total.

    Raises:
        DataError: there is no connection or no room, or ``source`` is not that release; names the
            file to fetch and where to put it.
    """
    folder = home()
    if source is None:
        if all(_is_jar(folder / name) for name in JARS):
            return folder, False
        source = folder / ARCHIVE
        download(URL, source, SHA1, progress, algorithm="sha1")
        _unpack(source, folder)
        source.unlink()
    elif source.is_dir():
        for name in JARS:
            found = next(source.rglob(name), None)
            if found is None:
                raise DataError(f"{source}: holds no {name}; it is part of {URL}")
            with found.open("rb") as file:
                _put(name, folder, file)
    else:
        _unpack(source, folder)
    return folder, True


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            members = {PurePosixPath(member).name: member for member in file.namelist()}
            for name in JARS:
                if name not in members:
                    raise DataError(f"{archive}: holds no {name}; give {ARCHIVE}, from {URL}")
                with file.open(members[name]) as member:
                    _put(name, folder, member)
    except (zipfile.BadZipFile, EOFError, FileNotFoundError) as error:
        raise DataError(f"{archive}: no whole zip archive ({error}); fetch {URL} again") from error


def _put(name: str, folder: Path, file: IO[bytes]) -> None:
    """Write a jar completely, or not at all if it is another file."""
    with whole_file(folder / name) as part:
        with part.open("wb") as out:
            shutil.copyfileobj(file, out, BLOCK_BYTES)
        if not _is_jar(part, name):
            raise DataError(f"{name}: is not that of Stanford CoreNLP 3.6.0; fetch {URL}")


def _is_jar(path: Path, name: str = "") -> bool:
    try:
        with zipfile.ZipFile(path) as jar:
            return JARS[name or path.name] in jar.NameToInfo
    except (OSError, zipfile.BadZipFile):
        return False
