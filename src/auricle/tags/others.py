"""Tags of FLAC, Ogg, MP3, AIFF and MP4, which mutagen reads and writes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from auricle.errors import AudioError, MissingDependencyError, in_one_line
from auricle.extras import install_command
from auricle.tags.changes import OWN, Change, Field, Slot
from auricle.tags.pieces import Piece, Span, difference

ID3V1 = 128  # bytes at the end of a file
PREFIX = "AURICLE_"


@dataclass(frozen=True)
class Format:
    """How files of one kind hold tags.

    Attributes:
        keys: of mutagen, by name of the slot, for `get` and `put`.
        get, put: text of a key; an empty one takes it out.
        sound: the bytes of the encoded sound of an open file.
        loading: arguments of mutagen's class.
        saving: arguments of its ``save``, given the tags that the file has, or None.
    """

    slots: tuple[Slot, ...]
    get: Callable[[Any, str], str]
    put: Callable[[Any, str, str], None]
    sound: Callable[[BinaryIO], Iterator[Span]]
    loading: dict[str, Any] = field(default_factory=dict)
    saving: Callable[[Any], dict[str, Any]] = lambda tags: {}


def _slots(description: str, comment: str, own: str) -> tuple[Slot, ...]:
    shared = (Slot(description, Field.description), Slot(comment, Field.comment))
    return (*shared, *(Slot(f"{own}{PREFIX}{name.upper()}", name) for name in OWN))


class OtherTags:
    """As `auricle.tags.wav.WavTags`.

    Raises:
        AudioError: the file cannot be read, or is of a format without tags.
        MissingDependencyError: mutagen is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import mutagen
        except ImportError as error:
            raise MissingDependencyError(
                f"{path}: tags of all but WAV files need mutagen: {install_command('tags')}"
            ) from error
        self.path, self.notes = path, list[str]()
        formats = _formats()
        with _refused(path):
            found = mutagen.File(path, options=list(formats))
        if found is None:
            raise AudioError(
                f"{path}: no kind of file whose tags auricle writes (wav, flac, ogg, opus, mp3,"
                " m4a, mp4, aiff); convert it, or write a table with --csv"
            )
        self._kind, self._format = type(found), formats[type(found)]
        self.slots = list(self._format.slots)
        with _refused(path):
            tags = self._opened(path).tags
            self.texts = {
                slot.name: "" if tags is None else self._format.get(tags, slot.name)
                for slot in self.slots
            }

    def write(self, to: Path, changes: Sequence[Change]) -> list[Piece]:
        shutil.copyfile(self.path, to)
        with _refused(self.path):
            file = self._opened(to)
            saving = self._format.saving(file.tags)
            if file.tags is None:
                file.add_tags()
            for change in changes:
                if not change.kept:
                    self._format.put(file.tags, change.slot, change.new)
            file.save(to, **saving)
            tags, get = self._opened(to).tags, self._format.get
            wanted = {change.slot: change.new for change in changes if not change.kept}
            if tags is None or any(get(tags, slot) != text for slot, text in wanted.items()):
                raise AudioError(f"{self.path}: damaged, tags in it are lost; it is left as it is")
        with self.path.open("rb") as old, to.open("r+b") as new:
            _keep_id3v1(old, new)
            return difference(old, new)

    def sound(self, path: Path) -> Iterator[Span]:
        with path.open("rb") as file, _refused(path):
            yield from self._format.sound(file)

    def _opened(self, path: Path) -> Any:
        return self._kind(path, **self._format.loading)


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """What goes wrong inside mutagen on a damaged file is an AudioError; what goes wrong on the
    disk, which has a number, stays what it is."""
    try:
        yield
    except AudioError:
        raise
    except Exception as error:  # its parsers raise what the content leads them to
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else error
        if isinstance(cause, OSError) and cause.errno is not None:
            raise cause from (None if cause is error else error)
        raise AudioError(
            f"{path}: its tags cannot be read ({in_one_line(error)}); it is left as it is"
        ) from error


def _formats() -> dict[type, Format]:
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC
    from mutagen.mp3 import MP3
    from mutagen.mp4 import MP4
    from mutagen.oggflac import OggFLAC
    from mutagen.oggopus import OggOpus
    from mutagen.oggspeex import OggSpeex
    from mutagen.oggvorbis import OggVorbis

    vorbis = _slots("DESCRIPTION", "COMMENT", "")
    ogg = Format(vorbis, _get_list, _put_list, _pages)
    id3 = partial(
        Format,
        _slots("TXXX:DESCRIPTION", "COMM", "TXXX:"),
        _get_id3,
        _put_id3,
        loading={"translate": False, "v2_version": 3},  # else frames become those of ID3v2.4
        saving=_version,
    )
    atoms = _slots("desc", "\xa9cmt", "----:com.apple.iTunes:")
    return {
        FLAC: Format(vorbis, _get_list, _put_list, _frames),
        **dict.fromkeys((OggVorbis, OggOpus, OggFLAC, OggSpeex), ogg),
        MP3: id3(_behind_id3),
        AIFF: id3(_samples),
        MP4: Format(atoms, _get_atom, _put_atom, _media),
    }


# Texts by key


def _get_list(tags: Any, key: str) -> str:
    return "\n".join(tags.get(key, ()))


def _put_list(tags: Any, key: str, text: str) -> None:
    if text:
        tags[key] = text
    elif key in tags:
        del tags[key]


def _get_atom(tags: Any, key: str) -> str:
    values = tags.get(key, ())
    return "\n".join(
        v if isinstance(v, str) else bytes(v).decode("utf-8", "replace") for v in values
    )


def _put_atom(tags: Any, key: str, text: str) -> None:
    if not text:
        tags.pop(key, None)
    else:
        tags[key] = [text.encode() if key.startswith("----") else text]


def _get_id3(tags: Any, key: str) -> str:
    frame = tags.get(_id3_key(tags, key))
    return "\n".join(frame.text) if frame else ""


def _put_id3(tags: Any, key: str, text: str) -> None:
    from mutagen.id3 import COMM, TXXX

    at = _id3_key(tags, key)
    old = tags.pop(at, None)
    if text and key == "COMM":
        tags.add(COMM(encoding=1, lang=old.lang if old else "eng", desc="", text=[text]))
    elif text:
        tags.add(TXXX(encoding=1, desc=key.removeprefix("TXXX:"), text=[text]))


def _id3_key(tags: Any, key: str) -> str:
    """Of the comments in several languages, the first without a description."""
    named = (name for name in tags if name.startswith("COMM::"))
    return next(named, "COMM::eng") if key == "COMM" else key


def _version(tags: Any) -> dict[str, Any]:
    """The version of ID3 stays; a new tag has 2.3, which all programs read."""
    newer = tags is not None and tags.version >= (2, 4)
    return {"v2_version": 4 if newer else 3, "v23_sep": None}


def _keep_id3v1(old: BinaryIO, new: BinaryIO) -> None:
    """mutagen writes the old tag at the end anew, without what it does not know of."""
    if old.seek(0, 2) >= ID3V1 and new.seek(0, 2) >= ID3V1:
        old.seek(-ID3V1, 2)
        new.seek(-ID3V1, 2)
        before, after = old.read(ID3V1), new.read(ID3V1)
        if before[:3] == after[:3] == b"TAG":
            new.seek(-ID3V1, 2)
            new.write(before)


# The encoded sound


def _pages(file: BinaryIO) -> Iterator[Span]:
    """The bodies of an Ogg file's pages, without those of headers: a header ends on a page of the
    position 0. A page where nothing ends has the position -1."""
    place = 0
    unended: list[Span] = []
    file.seek(0)
    while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
        segments = file.read(head[26])
        body = Span(place + 27 + len(segments), sum(segments))
        position = int.from_bytes(head[6:14], "little", signed=True)
        unended = [] if position == 0 else [*unended, body]
        if position not in (0, -1):
            yield from unended
            unended = []
        place = body.end
        file.seek(place)


def _frames(file: BinaryIO) -> Iterator[Span]:
    """What follows the metadata blocks of FLAC."""
    size, place = file.seek(0, 2), _id3_end(file) + 4
    last = False
    while not last:
        file.seek(place)
        head = file.read(4)
        last = len(head) < 4 or bool(head[0] & 0x80)
        place += 4 + int.from_bytes(head[1:], "big")
    yield Span(place, max(0, size - place))


def _behind_id3(file: BinaryIO) -> Iterator[Span]:
    size = file.seek(0, 2)
    place = min(_id3_end(file), size)
    yield Span(place, size - place)


def _id3_end(file: BinaryIO) -> int:
    """Where an ID3v2 tag at the start ends; 0 without one."""
    file.seek(0)
    head = file.read(10)
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    size = 0
    for seven_bits in head[6:]:
        size = size << 7 | seven_bits
    return 10 + size + 10 * bool(head[5] & 0x10)


def _samples(file: BinaryIO) -> Iterator[Span]:
    from mutagen.aiff import AIFFFile

    chunk = AIFFFile(file)["SSND"]
    yield Span(chunk.data_offset, chunk.data_size)


def _media(file: BinaryIO) -> Iterator[Span]:
    """The contents of the atoms mdat."""
    size, place = file.seek(0, 2), 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length, content = int.from_bytes(head[:4], "big"), place + 8
        if length == 1:
            length, content = int.from_bytes(head[8:], "big"), place + 16
        end = size if length == 0 else place + length
        if end < content or end > size:
            break
        if head[4:8] == b"mdat":
            yield Span(content, end - content)
        place = end
