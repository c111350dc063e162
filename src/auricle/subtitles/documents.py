"""Documents: subtitle files as they were read, cue by cue, and as text again.

A document of SRT or WebVTT keeps each cue's lines, and the identifiers, settings, styles and
comments of WebVTT, which pysubs2 would drop. Other formats are converted by pysubs2.
"""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from auricle.errors import DataError, MissingDependencyError, in_one_line
from auricle.extras import install_command
from auricle.files import opened
from auricle.schema import shown
from auricle.subtitles.charset import decoded
from auricle.subtitles.cues import Cue

Format = Literal["srt", "vtt"]

MOST_BYTES = 16 << 20  # of a subtitle file: the dialogue of a day has 2 MB
MOST_LETTERS = 5_000  # of a cue
MOST_TIMES = 500  # characters of the line with a cue's times and settings
MOST_S = 360_000.0  # players read two digits of hours
CONVERTED = ("ass", "ssa")
_STAMP = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?:[ \t]+(.*?))?\s*")
_LIKE_TIMES = re.compile(r"\s*-?\s*\d*\d[:.,]\S*\s*-+>|.*-->\s*-?\s*\d+:\d")
_BLOCKS = ("NOTE", "STYLE", "REGION")
_KEPT_TAG = r"(?!</?[biu]>)"
_OTHER_TAG = re.compile(rf"{_KEPT_TAG}</?[a-zA-Z][^<>]*>|{_KEPT_TAG}<[\d:.]+>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_UNCLOSED = re.compile(r"\{(?=[^{}\n]*(?:[{\n]|\Z))")  # from each, pysubs2 would look to the end
_AT_TOP = re.compile(r"\{\\an?[789]\}")  # a position that SRT borrowed from ASS


@dataclass(frozen=True, slots=True)
class Event:
    """One cue of a file, in seconds.

    Attributes:
        text: its lines as they stand in the file, with their markup.
        settings: what follows the times.
        before: of WebVTT, all before the times, with line ends: comments, styles, the identifier.
    """

    start_s: float
    end_s: float
    text: str
    settings: str = ""
    before: str = ""


@dataclass(frozen=True)
class Document:
    """A subtitle file.

    Attributes:
        head, tail: blocks of WebVTT before and after all cues.
        name: the file's, for messages.
        notes: what its reader and its changes have to say to the user.
    """

    format: Format
    events: tuple[Event, ...] = ()
    head: str = "WEBVTT"
    tail: str = ""
    name: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The file's text; the cues of SRT are numbered."""
        srt = self.format == "srt"
        blocks = [] if srt else [self.head]
        for number, event in enumerate(self.events, 1):
            times = f"{_stamp(event.start_s, srt)} --> {_stamp(event.end_s, srt)}"
            before = f"{number}\n" if srt else event.before
            times = f"{times} {event.settings}".rstrip()
            blocks.append(f"{before}{times}\n{_safe(event.text, srt)}")
        return "\n\n".join(filter(None, [*blocks, self.tail])) + "\n"

    def noting(self, *notes: str) -> Document:
        return replace(self, notes=(*self.notes, *notes))

    def with_cues(self, cues: Sequence[Cue]) -> Document:
        """The document with further cues, each before the first of its own that starts later."""
        new = [
            Event(one.start_s, one.end_s, one.text if self.format == "srt" else _escaped(one.text))
            for one in sorted(cues, key=lambda cue: cue.start_s)
        ]
        events: list[Event] = []
        for event in self.events:
            while new and new[0].start_s < event.start_s:
                events.append(new.pop(0))
            events.append(event)
        return replace(self, events=(*events, *new))

    def to(self, format: Format) -> Document:
        """The document in another format, with a note on what that cannot hold."""
        if format == self.format:
            return self
        convert = _to_vtt if format == "vtt" else _to_srt
        events = tuple(event for event in map(convert, self.events) if event.text)
        same = events == self.events and not self.tail and self.head == "WEBVTT"
        converted = Document(format, events, name=self.name, notes=self.notes)
        return converted if same else converted.noting(f"{self.name}: {_LOST[format]}")


_LOST: dict[Format, str] = {
    "srt": "positions, styles, voices and comments of WebVTT are not kept in SRT",
    "vtt": "fonts and colours of SRT are not kept in WebVTT; top positions and b, i, u are",
}


def read_document(path: Path) -> Document:
    """The subtitles in a file of SRT, WebVTT, ASS or SSA, in any usual character set.

    Cues without text are left out; overlapping cues stay as they are.

    Raises:
        DataError: it is no such file, is broken or has no cue; names the line, the rule, the fix.
        MissingDependencyError: ASS or SSA, and pysubs2 is not installed.
    """
    with opened(path, "subtitle file") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES >> 20} MB; a subtitle file is smaller")
    if not content.strip():
        raise DataError(f"{path}: empty; give a subtitle file with at least one cue")
    found = decoded(content)
    if found is None:
        raise DataError(f"{path}: its character set cannot be told; save it as UTF-8")
    text, charset = found
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise DataError(f"{path}: no text, but binary data; give a file of SRT, WebVTT or ASS")
    notes: list[str] = []
    if charset not in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        notes.append(f"{path}: read as {charset}; if letters are wrong, save it as UTF-8")
    if re.match(r"\s*WEBVTT(?![^\s])", text):
        head, events, tail = _webvtt(text.lstrip(), path)
        document = Document("vtt", tuple(events), head, tail, str(path))
    else:
        if _is_substation(text):
            text = _converted(text, path)
            notes.append(
                f"{path}: converted to SRT: italics and underlines are kept, positions and fonts"
                " are not"
            )
        document = Document("srt", tuple(_subrip(text, path)), name=str(path))
    document = replace(document, notes=tuple(notes))
    if any(len(event.text) > MOST_LETTERS for event in document.events):
        raise DataError(f"{path}: a cue of over {MOST_LETTERS:,} characters; are times missing?")
    if not document.events:
        raise DataError(f"{path}: holds no cue; give a file of SRT, WebVTT or ASS")
    return document


def _subrip(text: str, path: Path) -> Iterator[Event]:
    """Cues begin at their times; a number on the line before belongs to them."""
    lines = text.split("\n")
    at = [(n, times) for n, line in enumerate(lines) if (times := _times(line, path, n + 1))]
    for place, (n, (start_s, end_s, settings)) in enumerate(at):
        following = at[place + 1][0] if place + 1 < len(at) else len(lines)
        own = lines[n + 1 : following]
        if following < len(lines) and own and own[-1].strip().isdecimal():
            own.pop()
        if kept := "\n".join(line.rstrip() for line in own if line.strip()):
            yield Event(start_s, end_s, kept, settings)


def _webvtt(content: str, path: Path) -> tuple[str, list[Event], str]:
    """(head, cues, tail): blocks are parted by empty lines."""
    events: list[Event] = []
    aside: list[str] = []  # blocks that are no cue, and then the cue's identifier
    head = ""
    for number, block in _blocks(content):
        lines = block.split("\n")
        at = next((n for n in (0, 1) if n < len(lines) and "-->" in lines[n]), None)
        is_cue = at is not None and not lines[0].startswith(_BLOCKS) and number > 1
        times = _times(lines[at], path, number + at) if is_cue and at is not None else None
        if times is None or at is None:
            aside.append(block)
            continue
        text = "\n".join(line.rstrip() for line in lines[at + 1 :])
        if not text:
            continue
        if not events:
            head, aside = "\n\n".join(aside), []
        before = "".join([*(f"{one}\n\n" for one in aside), *(f"{line}\n" for line in lines[:at])])
        events.append(Event(times[0], times[1], text, times[2], before))
        aside = []
    return head, events, "\n\n".join(aside)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """(number of the first line, lines) of what empty lines part; the first line is alone where
    a cue follows it at once."""
    block: list[str] = []
    for number, line in enumerate((*text.split("\n"), ""), 1):
        if block and (not line.strip() or (number == 2 and "-->" in line)):
            yield number - len(block), "\n".join(block)
            block = []
        if line.strip():
            block.append(line)


def _times(line: str, path: Path, number: int) -> tuple[float, float, str] | None:
    """(start, end, settings) if the line gives a cue's times.

    Raises DataError: it looks like times, but is broken.
    """
    if len(line) > MOST_TIMES or ("-->" not in line and "->" not in line):
        return None
    found = _TIMES.fullmatch(line)
    if not found:
        if "-->" in line and _LIKE_TIMES.match(line):
            raise DataError(
                f"{path}:{number}: no times of a cue: {shown(line.strip())}; write them as"
                " 00:01:02,345 --> 00:01:04,000"
            )
        return None
    *stamps, settings = found.groups()
    start_s, end_s = _seconds(stamps[:4]), _seconds(stamps[4:])
    if end_s < start_s or end_s >= MOST_S:
        rule = "ends before it starts" if end_s < start_s else "ends after 99:59:59"
        raise DataError(f"{path}:{number}: a cue that {rule}; correct its times")
    return start_s, end_s, settings or ""


def _seconds(stamp: Sequence[str | None]) -> float:
    hours, minutes, seconds, part = (part or "0" for part in stamp)
    whole = int(hours[:9]) * 3600 + int(minutes) * 60 + int(seconds)
    return (whole * 1000 + int(part.ljust(3, "0"))) / 1000


def _stamp(seconds: float, srt: bool) -> str:
    if not 0 <= seconds < MOST_S:
        raise DataError(f"a cue at {seconds:g} s: subtitles end before 99:59:59; cut the recording")
    rest, ms = divmod(round(seconds * 1000), 1000)
    rest, second = divmod(rest, 60)
    hour, minute = divmod(rest, 60)
    return f"{hour:02}:{minute:02}:{second:02}{',' if srt else '.'}{ms:03}"


def _safe(text: str, srt: bool) -> str:
    """No line that ends a cue or gives times."""
    return re.sub("--+>", "->" if srt else "--&gt;", _lines(text))


def _lines(text: str) -> str:
    """Without what players would take for the end of the cue: blank lines."""
    return "\n".join(line.rstrip() for line in re.split(r"[\n\r]+", text) if line.strip())


def _is_substation(text: str) -> bool:
    """Whether a section begins before any cue."""
    start = text[:10_000].partition("-->")[0]
    sections = r"^[ \t]*\[(?:Script Info|V4\+? Styles|Events)\]"
    return bool(re.search(sections, start, re.M | re.I))


def _converted(text: str, path: Path) -> str:
    """ASS or SSA as SRT.

    Raises DataError: pysubs2 cannot read it, or a time is negative.
    """
    try:
        import pysubs2
    except ImportError as error:
        raise MissingDependencyError(
            f"{path}: ASS and SSA need pysubs2: {install_command('subtitles')}"
        ) from error
    kind = "ssa" if re.search(r"^[ \t]*\[V4 Styles\]", text, re.M | re.I) else "ass"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            subtitles = pysubs2.SSAFile.from_string(_UNCLOSED.sub("", text), format_=kind)
            if any(not 0 <= one.start <= one.end < MOST_S * 1000 for one in subtitles):
                raise DataError(
                    f"{path}: a cue before 0:00 or that ends before it starts; correct it"
                )
            return str(subtitles.to_string("srt"))
    except DataError:
        raise
    except Exception as error:  # a library's, of a stranger's file
        raise DataError(
            f"{path}: not a file of {kind.upper()} that can be read ({in_one_line(error)}); save it"
            " as SRT"
        ) from error


def _to_vtt(event: Event) -> Event:
    top = "line:0" if _AT_TOP.search(event.text) else ""
    text = _OTHER_TAG.sub("", _OVERRIDE.sub("", event.text))
    parts = re.split(r"(</?[biu]>)", text)
    parts[::2] = map(_escaped, parts[::2])
    return Event(event.start_s, event.end_s, _lines("".join(parts)), top)


def _to_srt(event: Event) -> Event:
    text = html.unescape(_OTHER_TAG.sub("", event.text))
    return Event(event.start_s, event.end_s, _lines(text))


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
