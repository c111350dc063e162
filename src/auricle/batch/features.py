"""The task `features`: what `auricle precompute` stores of each recording."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from auricle.audio.load import Recording
from auricle.audio.lookahead import in_order
from auricle.batch.items import Item, Open, open_item
from auricle.batch.job import JobSpec
from auricle.batch.rows import ANY, Beat, Rows, done, load_captioner, unheard
from auricle.data.clip import Clip
from auricle.data.keys import clip_key, content_of
from auricle.errors import AudioError, ModelError
from auricle.files import atomic_writer
from auricle.shards import Columns

if TYPE_CHECKING:
    import numpy as np


class FeaturesTask:
    """The encoder's features of each recording's start, under the key of its content."""

    COLUMNS: ClassVar[Columns] = ANY | {"key": str, "frames": int, "dim": int, "data": bytes}

    def __init__(self, job: JobSpec) -> None:
        from auricle.training.precompute import (
            BATCH_SETTINGS,
            default_batch_s,
            feature_store,
            weights_digest,
        )

        captioner = load_captioner(job)
        model, *others = captioner.models
        if others:
            raise ModelError(f"{job.model}: an ensemble; name one of its members by --model")
        self._encoder, self._limit_s = model.encoder, model.config.max_duration_s
        store = feature_store(model.config, weights_digest(self._encoder), "")
        with atomic_writer(Path(job.folder, BATCH_SETTINGS)) as file:
            file.write(json.dumps(store.settings, indent=1) + "\n")
        self._batch_s = default_batch_s(self._encoder) / job.batch_size  # of each recording

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        from auricle.hearing import LOADERS
        from auricle.training.precompute import WINDOW

        limit = round(batch_size * self._batch_s * self._encoder.sample_rate_hz)  # of a batch
        window: dict[str, np.ndarray] = {}
        of_key: dict[str, list[Item]] = defaultdict(list)
        samples = 0
        for item, key, waveform, error in in_order(partial(self._heard, opener), items, LOADERS):
            if waveform is None:
                yield unheard(item, error)
                continue
            window[key] = waveform
            of_key[key].append(item)
            samples += len(waveform)
            if samples >= WINDOW * limit:
                yield from self._encoded(window, of_key, limit)
                samples = 0
        yield from self._encoded(window, of_key, limit)

    def _encoded(
        self, window: dict[str, np.ndarray], of_key: dict[str, list[Item]], limit: int
    ) -> Rows:
        """The rows of the items whose waveforms are in ``window``, which is then empty."""
        import numpy as np

        from auricle.training.precompute import encoded

        for arrays in encoded(self._encoder, window, limit):
            for key, array in arrays.items():
                values = np.ascontiguousarray(array, "<f2")
                frames, dim = values.shape
                own = {"key": key, "frames": frames, "dim": dim, "data": values.tobytes()}
                for item in of_key.pop(key):
                    yield done(item, len(window[key]) / self._encoder.sample_rate_hz) | own
        window.clear()

    def _heard(
        self, opener: Open, item: Item
    ) -> tuple[Item, str, np.ndarray | None, AudioError | None]:
        from auricle.hearing import load

        try:
            sound = opener(item).sound
            waveform = load(sound, self._encoder.sample_rate_hz, self._limit_s).waveform
            return item, _key(item, sound), waveform, None
        except AudioError as error:
            return item, "", None, error


def _key(item: Item, sound: Any) -> str:
    """As `ContentKeys.clip_key` gives it."""
    if isinstance(sound, Clip):
        return clip_key(sound, content_of)
    if isinstance(sound, Recording):  # decoded elsewhere
        sound = open_item(item).sound
    if isinstance(sound, Path):
        content = content_of(sound)
    elif isinstance(sound, dict):
        content = hashlib.sha256(sound["bytes"]).hexdigest()
    else:
        sound.seek(0)
        content = hashlib.file_digest(sound, "sha256").hexdigest()
    return clip_key(Clip(Path(item.audio), (), ""), lambda _: content)
