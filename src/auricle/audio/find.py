"""Audio files that a user names, and those under folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from auricle.errors import AudioError

SOUNDFILE_SUFFIXES = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64"
FFMPEG_SUFFIXES = ".m4a .aac .mp4 .m4v .mov .mkv .mka .webm .wma .wmv .avi .ac3 .amr .3gp .mpg"
SUFFIXES = frozenset(f"{SOUNDFILE_SUFFIXES} {FFMPEG_SUFFIXES}".split())


def find_audio_files(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[list[Path], list[AudioError]]:
    """(files, errors): the named files, and the audio files under named folders, sorted.

    A named file may have any suffix. Folders are searched for ``SUFFIXES``, but not their hidden
    files and folders, or links to other folders. The order of ``paths`` is kept; a file that is
    named twice appears once. The errors name missing paths, unreadable folders and folders without
    audio.
    """
    found: dict[str, Path] = {}  # keyed by absolute path
    problems: list[AudioError] = []
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            files = list(_files_below(path, problems))
            if not files:
                kinds = "wav, flac, ogg, mp3, m4a, mp4 …"
                problems.append(AudioError(f"{path}: no audio file in this folder ({kinds})"))
        elif not os.path.lexists(path):
            problems.append(AudioError(f"{path}: no such file or folder; check the path"))
            continue
        for file in files:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100  (keeps links apart)
    return list(found.values()), problems


def _files_below(folder: Path, problems: list[AudioError]) -> Iterator[Path]:
    def report(error: OSError) -> None:
        problems.append(AudioError(f"{error.filename}: folder cannot be read ({error.strerror})"))

    for root, folders, files in os.walk(folder, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(root, name)


def audio_files(folder: Path) -> list[Path]:
    """The audio files below ``folder``, sorted; none if there is no such folder."""
    return find_audio_files([folder])[0] if folder.is_dir() else []
