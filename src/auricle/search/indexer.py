"""The indexer: what is new, changed, moved or gone in the folders of an index, and only that.

    files ──► as before? (size, time) ──► read and hash (threads, ahead) ──► content known?
      yes: it has moved, or is a copy    no: heard, short ones together ──► rows, in batches

A kill loses at most the batch that was not written, which the next run does again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.audio.find import find_audio_files
from auricle.audio.header import probe
from auricle.audio.lookahead import in_order
from auricle.audio.source import digest_of
from auricle.errors import AudioError
from auricle.search.rows import Described, Indexed
from auricle.search.store import Index
from auricle.watch import Note, Progress, silent

if TYPE_CHECKING:
    import numpy as np

    from auricle.search.hear import HeardFile, Listener

TOGETHER, EVERY_S = 32, 10.0  # files that are written at once; fewer after so many seconds


@dataclass
class Summary:
    """What a run found and did, in numbers of files. A copy of a known file is new; ``left``:
    failed before, and not tried again."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    gone: int = 0
    failed: int = 0
    unchanged: int = 0
    left: int = 0

    def __str__(self) -> str:
        names = ("new", "changed", "moved", "gone", "failed", "unchanged")
        told = [f"{getattr(self, name):,} {name}" for name in names]
        return ", ".join([*told, *[f"{self.left:,} failed before"] * bool(self.left)])


class Indexer:
    """Brings ``index`` up to date.

    Args:
        start: loads what hears; called if something is to be heard.
        retry_failed: hear again what failed before.
        on_note: gets a line for the user.
        on_failure: gets the path of a file that cannot be heard, and the reason.
        progress: gets the number of files that are done.
    """

    def __init__(
        self,
        index: Index,
        start: Callable[[], Listener],
        retry_failed: bool = False,
        on_note: Note = silent,
        on_failure: Callable[[str, str], None] = silent,
        progress: Progress = silent,
    ) -> None:
        self.index, self._start, self._retry = index, start, retry_failed
        self._note, self._failure, self._progress = on_note, on_failure, progress
        self._known: dict[str, Indexed] = {}  # before this run, by path
        self._waiting: list[tuple[Indexed, Sequence[Described]]] = []  # to be written
        self._prints: dict[str, np.ndarray] = {}
        self._written_s = time.monotonic()
        self._done = self._total = 0
        self._summary = Summary()

    def update(self, folders: Iterable[str]) -> Summary:
        """Look through ``folders``, absolute paths: hear what is new, forget what is gone.

        A folder that is missing or holds no recording, such as a disk that is not plugged in,
        keeps its sounds.

        Raises:
            DataError, OutputError: the index cannot be read or written.
            ModelError: the model cannot be loaded, or has no text embedder.
        """
        self._summary = Summary()
        self._known = {one.audio: one for one in self.index.files()}
        there, gone = self._look_through(folders)
        todo = [path for path in there if not self._is_as_before(path)]
        self._done, self._total = len(there) - len(todo), len(there)
        twice: list[Indexed] = []
        try:
            for heard in self._heard(self._to_hear(todo, twice)):
                self._take(heard)
        finally:  # also what was heard before an interruption
            self._write()
        self._copy(twice)
        gone = [path for path in gone if next(self.index.files(path), None)]  # else it has moved
        if gone:
            self.index.remove(gone)
        self._summary.gone = len(gone)
        self.index.save_vectors()
        return self._summary

    def _look_through(self, folders: Iterable[str]) -> tuple[list[str], list[str]]:
        """Paths of the recordings in ``folders``, and of those that are not there any more."""
        there: dict[str, None] = {}
        before: dict[str, None] = {}
        hidden: list[str] = []  # what cannot be looked into
        for folder in folders:
            inside = [one.audio for one in self.index.files(folder)]
            found = find_audio_files([folder])
            if not any(one.path for one in found):
                told = f"its {len(inside):,} indexed files are kept; --forget erases them"
                self._note(f"{found[0].error}" + f"; {told}" * bool(inside))
                continue
            for one in found:
                path = os.path.abspath(one.name)  # noqa: PTH100  (keeps links apart)
                if one.error:
                    self._note(str(one.error))
                    hidden.append(path)
                else:
                    there[path] = None
            before |= dict.fromkeys(inside)
        gone = [path for path in before if path not in there]
        inaccessible = tuple(f"{path}{os.sep}" for path in hidden)
        return [*there], [path for path in gone if not path.startswith(inaccessible)]

    def _is_as_before(self, path: str) -> bool:
        """Whether the file has its former size and time, and need not be tried again."""
        before = self._known.get(path)
        if before is None or _stamp(path) != (before.size, before.mtime_ns):
            return False
        if before.reason and self._retry:
            return False
        self._count_as_before(before)
        return True

    def _count_as_before(self, before: Indexed) -> None:
        if before.reason:
            self._summary.left += 1
        else:
            self._summary.unchanged += 1

    def _to_hear(self, paths: Sequence[str], twice: list[Indexed]) -> Iterator[Indexed]:
        """Those of ``paths`` whose content is not known; ``twice`` gets those whose content has
        come before among them."""
        under_way = set[str]()
        for file in in_order(_examined, paths):
            if file.reason:
                self._fail(file)
            elif self._is_placed(file):
                self._count()
            elif file.content in under_way:
                twice.append(file)
            else:
                under_way.add(file.content)
                yield file

    def _is_placed(self, file: Indexed) -> bool:
        """Whether the index has the content of ``file``, which then has its place there."""
        before = self._known.get(file.audio)
        if before and before.content == file.content and not (before.reason and self._retry):
            self.index.stamp([file])
            self._count_as_before(before)
            return True
        known = [path for path in self.index.having(file.content) if path != file.audio]
        for path in known:
            if not os.path.lexists(path):
                self.index.move(path, file)
                self._summary.moved += 1
                return True
        if known:
            self.index.copy(known[0], file)
            self._count_written(file)
        return bool(known)

    def _heard(self, files: Iterator[Indexed]) -> Iterator[HeardFile]:
        """``files`` as the model hears them: short ones first, then each long one."""
        first = next(files, None)
        if first is None:
            return
        listener = self._start()
        long: list[Indexed] = []

        def short() -> Iterator[Indexed]:
            for one in chain([first], files):
                if one.duration_s > listener.longest_s + 0.05:
                    long.append(one)
                else:
                    yield one

        yield from listener.short(short())
        for one in long:
            yield listener.long(one, self._progress)

    def _take(self, heard: HeardFile) -> None:
        if heard.error:
            name = heard.file.audio
            self._fail(replace(heard.file, reason=_reason(name, heard.error)))
            return
        if heard.note:
            self._note(heard.note)
        self._count_written(heard.file)
        if heard.words is not None:
            self._prints[heard.file.audio] = heard.words
        self._wait(replace(heard.file, duration_s=heard.end_s), heard.sounds)

    def _fail(self, file: Indexed) -> None:
        self._failure(file.audio, file.reason)
        self._summary.failed += 1
        self._wait(file)

    def _wait(self, file: Indexed, sounds: Sequence[Described] = ()) -> None:
        self._waiting.append((file, sounds))
        late = time.monotonic() - self._written_s > EVERY_S
        if late or len(self._waiting) >= TOGETHER:
            self._write()
        self._count()

    def _write(self) -> None:
        found, prints = self._waiting, self._prints
        self._waiting, self._prints = [], {}
        if found:
            self.index.add(found, prints)
        self._written_s = time.monotonic()

    def _copy(self, files: Iterable[Indexed]) -> None:
        """Write files whose content has been heard in this run."""
        reasons = {one.content: one.reason for one in self.index.files() if one.reason}
        for file in files:
            if self._is_placed(file):
                self._count()
            else:
                self._fail(replace(file, reason=reasons.get(file.content, "cannot be heard")))
        self._write()

    def _count_written(self, file: Indexed) -> None:
        if file.audio in self._known:
            self._summary.changed += 1
        else:
            self._summary.new += 1

    def _count(self) -> None:
        self._done += 1
        self._progress("recordings", self._done, self._total)


def _stamp(path: str) -> tuple[int, int]:
    """Size in bytes and time in ns of a file; -1 for both if it cannot be reached."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _examined(path: str) -> Indexed:
    """A file with what its bytes and its header tell; or with the reason why they cannot."""
    file = Indexed(path, *_stamp(path), content="")
    try:
        file = replace(file, content=digest_of(Path(path), path))
        header = probe(Path(path))
    except AudioError as error:
        return replace(file, reason=_reason(path, error))
    return replace(file, duration_s=header.duration_s, format=header.format)


def _reason(path: str, error: AudioError) -> str:
    return str(error).removeprefix(f"{path}: ")
