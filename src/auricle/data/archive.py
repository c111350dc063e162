"""7z archives, read with py7zr (extra "data")."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from auricle.audio.find import SUFFIXES
from auricle.errors import DataError, MissingDependencyError
from auricle.extras import install_command
from auricle.watch import Progress, silent


def extract_audio(archive: Path, folder: Path, progress: Progress = silent) -> int:
    """Unpack the audio files of the 7z ``archive`` into ``folder``, without its own folders.

    Existing files of the right size are kept. The others are first unpacked beside ``folder``, and
    moved when all are complete, so a partial recording never looks complete. ``progress`` gets
    bytes and their total. Returns the number of unpacked files.

    Raises DataError: the archive is damaged, has a member that would be written elsewhere, two of
    one name or a link, or is larger unpacked than the room on the disk. MissingDependencyError:
    py7zr is missing.
    """
    try:
        import py7zr
        from py7zr.callbacks import ExtractCallback
    except ImportError as error:
        raise MissingDependencyError(
            f"{archive}: to unpack 7z archives install py7zr: {install_command('data')}; or"
            f" unpack it yourself into {folder}"
        ) from error

    class Callback(ExtractCallback):
        """Reports each block to ``progress``; ignores the other events."""

        def __init__(self, total: int) -> None:
            self.done, self.total = 0, total

        def report_update(self, decompressed_bytes: str) -> None:
            self.done += int(decompressed_bytes)
            progress(f"unpack {archive.name}", min(self.done, self.total), self.total)

        def report_start_preparation(self) -> None: ...
        def report_start(self, processing_file_path: str, processing_bytes: str) -> None: ...
        def report_end(self, processing_file_path: str, wrote_bytes: str) -> None: ...
        def report_postprocess(self) -> None: ...
        def report_warning(self, message: str) -> None: ...

    folder.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)  # left by a killed run
    try:
        with py7zr.SevenZipFile(archive) as file:
            members = _audio_members(archive, file.list())
            members = {
                member: size
                for member, size in members.items()
                if not _is_there(folder / PurePosixPath(member).name, size)
            }
            if not members:
                return 0
            _check_room(archive, sum(members.values()), folder)
            file.extract(work, targets=set(members), callback=Callback(sum(members.values())))
            for member, size in members.items():
                if not _is_there(work / member, size):
                    raise DataError(f"{archive}: {member} is not the file of {size} bytes declared")
                shutil.move(work / member, folder / PurePosixPath(member).name)
    except DataError:
        raise
    except Exception as error:  # py7zr passes on any error of its decoders
        raise DataError(
            f"{archive}: cannot be unpacked ({error or type(error).__name__}); fetch it again, and"
            " check that the disk has room"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(members)


def _audio_members(archive: Path, entries: Iterable[Any]) -> dict[str, int]:
    """Size in bytes by name of the audio files among py7zr's ``entries``.

    Raises DataError: there is none, or one that cannot be unpacked into one folder.
    """
    members: dict[str, int] = {}
    names: dict[str, str] = {}
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if entry.is_directory or path.suffix.lower() not in SUFFIXES:
            continue
        if path.anchor or PureWindowsPath(path).anchor or ".." in PureWindowsPath(path).parts:
            raise DataError(f"{archive}: {path} would be written outside its folder; unpack none")
        if getattr(entry, "is_symlink", False):
            raise DataError(f"{archive}: {path} is a link; get an archive of files")
        if path.name in names:
            raise DataError(
                f"{archive}: {names[path.name]} and {path} would overwrite each other in one"
                " folder; unpack them yourself, and rename one"
            )
        names[path.name] = entry.filename
        members[entry.filename] = int(entry.uncompressed)
    if not members:
        raise DataError(f"{archive}: holds no audio file; is it the archive you meant?")
    return members


def _check_room(archive: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{archive}: {size / 1e9:.1f} GB unpacked, but {folder} has room for {free / 1e9:.1f}"
            " GB; free some, or choose another disk"
        )


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == size
