"""The model with its training loss, as the one module that a distributed wrapper sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.likelihood import decoder_inputs
from auricle.model.specaugment import spec_augment
from auricle.training.batch import Batch
from auricle.training.config import SpecAugmentConfig, TrainingConfig
from auricle.training.losses import gathered, info_nce, label_smoothed_nll

Augment = Callable[[Tensor, Tensor], Tensor]


class Objective(nn.Module):
    """nll_weight * label-smoothed NLL + info_nce_weight * InfoNCE of a batch.

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
        memory = self.listen(batch)
        inputs = decoder_inputs(batch.labels, decoder.start_id, decoder.pad_id)
        logits = self.model.logits(memory, inputs).float()
        nll = label_smoothed_nll(logits, batch.labels, config.label_smoothing, tokens)
        losses = {"nll": config.nll_weight * self.world * nll}
        if config.info_nce_weight:
            contrast = info_nce(
                gathered(memory.embedding.float()),
                gathered(batch.text_embeddings),
                config.temperature,
            )
            losses["info_nce"] = config.info_nce_weight / config.accumulate * contrast
        return losses

    def listen(self, batch: Batch) -> AudioMemory:
        """The memory of waveforms [B, L] or features [B, T, D]; masked while training."""
        masked: Augment | None = None
        if self.training and self.augment.place != "none":
            masked = partial(spec_augment, config=self.augment)
        after = masked if self.augment.place == "memory" else None
        if batch.audio.ndim == 3:
            return self.model.encode_features(batch.audio, batch.lengths, after)
        before = masked if self.augment.place == "fbank" else None
        features, lengths = self.model.features(batch.audio, batch.lengths, before)
        return self.model.encode_features(features, lengths, after)
