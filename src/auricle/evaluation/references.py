"""References: people's captions of each clip, from a manifest, or Clotho's or AudioCaps' CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auricle.audio.find import audio_files
from auricle.data.audiocaps import COLUMNS as AUDIOCAPS
from auricle.data.audiocaps import read_audiocaps, start_of
from auricle.data.clip import Clip
from auricle.data.clotho import CAPTIONS, Names
from auricle.data.manifest import read_lines, split_counts
from auricle.data.reading import LeftOut
from auricle.errors import DataError
from auricle.evaluation.rows import JSON_LINES, check_encoding, rows_of
from auricle.files import listed

KINDS = (
    "a manifest (.jsonl), Clotho's CSV (file_name, caption_1 … caption_5) or AudioCaps' CSV "
    "(audiocap_id, youtube_id, start_time, caption)"
)


@dataclass(frozen=True)
class Reference:
    """A clip with captions by people.

    Attributes:
        id: its name in reports.
        captions: one or more.
        where: "captions.csv:17".
        names: its names in predictions, the most certain first: ids, file names, stems.
        audio: the recording (and its section), if found.
    """

    id: str
    captions: tuple[str, ...]
    where: str
    names: tuple[str, ...]
    audio: Clip | None = None


@dataclass(frozen=True)
class References:
    """The clips of a file with their captions.

    Attributes:
        faulty, faults: clips that cannot be used, and the reasons.
        notes: notes for readers of the scores.
    """

    path: Path
    clips: tuple[Reference, ...]
    faulty: tuple[Reference, ...] = ()
    faults: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


def read_references(path: Path, audio: Path | None = None, split: str | None = None) -> References:
    """The clips of a manifest or a table, each with the captions that are not empty.

    Args:
        path: one of `KINDS`, recognised by suffix and columns.
        audio: a folder with the recordings of a CSV's clips.
        split: use only the clips of this split of a manifest.

    Raises:
        DataError: the file is missing, has another encoding, other columns, a broken line, or no
            clips.
    """
    splits: Counter[str] = Counter()
    notes: tuple[str, ...] = ()
    if path.suffix.lower() in JSON_LINES:
        found = _manifest(path, split, splits)
    else:
        notes = (
            (f"{path}: a table names no splits, so that --split has no effect",) if split else ()
        )
        rows = list(rows_of(path))
        columns = rows[0][1].keys() if rows else set()
        if columns >= set(AUDIOCAPS):
            found = _audiocaps(path, rows, audio)
        elif "file_name" in columns and any(name.startswith("caption") for name in columns):
            found = _clotho(path, rows, audio)
        else:
            has = listed(columns) or "no rows"
            raise DataError(f"{path}: has {has}; references are {KINDS}")
    clips, faulty, faults = _checked(found)
    if not clips:
        if split and split not in splits and splits:
            raise DataError(
                f"{path}: no clip of the split {split!r}; it has {split_counts(splits)}"
            )
        of = f" of the split {split!r}" if split else ""
        raise DataError(f"{path}: no clip{of} with a caption; references are {KINDS}")
    return References(path, clips, faulty, faults, (*notes, *_notes(clips)))


def _manifest(path: Path, split: str | None, splits: Counter[str]) -> list[Reference]:
    """The clips of ``split``; ``splits`` counts those of every split."""
    check_encoding(path)
    found = []
    for line, clip in read_lines(path):
        splits[clip.split] += 1
        if split is None or clip.split == split:
            names = (clip.id, *_file_names(str(clip.audio)))
            found.append(Reference(clip.id, clip.captions, f"{path}:{line}", names, clip))
    return found


def _clotho(
    path: Path, rows: Iterable[tuple[int, Mapping[str, str]]], audio: Path | None
) -> list[Reference]:
    rows = list(rows)
    names = [row["file_name"] for _, row in rows]
    recordings = Names({file.name: file for file in audio_files(audio)} if audio else {}, names)
    found = []
    for line, row in rows:
        keys = [key for key in (*CAPTIONS, *row) if key.startswith("caption") and key in row]
        name, captions = row["file_name"], tuple(row[key] for key in dict.fromkeys(keys))
        recording = recordings.find(name)
        clip = Clip(recording, captions, name, "test") if recording else None
        found.append(Reference(name, captions, f"{path}:{line}", _file_names(name), clip))
    return found


def _audiocaps(
    path: Path, rows: Iterable[tuple[int, Mapping[str, str]]], audio: Path | None
) -> list[Reference]:
    """Rows of one clip become one reference; a prediction may name any of their ids."""
    recordings: dict[str, Clip] = {}
    if audio:
        found = read_audiocaps([path], audio, "test").clips
        recordings = {clip.id.rpartition("/")[2]: clip for clip in found}
    references: dict[str, Reference] = {}
    for line, row in rows:
        where = f"{path}:{line}"
        name = f"{row['youtube_id']}_{start_of(row['start_time'], where)}"
        known = references.get(name)
        if known is None:
            names = (name, f"Y{name}", row["youtube_id"], f"Y{row['youtube_id']}")
            known = Reference(name, (), where, names, recordings.get(name))
        references[name] = replace(
            known,
            captions=(*known.captions, row["caption"]),
            names=(*known.names, row["audiocap_id"]),
        )
    return list(references.values())


def _file_names(name: str) -> tuple[str, ...]:
    """A path, its last part, and its stem."""
    path = Path(name)
    return tuple(dict.fromkeys((name, path.name, path.stem)))


def _checked(
    found: Sequence[Reference],
) -> tuple[tuple[Reference, ...], tuple[Reference, ...], tuple[LeftOut, ...]]:
    """(usable, faulty, why): clips without captions, with an empty one, or listed twice."""
    times = Counter(clip.id for clip in found)
    rules: tuple[tuple[str, Callable[[Reference], bool]], ...] = (
        ("references listed twice", lambda clip: times[clip.id] > 1),
        ("no reference caption", lambda clip: not any(map(str.strip, clip.captions))),
        ("an empty reference caption", lambda clip: not all(map(str.strip, clip.captions))),
    )
    broken = {
        number: reason
        for number, clip in enumerate(found)
        for reason in [next((reason for reason, breaks in rules if breaks(clip)), None)]
        if reason
    }
    return (
        tuple(clip for number, clip in enumerate(found) if number not in broken),
        tuple(found[number] for number in broken),
        tuple(LeftOut(found[n].where, reason, found[n].id) for n, reason in broken.items()),
    )


def _notes(clips: tuple[Reference, ...]) -> tuple[str, ...]:
    """A note on clips with another number of references than most."""
    counts = Counter(len(clip.captions) for clip in clips)
    if len(counts) == 1:
        return ()
    usual = counts.most_common(1)[0][0]
    other = [clip for clip in clips if len(clip.captions) != usual]
    named = listed((f"{clip.id} ({len(clip.captions)})" for clip in other), most=5)
    have = f"{counts[usual]} clips have {usual} references"
    return (f"{have}, {len(other)} another number: {named}",)
