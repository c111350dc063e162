"""Batches of recordings with captions.

manifests ─► Examples ─► epoch_batches ─► Inputs ─► Batch (training), ValidationBatch
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from auricle.data.clip import Clip
from auricle.errors import AudioError, DataError
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import (
    Batch,
    PairBatch,
    batches_per_epoch,
    epoch_batches,
    pad_audio,
    pad_labels,
)
from auricle.training.config import TrainingConfig
from auricle.training.examples import Examples
from auricle.training.inputs import Embed, Inputs
from auricle.training.preference import PreferencePair, Preferences
from auricle.watch import silent

CLIP_STREAM = 2  # second word of a clip's seed; 0 is the order's, 1 that of pseudo-recordings
TRIES = 20  # clips tried in place of one that cannot be read


class PairedBatches:
    """Batches of ``examples``, each clip with one of its captions, chosen anew in every epoch.

    Of what does not fill a step some wait for another epoch, chosen anew as well; clips that
    ``inputs`` cannot hear are left out. May be pickled and forked, as workers need.

    Args:
        max_tokens: of a caption with its end token; longer ones are cut.
        bucket: batches that are sorted by length together.
        world: processes that share a batch.
        preferences: pairs of captions for some clips, one of which each epoch draws.

    Attributes:
        heard: indices of the examples that can be heard.

    Raises:
        DataError: too few clips for a batch.
    """

    def __init__(
        self,
        examples: Examples,
        inputs: Inputs,
        tokenizer: CaptionTokenizer,
        embed: Embed,
        training: TrainingConfig,
        max_tokens: int,
        bucket: int = 12,
        world: int = 1,
        preferences: Preferences | None = None,
    ) -> None:
        self.preferences = preferences
        self.examples, self.inputs, self.tokenizer, self.embed = examples, inputs, tokenizer, embed
        self.training, self.max_tokens = training, max_tokens
        self.bucket, self.world = bucket, world
        self.heard = np.flatnonzero(inputs.lengths)
        least = max(2, world)  # a batch's normalisation and contrasts need a second clip
        if len(self.heard) < least:
            raise DataError(
                f"{len(self.heard)} clips to train on; at least {least} are needed: add some, or"
                " see why the others were skipped"
            )
        rows = len(self.heard) // world * world  # every process gets as many
        self.batch_size = min(training.batch_size * world, rows)
        self.micro_batches = batches_per_epoch(len(self.heard), self.batch_size)
        self._epoch: tuple[int, list[np.ndarray]] = (-1, [])

    @property
    def steps_per_epoch(self) -> int:
        return max(1, self.micro_batches // self.training.accumulate)

    def at(self, step: int, rank: int = 0, world: int = 1) -> list[Batch]:
        """The micro-batches of ``step`` (from 1), the same at every call: see `Batches`."""
        assert world == self.world, "an epoch's steps were counted for another number of processes"
        epoch, place = divmod(step - 1, self.steps_per_epoch)
        if self._epoch[0] != epoch:
            lengths, seed = self.inputs.lengths[self.heard], self.training.seed
            batches = epoch_batches(lengths, self.batch_size, seed, epoch, self.bucket)
            self._epoch = (epoch, [self.heard[batch] for batch in batches])
        first = place * self.training.accumulate
        return [
            self._batch(self._epoch[1][number % self.micro_batches][rank::world], epoch)
            for number in range(first, first + self.training.accumulate)
        ]

    def _batch(self, indices: np.ndarray, epoch: int) -> Batch:
        heard, written, replaced = list[np.ndarray](), list[str](), list[str]()
        pairs = list[PreferencePair | None]()
        for wanted in indices.tolist():
            index, clip, audio, lost = self._readable(wanted, epoch)
            rng = np.random.default_rng((self.training.seed, CLIP_STREAM, epoch, wanted))
            heard.append(audio)
            written.append(clip.captions[rng.integers(len(clip.captions))])
            replaced += lost
            if self.preferences:
                pairs.append(self.preferences.draw(index, clip, self.training.seed, epoch))
        return Batch(
            *pad_audio(heard),
            self._labels(written),
            self.embed(written),
            tuple(replaced),
            self._pair_batch(pairs),
        )

    def _labels(self, captions: Sequence[str]) -> Tensor:
        ids = [self.tokenizer.encode(caption) for caption in captions]
        assert self.tokenizer.eos_id is not None
        return pad_labels(ids, self.tokenizer.eos_id, self.max_tokens)

    def _pair_batch(self, pairs: Sequence[PreferencePair | None]) -> PairBatch | None:
        drawn = [(row, pair) for row, pair in enumerate(pairs) if pair]
        if not drawn:
            return None
        return PairBatch(
            torch.tensor([row for row, _ in drawn]),
            self._labels([pair.chosen.text for _, pair in drawn]),
            self._labels([pair.rejected.text for _, pair in drawn]),
            torch.tensor([pair.margin for _, pair in drawn]),
        )

    def _readable(self, index: int, epoch: int) -> tuple[int, Clip, np.ndarray, list[str]]:
        """Clip ``index``, or the next one that can be read, with its index and waveform or
        features, and the ids of those that cannot."""
        lost: list[str] = []
        place = int(np.searchsorted(self.heard, index))
        for number in range(place, place + min(TRIES, len(self.heard))):
            candidate = int(self.heard[number % len(self.heard)])
            clip = self.examples.clip(candidate)
            try:
                audio = self.inputs.read(candidate, clip, self.training.seed, epoch)
                return candidate, clip, audio, lost
            except AudioError as error:
                lost.append(clip.id)
                reason = error
        raise DataError(
            f"{len(lost)} clips in a row cannot be read any more, the last because {reason}; is"
            " the disk still there?"
        ) from reason


@dataclass(frozen=True)
class ValidationBatch:
    """B recordings with all their captions.

    Attributes:
        audio, lengths: as in `Batch`.
        captions: of each recording, `as_written`.
        ids, paths: of the manifest's rows.
        indices: [B] which example each one is, counted from 0 in the manifests' order.
    """

    audio: Tensor
    lengths: Tensor
    captions: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...]
    paths: tuple[Path, ...]
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> ValidationBatch:
        return replace(self, audio=self.audio.to(device), lengths=self.lengths.to(device))


def iter_validation(
    examples: Examples,
    inputs: Inputs,
    batch_size: int,
    on_error: Callable[[Clip, AudioError], None] = silent,
) -> Iterator[ValidationBatch]:
    """Every example once, about equally long ones together, always in the same order.

    A recording that cannot be read goes to ``on_error`` and is left out.
    """
    order = np.argsort(inputs.lengths, kind="stable")
    order = order[inputs.lengths[order] > 0]
    for start in range(0, len(order), batch_size):
        clips: list[Clip] = []
        heard: list[np.ndarray] = []
        indices: list[int] = []
        for index in order[start : start + batch_size].tolist():
            clip = examples.clip(index)
            try:
                heard.append(inputs.read(index, clip))
            except AudioError as error:
                on_error(clip, error)
                continue
            clips.append(clip)
            indices.append(index)
        if clips:
            yield ValidationBatch(
                *pad_audio(heard),
                captions=tuple(clip.captions for clip in clips),
                ids=tuple(clip.id for clip in clips),
                paths=tuple(clip.audio for clip in clips),
                indices=tuple(indices),
            )
