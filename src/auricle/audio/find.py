"""Recordings that a user names: files, folders, patterns, lists of paths, standard input."""

from __future__ import annotations

import itertools
import os
import re
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from auricle.audio.kinds import is_address
from auricle.audio.source import copied
from auricle.errors import AudioError

if TYPE_CHECKING:
    from auricle.audio.load import AudioInput

SOUNDFILE_SUFFIXES = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64"
FFMPEG_SUFFIXES = (
    ".m4a .aac .mp4 .m4v .mov .mkv .mka .webm .wma .wmv .avi .ac3 .amr .3gp"
    " .mpg .ts .mts .m2ts .flv"
)
SUFFIXES = frozenset(f"{SOUNDFILE_SUFFIXES} {FFMPEG_SUFFIXES}".split())

STDIN = "-"
WILD = re.compile(r"[*?[]")
ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class Input:
    """A recording that a user names or that a search finds.

    Attributes:
        name: in messages and records.
        path: None for standard input and web addresses.
        error: the reason why it cannot be captioned, if that is known before it is opened.
        root: the folder that was given, and in which it was found; of a pattern, the folders before
            the first wildcard; of a file, its own folder.
    """

    name: str
    path: Path | None = None
    error: AudioError | None = None
    root: Path | None = None

    def reason(self, error: AudioError | None) -> str:
        """What ``error`` says of this recording, without its name."""
        return str(error).removeprefix(f"{self.name}: ")

    def source(self) -> AudioInput:
        """What `load_audio` takes. A pipe is read to its end here, as soon as it is asked for:
        an interruption ends this wait, but not that of a thread."""
        if self.path is None and is_address(self.name):
            return self.name
        try:
            if self.path is None:
                return copied(sys.stdin.buffer.read, self.name)
            if stat.S_ISFIFO(_mode(self.path)):
                with suppress(OSError), self.path.open("rb") as pipe:  # else its reader says why
                    return copied(pipe.read, self.name)
            return self.path
        except AudioError as error:
            return cast(BinaryIO, _Unread(self.name, error))


@dataclass(frozen=True)
class _Unread:
    """A file whose reader meets ``error``, so that this recording alone fails."""

    name: str
    error: AudioError

    def read(self, size: int = -1) -> bytes:
        raise self.error


def find_audio_files(paths: Iterable[str | os.PathLike[str]]) -> list[Input]:
    """The recordings that ``paths`` name, each once, in the order of ``paths``.

    A path is one of
        a file, with any suffix; also a pipe, which is read to its end;
        a web address;
        a folder, which stands for the files with ``SUFFIXES`` at any depth, sorted, without hidden
        ones, and without those behind links to other folders;
        ``-``: standard input;
        a pattern of ``*``, ``?`` and ``[...]``, where ``**`` is folders at any depth: it stands for
        the files and folders that match, again without hidden ones;
        ``@LIST``: a file with a path per line, UTF-8, relative to the working directory; blank
        lines and lines that begin with # are skipped. A line is a file or folder, nothing else.
        ``@-`` reads the list from standard input.
    A file or folder with exactly this name comes first: ``[live].wav``, ``@home``; ``./-``.

    Missing paths, unreadable folders, folders without audio, lists that are none, devices, sockets,
    and pipes that were not named but found, are inputs with an ``error``; none of them is opened.
    """
    found: dict[tuple[str, bool], Input] = {}
    for path in paths:
        for one in _named(os.fspath(path)):
            place = os.path.abspath(one.name)  # noqa: PTH100  (keeps links apart)
            found.setdefault((place, one.error is None), one)
    return list(found.values())


def audio_files(folder: Path) -> list[Path]:
    """The audio files below ``folder``, sorted; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return [one.path for one in find_audio_files([folder]) if one.path]


def _named(text: str) -> Iterator[Input]:
    if text == STDIN:
        yield _standard_input()
    elif os.path.lexists(text):
        yield from _there(Path(text))
    elif is_address(text):
        yield Input(text)
    elif text.startswith("@"):
        yield from _listed(text[1:])
    elif WILD.search(text):
        place, *parts = Path(text).parts if Path(text).is_absolute() else ("", *Path(text).parts)
        plain = itertools.takewhile(lambda part: not WILD.search(part), parts)
        root = Path(place, *plain)
        matches = [replace(one, root=root) for one in _matching(Path(place), parts)]
        yield from matches or [_failed(text, "no file has this name or matches it; check the path")]
    else:
        yield _missing(text)


def _there(path: Path, named: bool = True) -> Iterator[Input]:
    """The recordings of an existing path; ``named``: on purpose."""
    if path.is_dir():
        below = list(files_below(path))
        yield from below
        if not any(one.path for one in below):
            yield _failed(str(path), "no audio file in this folder (wav, flac, ogg, mp3, m4a …)")
    else:
        yield _file(path, named)


def _file(path: Path, named: bool, root: Path | None = None) -> Input:
    mode = _mode(path)
    if stat.S_ISFIFO(mode) and not named:
        return _failed(str(path), "skipped, it is a pipe; name it itself to caption what it brings")
    if stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        kind = "a socket" if stat.S_ISSOCK(mode) else "a device"
        return _failed(str(path), f"{kind}, not a recording; name a file, or - for standard input")
    return Input(str(path), path, root=root or path.parent)


def files_below(top: Path, suffixes: Collection[str] = SUFFIXES) -> Iterator[Input]:
    """The files with ``suffixes`` in the folder ``top``, one by one, as `find_audio_files` finds
    them."""
    for folder, files in _folders(top):
        if isinstance(files, OSError):
            yield _unreadable(folder, files)
            continue
        for name in files:
            if Path(name).suffix.lower() in suffixes:
                yield _file(folder / name, named=False, root=top)


def _folders(top: Path) -> Iterator[tuple[Path, list[str] | OSError]]:
    """``top`` and the folders below it, with the names of their files, or the error that hides
    them. A loop and not a recursion: folders may be nested thousands deep."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            entries = _entries(folder)
        except OSError as error:
            yield folder, error
            continue
        yield folder, [entry.name for entry in entries if not _is_folder(entry)]
        inner = [entry.name for entry in entries if _is_folder(entry) and not entry.is_symlink()]
        waiting += [folder / name for name in reversed(inner)]


def _entries(folder: Path, hidden: bool = False) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if hidden or not entry.name.startswith(".")]
    return sorted(shown, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _matching(place: Path, parts: Sequence[str]) -> Iterator[Input]:
    """The recordings below ``place`` that match the ``parts`` of a pattern."""
    if not parts:
        yield from _there(place, named=False)
        return
    first, *rest = parts
    if not WILD.search(first):
        if os.path.lexists(place / first):
            yield from _matching(place / first, rest)
    elif first == ANY_DEPTH:
        for folder, files in _folders(place) if rest else [(place, [])]:
            if isinstance(files, OSError):
                yield _unreadable(folder, files)
            else:
                yield from _matching(folder, rest)
    else:
        try:
            entries = _entries(place, hidden=first.startswith("."))
        except OSError as error:
            yield _unreadable(place, error)
            return
        for entry in entries:
            if fnmatch(entry.name, first) and (not rest or _is_folder(entry)):
                yield from _matching(place / entry.name, rest)


def _listed(name: str) -> Iterator[Input]:
    """The recordings of the list ``name``."""
    try:
        lines = _lines(name)
    except AudioError as error:
        yield Input(f"@{name}", error=error)
        return
    for number, path in lines:
        if os.path.lexists(path):
            yield from _there(Path(path))
        elif is_address(path):
            yield Input(path)
        else:
            yield _missing(path, f" (line {number} of {name})")


def _lines(name: str) -> list[tuple[int, str]]:
    """(number from 1, path) for each line of the list ``name`` that holds a path.

    Raises AudioError: it is no list of paths.
    """
    if stat.S_ISCHR(mode := _mode(Path(name))) or stat.S_ISBLK(mode):
        raise AudioError(f"@{name}: a device, not a list of paths; give a file, or @-")
    try:
        with nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as stream:
            content = stream.read(1 << 16)
            if b"\0" not in content:  # else a recording, perhaps a large one
                content += stream.read()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except (OSError, AttributeError) as error:  # AttributeError: standard input is closed
        reason = getattr(error, "strerror", None) or "closed"
        raise AudioError(
            f"@{name}: no list of paths that can be read ({reason}); check its name"
        ) from error
    if "\0" in text:
        raise AudioError(f"@{name}: not a list of paths; it must be UTF-8 text, a path per line")
    lines = enumerate((line.removesuffix("\r") for line in text.split("\n")), 1)
    found = [(n, line) for n, line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise AudioError(f"@{name}: the list is empty; write a path on each line")
    return found


def _standard_input() -> Input:
    name = "<stdin>"
    if sys.stdin is None:
        return _failed(name, "closed; send a recording into it: ffmpeg … | auricle caption -")
    if sys.stdin.isatty():
        return _failed(name, "a terminal; send a recording into it: ffmpeg … | auricle caption -")
    return Input(name)


def _mode(path: Path) -> int:
    """The kind of file behind ``path``; 0 if there is none, which its reader will say."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _missing(text: str, where: str = "") -> Input:
    try:
        os.lstat(text)
    except FileNotFoundError:
        pass
    except OSError as error:
        return _failed(text, f"cannot be reached ({error.strerror}){where}; check the path")
    return _failed(text, f"no such file or folder{where}; check the path")


def _unreadable(folder: Path, error: OSError) -> Input:
    return _failed(str(folder), f"folder cannot be read ({error.strerror})")


def _failed(name: str, reason: str) -> Input:
    return Input(name, error=AudioError(f"{name}: {reason}"))
