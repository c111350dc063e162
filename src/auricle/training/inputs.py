"""Inputs of the model: an example's waveform or stored features, stored text embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.audio.mixing import LEVEL_RANGE_DB
from auricle.data.clip import Clip, load_clip
from auricle.data.keys import ContentKeys, text_key
from auricle.data.store import ArrayStore
from auricle.errors import AudioError, DataError
from auricle.training.examples import Examples

Embed = Callable[[Sequence[str]], Tensor]  # N captions -> their embeddings [N, E] float32


class Inputs(Protocol):
    """Recordings of N examples as the model hears them.

    ``lengths``: [N], in seconds or in frames; 0 for an example that cannot be heard.
    """

    lengths: np.ndarray

    def read(self, index: int, clip: Clip, *seed: int) -> np.ndarray:
        """Example ``index``, which is ``clip``: float32 [L] or [T, D].

        ``seed`` fixes what is drawn; without any it is what precomputation draws. Raises AudioError
        where its recording has become unreadable.
        """
        ...


class Waveforms:
    """Waveforms [L] float32 at ``sample_rate_hz``, of at most ``max_duration_s``; mix-ups whose
    level and offset a manifest leaves open are mixed anew for every seed."""

    def __init__(
        self,
        examples: Examples,
        sample_rate_hz: int,
        max_duration_s: float,
        mix_range_db: float = LEVEL_RANGE_DB,
    ) -> None:
        self.lengths = examples.seconds
        self.sample_rate_hz, self.max_duration_s = sample_rate_hz, max_duration_s
        self.mix_range_db = mix_range_db

    def read(self, index: int, clip: Clip, *seed: int) -> np.ndarray:
        return load_clip(
            clip,
            self.sample_rate_hz,
            self.max_duration_s,
            *seed,
            mix_range_db=self.mix_range_db,
        )


class StoredFeatures:
    """Features [T, D] float32 that the frozen encoder gave earlier.

    Raises DataError: the store has none of them.
    """

    def __init__(self, examples: Examples, store: ArrayStore, keys: ContentKeys) -> None:
        self.store = store
        self.lengths = np.zeros(len(examples), dtype=np.float32)
        self._keys = np.zeros(len(examples), dtype="S64")  # hex digests, in flat memory
        for index, clip in enumerate(examples):
            try:
                key = keys.clip_key(clip)
            except AudioError:
                continue  # it could not be encoded either
            self._keys[index] = key
            self.lengths[index] = store.frames(key) or 0
        if not self.lengths.any():
            raise DataError(
                f"no features of the {len(examples)} clips in the cache; compute them first"
                " (auricle precompute)"
            )

    def read(self, index: int, clip: Clip, *seed: int) -> np.ndarray:
        return self.store.get(self._keys[index].decode()).astype(np.float32)


class StoredEmbeddings:
    """Captions -> their embeddings [N, E] float32, L2-normalised, from a store.

    Raises DataError where one is missing.
    """

    def __init__(self, store: ArrayStore) -> None:
        self.store = store

    def __call__(self, captions: Sequence[str]) -> Tensor:
        vectors = np.concatenate([self.store.get(text_key(text)) for text in captions])
        return F.normalize(torch.from_numpy(vectors.astype(np.float32)), dim=-1)
