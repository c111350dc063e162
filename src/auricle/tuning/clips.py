"""Clips of a validation manifest, decoded once, with all candidates and all terms."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from auricle.data.clip import Clip
from auricle.data.manifest import read_lines
from auricle.decoding.options import DecodeOptions
from auricle.errors import DataError
from auricle.files import atomic_writer
from auricle.records import Candidate
from auricle.watch import Note, Watch

if TYPE_CHECKING:
    from auricle.hearing import Heard
    from auricle.hub.ensemble import Ensemble
    from auricle.pipeline import Captioner

T = TypeVar("T")


@dataclass(frozen=True)
class ClipCandidates:
    """A clip's captions by people, and by the model (best first).

    ``group`` is equal for clips of one recording; cross-validation keeps them together.
    """

    id: str
    group: str
    references: tuple[str, ...]
    candidates: tuple[Candidate, ...]

    @classmethod
    def of(cls, clip: Clip, candidates: Sequence[Candidate]) -> ClipCandidates:
        references = tuple(text for text in clip.captions if text.strip())
        return cls(clip.id, clip.source or str(clip.audio), references, tuple(candidates))


def read_clips(path: str | os.PathLike[str], note: Note) -> list[Clip]:
    """The clips of a manifest with captions; unusable lines and clips are noted.

    Raises:
        DataError: there is no manifest, or no clip in it has captions.
    """
    clips, without = [], 0
    for _, clip in read_lines(path, lambda _, error: note(str(error))):
        if any(text.strip() for text in clip.captions):
            clips.append(clip)
        else:
            without += 1
    if not clips:
        raise DataError(
            f"{path}: no clip with captions; tuning compares the model's captions with people's: "
            'give each clip its "captions"'
        )
    if without:
        note(f"{path}: {without} clips without captions were left out")
    return clips


def decode_clips(
    captioner: Captioner,
    clips: Sequence[Clip],
    *,
    candidates: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> list[ClipCandidates]:
    """Decode every clip with the captioner's own settings, and compute every term.

    Clips that cannot be read, or are digital silence, are noted and left out.
    """
    decoding = captioner.decoding(candidates=candidates, seed=seed, every_term=True)
    found = ((c.heard, c.caption) for c in captioner.stream(clips, decoding))
    return [
        ClipCandidates.of(clip, caption.candidates)
        for clip, caption in usable(found, len(clips), watch or Watch())
    ]


def usable(
    found: Iterable[tuple[Heard[Clip], T | None]], total: int, watch: Watch
) -> Iterator[tuple[Clip, T]]:
    """Clips with their results; clips that are unreadable or silent are noted."""
    for done, (heard, result) in enumerate(found, 1):
        if heard.error:
            watch.note(str(heard.error))
        elif heard.silent:
            watch.note(f"{heard.source.audio}: digital silence; it was left out")
        elif result is not None:
            yield heard.source, result
        watch.progress("captioning", done, total)


def sampling(ensemble: Ensemble) -> DecodeOptions:
    """The sampling settings of ``ensemble``; the defaults if it uses another method."""
    return ensemble.decoding if ensemble.decoding.method == "nucleus" else DecodeOptions()


def write_candidates(path: Path, clips: Iterable[ClipCandidates]) -> None:
    """Write one line of JSON per clip, with every candidate and every term."""
    import json

    with atomic_writer(path) as file:
        for clip in clips:
            file.write(json.dumps(asdict(clip), ensure_ascii=False) + "\n")
