"""The training objective: the model with its losses, as one module for a distributed wrapper."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from auricle.model.bart import CrossMemory
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.encoder import Augment
from auricle.model.teacher_forcing import IGNORE_ID, decoder_inputs, sequence_nll
from auricle.training.batch import Batch, PairBatch
from auricle.training.config import SpecAugmentConfig, TrainingConfig
from auricle.training.specaugment import spec_augment


class Objective(nn.Module):
    """nll_weight * label-smoothed NLL + info_nce_weight * InfoNCE of a batch, + preference.weight *
    DPO of its pairs, the mean over all clips, where those without a pair count 0.

    ``world`` processes average their gradients; the losses are scaled so that the average is the
    gradient of the batch they form together.
    """

    def __init__(
        self,
        model: AudioCaptioner,
        config: TrainingConfig,
        augment: SpecAugmentConfig | None = None,
        world: int = 1,
    ) -> None:
        super().__init__()
        self.model, self.config, self.world = model, config, world
        self.augment = augment or SpecAugmentConfig()
        if config.info_nce_weight == 0:
            model.embedding_head.requires_grad_(False)  # nothing trains it

    def forward(self, batch: Batch, tokens: Tensor) -> dict[str, Tensor]:
        """Losses by name, to be summed; ``tokens`` is the count of target tokens of the whole step,
        over all micro-batches and processes."""
        config, decoder = self.config, self.model.config.decoder
        if config.preference:
            self.model.eval()  # as the reference was; training mode is the loop's
        memory = self.listen(batch)
        cross = self.model.decoder.read_memory(memory.memory, memory.lengths)
        inputs = decoder_inputs(batch.labels, decoder.start_id, decoder.pad_id)
        logits = self.model.decoder(inputs, cross).float()
        nll = label_smoothed_nll(logits, batch.labels, config.label_smoothing, tokens)
        losses = {"nll": config.nll_weight * self.world * nll}
        if config.info_nce_weight:
            contrast = info_nce(
                gathered(memory.embedding.float()),
                gathered(batch.text_embeddings),
                config.temperature,
            )
            losses["info_nce"] = config.info_nce_weight / config.accumulate * contrast
        if config.preference and config.preference.weight:
            preferred = nll.new_zeros(())
            if batch.pairs:
                preferred = self._dpo(batch.pairs, cross, config.preference.beta)
            clips = len(batch) * config.accumulate
            losses["dpo"] = config.preference.weight / clips * preferred
        return losses

    def _dpo(self, pairs: PairBatch, cross: CrossMemory, beta: float) -> Tensor:
        """The sum of the pairs' losses."""
        decoder = self.model.decoder
        labels = pad_sequence([*pairs.chosen, *pairs.rejected], True, IGNORE_ID)
        inputs = decoder_inputs(labels, decoder.config.start_id, decoder.config.pad_id)
        reading = cross.read_by(torch.cat([pairs.clips, pairs.clips]))
        told = -sequence_nll(decoder(inputs, reading).float(), labels)
        chosen, rejected = told.chunk(2)
        return dpo(chosen, rejected, pairs.margins, beta).sum()

    def listen(self, batch: Batch) -> AudioMemory:
        """The memory of a batch's audio; masked while training."""
        place = self.augment.place if self.training else "none"
        masked = partial(spec_augment, config=self.augment)
        return listen(
            self.model,
            batch.audio,
            batch.lengths,
            before=masked if place == "fbank" else None,
            after=masked if place == "memory" else None,
        )


def listen(
    model: AudioCaptioner,
    audio: Tensor,
    lengths: Tensor,
    before: Augment | None = None,
    after: Augment | None = None,
) -> AudioMemory:
    """The memory of waveforms [B, L], or of features [B, T, D] of the frozen encoder.

    ``before`` changes what the encoder reads of waveforms, ``after`` the downsampled frames.
    """
    if audio.ndim == 2:
        audio, lengths = model.features(audio, lengths, before)
    return model.encode_features(audio, lengths, after)


def label_smoothed_nll(
    logits: Tensor, labels: Tensor, smoothing: float = 0.1, tokens: Tensor | None = None
) -> Tensor:
    """Cross-entropy with label smoothing, the mean over all tokens of the batch, scalar.

    ``logits`` [B, L, V]; ``labels`` [B, L] token ids with -100 where padded. The smoothing mass is
    spread evenly over the vocabulary. ``tokens`` divides the sum in place of the batch's own count:
    that of all the batches a step consists of.
    """
    total = F.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        ignore_index=IGNORE_ID,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return total / ((labels != IGNORE_ID).sum() if tokens is None else tokens)


def dpo(chosen: Tensor, rejected: Tensor, margins: Tensor, beta: float) -> Tensor:
    """Direct preference optimisation (Rafailov et al., NeurIPS 2023, equation 7): [P] losses.

    ``chosen`` and ``rejected`` [P] are summed log-probabilities of captions, ``margins`` [P] their
    difference under the model that training started from.
    """
    return -F.logsigmoid(beta * (chosen - rejected - margins))


def info_nce(audio: Tensor, text: Tensor, temperature: float = 0.5) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives: [B, E], [B, E] -> scalar.

    Row i of ``audio`` belongs to row i of ``text``; cosines over ``temperature`` are the logits,
    both ways, averaged (van den Oord et al., 2018; published temperature 0.5).
    """
    cosines = F.normalize(audio, dim=-1) @ F.normalize(text, dim=-1).T / temperature
    target = torch.arange(len(audio), device=audio.device)
    return 0.5 * (F.cross_entropy(cosines, target) + F.cross_entropy(cosines.T, target))


def gathered(rows: Tensor) -> Tensor:
    """The rows [B, E] of every process, [world * B, E], in order of rank.

    Every process computes the same loss of all rows, and its gradient reaches the process's own
    rows alone, times the number of processes: their average is the gradient of that loss.
    """
    ready = distributed.is_available() and distributed.is_initialized()
    return _Gather.apply(rows) if ready else rows


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        world = distributed.get_world_size()
        return world * gradients[0].chunk(world)[distributed.get_rank()]
