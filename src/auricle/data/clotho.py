"""Clotho v2.1 (Drossos, Lipping and Virtanen, ICASSP 2020), from Zenodo record 4783391.

Each of three splits has a 7z archive of wav files, a CSV with five captions per file, and a CSV of
metadata in Latin-1: Freesound id, uploader and licence. Accents and HTML entities in file names
differ between the three, so names are matched exactly first, then by ASCII letters and digits.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from auricle.audio.find import audio_files
from auricle.data.archive import extract_audio
from auricle.data.clip import Clip
from auricle.data.licences import licence_name
from auricle.data.reading import LeftOut, Reading
from auricle.errors import DataError
from auricle.fetch.http import download
from auricle.files import read_table
from auricle.watch import Progress, silent

ADDRESS = "https://zenodo.org/records/4783391/files/{name}?download=1"
SPLITS = {"development": "train", "validation": "val", "evaluation": "test"}  # Clotho's -> ours
CAPTIONS = tuple(f"caption_{n}" for n in range(1, 6))

# MD5 digests that Zenodo publishes with record 4783391 (version 2.1, May 2021).
MD5 = {
    "clotho_audio_development.7z": "c8b05bc7acdb13895bb3c6a29608667e",
    "clotho_audio_validation.7z": "7dba730be08bada48bd15dc4e668df59",
    "clotho_audio_evaluation.7z": "4569624ccadf96223f19cb59fe4f849f",
    "clotho_captions_development.csv": "d4090b39ce9f2491908eebf4d5b09bae",
    "clotho_captions_validation.csv": "5879e023032b22a2c930aaa0528bead4",
    "clotho_captions_evaluation.csv": "1b16b9e57cf7bdb7f13a13802aeb57e2",
    "clotho_metadata_development.csv": "170d20935ecfdf161ce1bb154118cda5",
    "clotho_metadata_validation.csv": "2e010427c56b1ce6008b0f03f41048ce",
    "clotho_metadata_evaluation.csv": "13946f054d4e1bf48079813aac61bf77",
}

T = TypeVar("T")


def download_clotho(
    folder: Path, splits: Iterable[str] = tuple(SPLITS), progress: Progress = silent
) -> None:
    """Download the files of ``splits`` into ``folder``, 7 GB for all; see `download`.

    If the recordings of a split are unpacked in ``folder``, its archive is not downloaded.
    """
    for split in splits:
        for kind in ("captions", "metadata"):
            _download(folder, f"clotho_{kind}_{split}.csv", progress)
        names = [row["file_name"] for _, row in _captions(folder, split)]
        if _lack(names, _recordings(folder, split)):
            _download(folder, f"clotho_audio_{split}.7z", progress)


def read_clotho(
    folder: Path, splits: Iterable[str] = tuple(SPLITS), progress: Progress = silent
) -> Reading:
    """The clips of ``splits`` ("development", "validation", "evaluation"), in the order given.

    ``folder`` holds the CSV files, and the recordings, either unpacked (below any folder named
    after the split) or in archives, which are unpacked into ``folder``/split. Rows without a
    recording are left out.

    Raises DataError: a table is missing or broken, or a split has no recording.
    """
    clips: list[Clip] = []
    left_out: list[LeftOut] = []
    for split in splits:
        table = folder / f"clotho_captions_{split}.csv"
        rows = list(_captions(folder, split))
        names = [row["file_name"] for _, row in rows]
        recordings = Names(_unpacked(folder, split, names, progress), names)
        metadata = Names(_metadata(folder, split), names)
        for line, row in rows:
            name = row["file_name"]
            audio = recordings.find(name)
            about = metadata.find(name)
            if audio is None:
                left_out.append(LeftOut(f"{table}:{line}", "no recording", name))
                continue
            clips.append(_clip(split, name, audio, row, about or {}))
    return Reading(clips, left_out)


def _clip(
    split: str, name: str, audio: Path, row: Mapping[str, str], about: Mapping[str, str]
) -> Clip:
    sound = about.get("sound_id", "")
    extra = {
        "author": about.get("manufacturer", ""),
        "link": about.get("sound_link", ""),
        "keywords": [word for word in about.get("keywords", "").split(";") if word],
    }
    return Clip(
        audio=audio,
        captions=tuple(row[key] for key in CAPTIONS),
        id=f"clotho/{split}/{name}",
        split=SPLITS[split],
        licence=licence_name(about.get("license", "")),
        source=f"freesound:{sound}" if sound.isdigit() else None,  # some are "Not found"
        extra={key: value for key, value in extra.items() if value},
    )


def _captions(folder: Path, split: str) -> Iterator[tuple[int, dict[str, str]]]:
    return read_table(folder / f"clotho_captions_{split}.csv", ("file_name", *CAPTIONS))


def _metadata(folder: Path, split: str) -> dict[str, dict[str, str]]:
    """Rows by file name; empty without the table, which captions do not need."""
    table = folder / f"clotho_metadata_{split}.csv"
    if not table.exists():
        return {}
    return {row["file_name"]: row for _, row in read_table(table, ("file_name", "sound_id"))}


def _unpacked(folder: Path, split: str, names: list[str], progress: Progress) -> dict[str, Path]:
    """Recordings by name; unpacks the archive if one of ``names`` is missing."""
    found = _recordings(folder, split)
    archive = folder / f"clotho_audio_{split}.7z"
    if _lack(names, found) and archive.exists():
        extract_audio(archive, folder / split, progress)
        found = _recordings(folder, split)
    if names and not found:
        raise DataError(
            f"{folder}: no recordings of the split {split}; put {archive.name} here, or a folder"
            f" {split} with the wav files, or download them with --download"
        )
    return found


def _recordings(folder: Path, split: str) -> dict[str, Path]:
    """Audio files by name, below any folder with a name that is or ends in the split."""
    below = (
        path
        for path in audio_files(folder)
        if any(part.lower().endswith(split) for part in path.relative_to(folder).parts[:-1])
    )
    return {path.name: path for path in below}


def _lack(names: list[str], recordings: Mapping[str, Path]) -> bool:
    found = Names(recordings, names)
    return any(found.find(name) is None for name in names)


def _download(folder: Path, name: str, progress: Progress) -> None:
    download(ADDRESS.format(name=name), folder / name, MD5[name], progress)


class Names(Generic[T]):
    """A lookup of ``things`` by file name; ``wanted`` are the names that will be looked up.

    A name also matches by its ASCII letters and digits, if exactly one thing has them, and that
    thing is not wanted under its own name.
    """

    def __init__(self, things: Mapping[str, T], wanted: Iterable[str]) -> None:
        self._exact = things
        self._loose: dict[str, T | None] = {}
        for name in things.keys() - set(wanted):
            key = _ascii(name)
            self._loose[key] = None if key in self._loose else things[name]

    def find(self, name: str) -> T | None:
        found = self._exact.get(name)
        return found if found is not None else self._loose.get(_ascii(name))


def _ascii(name: str) -> str:
    """ "Café&#39;s  01.wav" and "Caf's 01.WAV" -> "cafs01wav"."""
    return re.sub(r"[^a-z0-9]", "", html.unescape(name).lower())
