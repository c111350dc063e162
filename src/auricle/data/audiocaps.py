"""AudioCaps (Kim et al., NAACL 2019), versions 1 and 2.0: its CSV files and a folder of recordings.

The tables name a YouTube video and the second at which a clip of 10 s starts. Downloaders name
files in different ways; these are accepted, in any folder below and with any audio suffix:

    ID  YID  ID_30  ID_30_40  ID-30-40  YID_30.000_40.000  ID_30000_40000  ID_000030
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auricle.audio.find import audio_files
from auricle.audio.header import probe
from auricle.data.clip import Clip
from auricle.data.leaks import SPLIT_RANK, canonical_split
from auricle.data.manifest import LONGEST_S
from auricle.data.reading import LeftOut, Reading
from auricle.errors import AudioError, DataError
from auricle.files import read_table
from auricle.schema import shown
from auricle.watch import Progress, silent

COLUMNS = ("audiocap_id", "youtube_id", "start_time", "caption")
CLIP_S = 10.0  # AudioSet's segments
WHOLE_VIDEO_S = 15.0  # a longer file without a start in its name is the whole video

_NUMBER = r"[_-](\d+(?:\.\d+)?)"
_NAME = re.compile(rf"([\w-]{{11}})(?:{_NUMBER}(?:{_NUMBER})?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _File:
    """An audio file, and the start in its name, in seconds or milliseconds."""

    path: Path
    start: float | None

    def begins_at(self, start_s: float) -> bool:
        return self.start is None or self.start in (start_s, 1000 * start_s)


def read_audiocaps(
    tables: Sequence[Path],
    audio: Path,
    split: str | None = None,
    progress: Progress = silent,
) -> Reading:
    """The clips of ``tables`` with recordings below the folder ``audio``.

    ``split`` defaults to the one in each table's name ("train.csv"). Rows of one clip become one
    clip with all their captions, in order. A file of more than 15 s without a start in its name is
    the whole video, and the clip a section of it. Rows without a recording are left out.
    ``progress`` gets clips and their number.

    Raises DataError: a table is broken or its name has no split, or a folder has no audio.
    """
    left_out: list[LeftOut] = []
    rows: dict[tuple[str, str, str], list[tuple[str, str]]] = {}  # clip -> (where, caption)
    for table in tables:
        name = split or _split_of(table)
        for line, row in read_table(table, COLUMNS):
            key = (name, row["youtube_id"], start_of(row["start_time"], f"{table}:{line}"))
            rows.setdefault(key, []).append((f"{table}:{line}", row["caption"]))
    files = _index(audio, {video for _, video, _ in rows})
    clips: list[Clip] = []
    for done, ((name, video, start), captions) in enumerate(rows.items(), 1):
        known = files.get(video, [])
        file = _best([file for file in known if file.begins_at(float(start))], name, audio)
        if file is None:
            reason = "no recording of this section of the video" if known else "no recording"
            left_out += [LeftOut(where, reason, f"{video} at {start} s") for where, _ in captions]
        else:
            texts = tuple(caption for _, caption in captions)
            clips.append(_clip(file, name, video, start, texts))
        progress("clips", done, len(rows))
    return Reading(clips, left_out)


def _clip(file: _File, split: str, video: str, start: str, captions: tuple[str, ...]) -> Clip:
    start_s = end_s = None
    if file.start is None and _duration_s(file.path) > WHOLE_VIDEO_S:
        start_s, end_s = float(start), float(start) + CLIP_S
    return Clip(
        audio=file.path,
        captions=captions,
        id=f"audiocaps/{split}/{video}_{start}",
        split=split,
        start_s=start_s,
        end_s=end_s,
        source=f"youtube:{video}",
    )


def _duration_s(path: Path) -> float:
    try:
        return probe(path)[1]
    except AudioError:
        return 0.0  # `auricle data check` names files that cannot be read


def _index(audio: Path, videos: set[str]) -> dict[str, list[_File]]:
    paths = audio_files(audio)
    if not paths:
        raise DataError(
            f"{audio}: no folder with audio files; name the one that holds the recordings"
        )
    files: dict[str, list[_File]] = {}
    for path in paths:
        for video, start in _readings(path.stem):
            if video in videos:
                files.setdefault(video, []).append(_File(path, start))
    return files


def _readings(stem: str) -> Iterator[tuple[str, float | None]]:
    """(YouTube id, start) for each way to read ``stem``; an id may begin with Y."""
    for name in (stem, stem.removeprefix("Y")):
        if found := _NAME.fullmatch(name):
            yield found[1], float(found[2]) if found[2] else None
        if name == stem and not stem.startswith("Y"):
            return


def _best(files: list[_File], split: str, audio: Path) -> _File | None:
    """The best of several files: prefers a start in the name, then a folder of the split's name."""

    def rank(file: _File) -> tuple[bool, bool, str]:
        folders = file.path.relative_to(audio).parts[:-1]
        elsewhere = not any(canonical_split(part) == split for part in folders)
        return file.start is None, elsewhere, str(file.path)

    return min(files, key=rank, default=None)


def _split_of(table: Path) -> str:
    words = re.findall(r"[a-z]+", table.stem.lower())
    names = {canonical_split(word) for word in words} & SPLIT_RANK.keys()
    if len(names) != 1:
        raise DataError(
            f"{table}: its name contains no split (train, val or test); give one with --split"
        )
    return names.pop()


def start_of(text: str, where: str) -> str:
    """ "30", "30.0" -> "30": seconds as in ids.

    Raises DataError: no time within `LONGEST_S`.
    """
    with contextlib.suppress(ValueError):
        if 0 <= (start_s := float(text)) <= LONGEST_S:
            return f"{start_s:g}"
    raise DataError(f"{where}: start_time is {shown(text)}; it must be seconds, 0 or more")
