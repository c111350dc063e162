"""7z archives, by py7zr, which comes with the extra "data"."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from auricle.audio.find import SUFFIXES
from auricle.errors import DataError, MissingDependencyError
from auricle.watch import Progress, silent


def extract_audio(archive: Path, folder: Path, progress: Progress = silent) -> int:
    """Unpack the audio files of the 7z ``archive`` into ``folder``, without its own folders.

    Files that are there in the right size stay. The others are unpacked beside ``folder`` first
    and moved one by one when all are whole, so that no half-written recording is ever taken for a
    whole one. ``progress`` is told bytes and their total. Returns the number of files unpacked.

    Raises DataError for an archive that is damaged, MissingDependencyError without py7zr.
    """
    try:
        import py7zr
        from py7zr.callbacks import ExtractCallback
    except ImportError as error:
        raise MissingDependencyError(
            f'{archive}: to unpack 7z archives install py7zr: pip install "auricle[data]"; or'
            f" unpack it yourself into {folder}"
        ) from error

    class Callback(ExtractCallback):
        """Tells ``progress`` of each block; the other events are of no interest."""

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
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    try:
        with py7zr.SevenZipFile(archive) as file:
            members = {
                entry.filename: entry.uncompressed
                for entry in file.list()
                if not entry.is_directory
                and PurePosixPath(entry.filename).suffix.lower() in SUFFIXES
            }
            if not members:
                raise DataError(f"{archive}: holds no audio file; is it the archive you meant?")
            members = {
                member: size
                for member, size in members.items()
                if not _is_there(folder / PurePosixPath(member).name, size)
            }
            if not members:
                return 0
            # py7zr itself refuses members that would land outside the folder.
            file.extract(work, targets=set(members), callback=Callback(sum(members.values())))
            for member in members:
                shutil.move(Path(work, member), folder / PurePosixPath(member).name)
    except DataError:
        raise
    except Exception as error:  # of damaged data py7zr lets any decoder's own errors through
        raise DataError(
            f"{archive}: cannot be unpacked ({error or type(error).__name__}); fetch it again, and"
            " see that the disk has room"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return len(members)


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
