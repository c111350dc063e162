"""Writing tags into a file, and back: a whole new file takes the old one's place, or nothing does.

The new file is written beside the old one, its sound is compared, and the undo step is on the disk
before it takes the place. So whenever the program ends, there is a whole file and the way back.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from pathlib import Path

from auricle.errors import AudioError
from auricle.files import whole_file
from auricle.tags.changes import Change, Rules, changes
from auricle.tags.entry import Entry
from auricle.tags.journal import Journal, Step
from auricle.tags.others import OtherTags
from auricle.tags.pieces import Span, content
from auricle.tags.riff import KINDS
from auricle.tags.wav import WavTags


class Status(StrEnum):
    tagged = "tagged"
    unchanged = "unchanged"
    restored = "restored"
    never_tagged = "never tagged"


@dataclass(frozen=True)
class Plan:
    """What tagging a file would do.

    Attributes:
        notes: what stays as it is, and what a reader should know.
    """

    path: Path
    tags: WavTags | OtherTags
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return any(not change.kept for change in self.changes)


def plan(path: Path, entry: Entry, rules: Rules) -> Plan:
    """Raises AudioError: the file cannot be tagged; it is left as it is."""
    target = _target(path)
    with path.open("rb") as file:
        is_wav = file.read(4) in KINDS
    tags = WavTags(path) if is_wav else OtherTags(path)
    found = changes(tags.slots, tags.texts, entry, rules)
    notes = list(tags.notes)
    if target.stat().st_nlink > 1:
        notes.append(f"{path}: has other names (hard links), which keep the file without new tags")
    return Plan(path, tags, tuple(found), tuple(notes))


def write(planned: Plan, journal: Journal, rules: Rules) -> Status:
    """Do what is planned.

    Raises:
        AudioError: the file cannot be tagged; it is left as it is.
        DataError: the journal cannot be written; the file is left as it is.
    """
    if not planned.changed:
        return Status.unchanged
    path, tags = planned.path, planned.tags
    target = _target(path)
    _check_writable(path)
    before = target.stat()
    _clear(target)
    with whole_file(target) as part:
        pieces = tags.write(part, planned.changes)
        old, old_sound = digests(path, tags.sound(path))
        new, new_sound = digests(part, tags.sound(part))
        if old_sound != new_sound:
            raise AudioError(f"{path}: its sound would change; it is left as it is")
        _like(part, before, path, keep_times=rules.keep_times)
        now = path.stat()
        if (now.st_mtime_ns, now.st_size, now.st_ino) != (
            before.st_mtime_ns,
            before.st_size,
            before.st_ino,
        ):
            raise AudioError(f"{path}: another program writes it; tag it again later")
        journal.add(Step(str(target), old, new, before.st_mtime_ns, tuple(pieces)))
    return Status.tagged


def undo(path: Path, journal: Journal) -> Status:
    """Make the file what it was before its last tagging, with its time of modification.

    Raises AudioError: someone changed the file since; it is left as it is.
    """
    target = _target(path)
    digest, _ = digests(target, ())
    step = journal.last(digest, str(target))
    if step is None:
        if journal.has_lost(str(target), digest):
            raise AudioError(
                f"{path}: changed since auricle tagged it, so the tags cannot be taken back alone;"
                " it is left as it is"
            )
        return Status.never_tagged
    _check_writable(path)
    before = target.stat()
    _clear(target)
    with whole_file(target) as part:
        try:
            with target.open("rb") as file, part.open("xb") as to:
                for block in content(file, step.pieces):
                    to.write(block)
        except EOFError:
            pass  # which the digest shows
        if digests(part, ())[0] != step.before:
            raise AudioError(f"{path}: {journal.path} is damaged; the file is left as it is")
        _like(part, before, target, keep_times=False)
        os.utime(part, ns=(before.st_atime_ns, step.modified_ns))
    if step.path == str(target):
        journal.remove(step)
    return Status.restored


def digests(path: Path, spans: Iterable[Span]) -> tuple[str, str]:
    """SHA-256 of the whole file, and of its ``spans``, which are in order; a last one may reach
    beyond a file that is cut off."""
    whole, parts = sha256(), sha256()
    with path.open("rb") as file:
        size = file.seek(0, 2)
        place = 0
        for span in chain(spans, [Span(size, 0)]):
            start = min(span.offset, size)
            span = Span(start, min(span.length, size - start))
            for block in content(file, [Span(place, span.offset - place)]):
                whole.update(block)
            for block in content(file, [span]):
                whole.update(block)
                parts.update(block)
            place = span.end
    return whole.hexdigest(), parts.hexdigest()


def _target(path: Path) -> Path:
    """The file itself, behind links."""
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, ValueError, RuntimeError) as error:  # NUL in its name; links in a circle
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: cannot be tagged ({reason}); check the path") from error
    if not stat.S_ISREG(mode):
        raise AudioError(f"{path}: no file; tags are written into files alone")
    return target


def _check_writable(path: Path) -> None:
    if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
        raise AudioError(f"{path}: read-only; allow writing first: chmod u+w")


def _clear(path: Path) -> None:
    """Delete what a kill left of an earlier writing of ``path``."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        part.unlink(missing_ok=True)


def _like(part: Path, before: os.stat_result, path: Path, keep_times: bool) -> None:
    """Give ``part`` owner, permissions and attributes of ``path``, and its bytes to the disk."""
    shutil.copystat(path, part)
    if not keep_times:
        os.utime(part)
    with suppress(OSError, AttributeError):  # only the administrator gives files away
        os.chown(part, before.st_uid, before.st_gid)
    with part.open("r+b") as file:
        os.fsync(file.fileno())
