"""Records of every output: Captions of recordings, each with its Candidates."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.errors import AudioError, DataError, ModelError
from auricle.files import is_file, json_rows, listed, load_json, opened
from auricle.schema import build

if TYPE_CHECKING:
    import numpy as np

PLAYED_S = 30.0  # of a sound in a notebook: about 100 kB as mp3
PLAYED_HZ = 16_000
MOST = 1 << 30  # bytes of a JSON array of records, which is read at once
RECENT = 16  # sounds without a file that notebooks can play: at most 30 MB


@dataclass(frozen=True, slots=True)
class Candidate:
    """One decoded caption with its reranking terms.

    Attributes:
        log_likelihood: mean log-probability per token in nats, with the end token.
        similarity: cosine in [-1, 1] between the clip's audio embedding and the caption's text
            embedding; None if the model has no text embedder.
        score: the score that ranks candidates.
        fluent: the verdict of the fluency detector; None if it was not judged.
        summed_log_likelihood: log-probability of the whole caption in nats.
        fluency: probability that the fluency detector finds no error.
        agreement: mean cosine with the clip's other draws; None for a single draw.
        count: how often it was drawn.
        model: the ensemble member that found it.
        reason: why it was not chosen; None for the chosen caption.
    """

    text: str
    log_likelihood: float
    similarity: float | None
    score: float
    fluent: bool | None
    summed_log_likelihood: float | None = None
    fluency: float | None = None
    agreement: float | None = None
    count: int = 1
    model: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Caption:
    """The caption of one recording.

    ``audio`` names the recording; ``start_s`` and ``end_s`` (seconds) say which part was heard;
    ``candidates`` holds all candidates, the chosen one too, best first; ``decode`` is the decoding
    method and ``seed`` reproduces it; ``confidence`` is the calibrated probability in [0, 1] that
    the caption is right, None if the model has no calibration.

    A notebook shows the caption above a player of its recording: of a file that still exists, or of
    another source that was captioned a moment ago.
    """

    audio: str
    start_s: float
    end_s: float
    caption: str
    score: float | None
    candidates: tuple[Candidate, ...]
    model: str
    decode: str
    seed: int
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record as plain values, ready for JSON; the keys are the names of the fields."""
        return _plain(self) | {"candidates": [_plain(one) for one in self.candidates]}

    def __repr__(self) -> str:
        return f"<Caption {self.caption!r}: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        """The caption, what is known of it, and its player, for notebooks."""
        facts = escape(" · ".join(self._facts()))
        return f"<div><b>{escape(self.caption)}</b><br><small>{facts}</small>{self._player()}</div>"

    def _facts(self) -> Iterator[str]:
        yield self.audio
        yield f"{self.start_s:g} to {self.end_s:g} s"
        if self.confidence is not None:
            yield f"confidence {self.confidence:.2f}"
        yield f"{self.model}, {self.decode}, seed {self.seed}"
        yield f"{len(self.candidates)} candidate{'s' if len(self.candidates) != 1 else ''}"

    def _player(self) -> str:
        """HTML of a player of the first `PLAYED_S` that were heard; empty without a sound."""
        from auricle.audio.inline import sound_element
        from auricle.audio.load import load_audio

        for caption, waveform, rate_hz in list(_SOUNDS):
            if caption is self:
                return f"<br>{sound_element(waveform, rate_hz)}"
        if not is_file(self.audio):
            return ""
        end_s = min(self.end_s, self.start_s + PLAYED_S)
        try:
            recording = load_audio(self.audio, PLAYED_HZ, self.start_s, end_s)
        except AudioError:
            return ""
        return f"<br>{sound_element(recording.waveform, PLAYED_HZ)}"


def _plain(record: Caption | Candidate) -> dict[str, Any]:
    """The fields of a record; several times faster than `asdict`, which copies every value."""
    return {name: getattr(record, name) for name in record.__match_args__}


@dataclass(frozen=True, slots=True, repr=False)
class LiveCaption(Caption):
    """The caption of a sound that was heard live; ``start_s`` counts from the start of listening.

    Attributes:
        time: of the start of the sound: local date and time, as in ISO 8601.
        goes_on: the sound had not ended: the caption is of what was heard so far, until ``end_s``,
            and another one of the same sound follows.
        latency_s: seconds from ``end_s`` to this record.
    """

    time: str = ""
    goes_on: bool = False
    latency_s: float = 0.0


_SOUNDS: deque[tuple[Caption, np.ndarray, int]] = deque(maxlen=RECENT)


def keep_sound(caption: Caption, waveform: np.ndarray, rate_hz: int) -> None:
    """Let notebooks play the sound of ``caption``, float32 [L], until `RECENT` others are kept."""
    _SOUNDS.append((caption, waveform[: round(PLAYED_S * rate_hz)], rate_hz))


def read_captions(path: Path) -> Iterator[tuple[str, Caption]]:
    """(place in messages, record) of each record in JSON Lines, or in the JSON array of a .json,
    without its candidates. One made by hand needs ``audio`` and ``caption``; its times are 0.

    Raises DataError: the file cannot be read, or holds something else; names file and line.
    """
    for where, row in _rows(path):
        yield where, _caption(row, where)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix.lower() != ".json":
        for line, row in json_rows(path):
            yield f"{path}:{line}", row
        return
    with opened(path, "file of records") as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise DataError(f"{path}: more than {MOST >> 30} GB; write records as JSON Lines")
    try:
        rows = load_json(content)
    except ValueError as error:
        raise DataError(f"{path}: not a file of JSON ({error})") from error
    rows = rows if isinstance(rows, list) else [rows]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}: record {number} is a JSON {type(row).__name__}, not an object"
            )
        yield f"{path}: record {number}", row


def _caption(row: dict[str, Any], where: str) -> Caption:
    for key in ("audio", "caption"):
        if not isinstance(row.get(key), str):
            raise DataError(
                f"{where}: has {listed(row) or 'no keys'}; it needs audio and caption, both texts,"
                " as auricle caption --format jsonl writes them"
            )
    fields = ("audio", "start_s", "end_s", "caption", "model", "confidence")
    given = {key: row[key] for key in fields if row.get(key) is not None}
    absent = {
        "start_s": 0.0,
        "end_s": 0.0,
        "score": None,
        "candidates": (),
        "decode": "",
        "seed": 0,
    }
    try:
        return build(Caption, {"model": "", **absent, **given}, where)
    except ModelError as error:
        raise DataError(str(error)) from error
