"""A validation manifest heard once: of every clip all candidates with all their terms."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auricle.data.clip import Clip, load_clip
from auricle.data.manifest import read_lines
from auricle.decoding.options import DecodeOptions
from auricle.errors import AudioError, DataError
from auricle.files import atomic_writer
from auricle.hub.ensemble import Ensemble
from auricle.hub.folder import Bundle
from auricle.records import Candidate

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

OnNote = Callable[[str], None]
OnProgress = Callable[[int, int], None]  # clips done, of all


@dataclass(frozen=True)
class ClipCandidates:
    """A clip's captions by people and by the model, best first.

    ``group`` is equal for clips of one recording, which cross-validation keeps together.
    """

    id: str
    group: str
    references: tuple[str, ...]
    candidates: tuple[Candidate, ...]


def read_clips(path: str | os.PathLike[str], on_note: OnNote) -> list[Clip]:
    """The clips of a manifest that have captions; lines and clips that cannot serve are noted.

    Raises:
        DataError: no manifest, or no clip in it with captions.
    """
    clips, without = [], 0
    for _, clip in read_lines(path, lambda _, error: on_note(str(error))):
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
        on_note(f"{path}: {without} clips without captions were left out")
    return clips


def hear(
    captioner: Captioner,
    clips: Sequence[Clip],
    *,
    candidates: int | None = None,
    seed: int = 0,
    batch_size: int = 8,
    on_note: OnNote,
    on_progress: OnProgress | None = None,
) -> list[ClipCandidates]:
    """Decode every clip once, by the captioner's own settings, with every term.

    What cannot be read, or is digital silence, is noted and left out.
    """
    waiting: deque[tuple[np.ndarray, Clip]] = deque()
    done = 0

    def waveforms() -> Iterator[np.ndarray]:
        for clip in clips:
            try:
                sound = load_clip(clip, captioner.sample_rate_hz, captioner.max_duration_s)
            except AudioError as error:
                refuse(str(error))
                continue
            waiting.append((sound, clip))
            yield sound

    def refuse(why: str) -> None:
        nonlocal done
        done += 1
        on_note(why)

    def on_error(source: Any, error: AudioError) -> None:
        row = next(i for i, (sound, _) in enumerate(waiting) if sound is source[0])
        refuse(f"{waiting[row][1].audio}: {error}")
        del waiting[row]

    heard = []
    stream = captioner.stream(
        waveforms(),
        candidates=candidates,
        seed=seed,
        batch_size=batch_size,
        every_term=True,
        on_error=on_error,
    )
    for caption in stream:
        clip = waiting.popleft()[1]
        done += 1
        if caption.candidates:
            references = tuple(text for text in clip.captions if text.strip())
            group = clip.source or str(clip.audio)
            heard.append(ClipCandidates(clip.id, group, references, caption.candidates))
        else:
            on_note(f"{clip.audio}: digital silence; it was left out")
        if on_progress:
            on_progress(done, len(clips))
    return heard


def sampling(model: Bundle | Ensemble) -> DecodeOptions:
    """The settings by which ``model`` samples; of one that searches, the defaults."""
    return model.decoding if model.decoding.method == "nucleus" else DecodeOptions()


def with_decoding(model: Bundle | Ensemble, options: DecodeOptions) -> Bundle | Ensemble:
    """``model`` with other decoding settings, for which it is not calibrated."""
    if isinstance(model, Ensemble):
        config = replace(model.config, decoding=options)
        return replace(model, config=config, calibration=None)
    return replace(model, decoding=options, calibration=None)


def write_heard(path: Path, heard: Iterable[ClipCandidates]) -> None:
    """One line of JSON per clip, every candidate with every term."""
    import json

    with atomic_writer(path) as file:
        for clip in heard:
            file.write(json.dumps(asdict(clip), ensure_ascii=False) + "\n")
