"""The training loop: label-smoothed NLL + InfoNCE, AdamW with warm-up and cosine decay.

The batch of a step is a pure function of the step, so a run that is killed continues from its last
checkpoint as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from auricle.model.captioner import AudioCaptioner
from auricle.model.likelihood import decoder_inputs
from auricle.training.losses import info_nce, label_smoothed_nll


@dataclass(frozen=True)
class TrainingConfig:
    """Numbers of a run; loss settings default to the published ones (Wu et al., section 2.2).

    ``average_last`` is the share of the steps, at the end, over which the weights are averaged.
    """

    steps: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-3
    label_smoothing: float = 0.1
    info_nce_weight: float = 1.0
    temperature: float = 0.5
    clip_norm: float = 1.0
    average_last: float = 0.0
    bf16: bool = True
    checkpoint_every: int = 500
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """``features`` [B, T, D] and ``lengths`` [B] of the frozen encoder, ``labels`` [B, L] token ids
    ending in the end token and padded with -100, ``text_embeddings`` [B, E] of the captions."""

    features: Tensor
    lengths: Tensor
    labels: Tensor
    text_embeddings: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Progress:
    """What a step did: its number (from 1), the losses by name, and the learning rate."""

    step: int
    losses: dict[str, float]
    learning_rate: float


def train(
    model: AudioCaptioner,
    batch_at: Callable[[int], Batch],
    config: TrainingConfig,
    folder: Path,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Train ``model`` in place to ``config.steps``, from the checkpoint in ``folder`` if any.

    ``batch_at`` gives the batch of a step, the same for the same step. ``model`` ends in eval
    mode, with averaged weights if ``average_last`` asks for them.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        _weight_groups(model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.98)
    )
    averaged = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    first_averaged = config.steps - round(config.steps * config.average_last)
    checkpoint = folder / "checkpoint.pt"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    done = 0
    if checkpoint.is_file():
        saved = torch.load(checkpoint, map_location=model.device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        averaged, done = saved["averaged"], saved["step"]
        torch.set_rng_state(saved["rng"].cpu())
    model.train()
    for step in range(done + 1, config.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, config)
        losses = step_losses(model, batch_at(step).to(model.device), config)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(trained, config.clip_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step > first_averaged:
            share = 1.0 / (step - first_averaged)
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    averaged[name].lerp_(parameter, share)
        if progress:
            values = {name: loss.item() for name, loss in losses.items()}
            progress(Progress(step, values, learning_rate(step, config)))
        if step % config.checkpoint_every == 0 or step == config.steps:
            state = {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "averaged": averaged,
                "step": step,
                "rng": torch.get_rng_state(),
            }
            _save(state, checkpoint)
    if first_averaged < config.steps:
        model.load_state_dict(averaged, strict=False)
    model.eval()


def step_losses(model: AudioCaptioner, batch: Batch, config: TrainingConfig) -> dict[str, Tensor]:
    """``nll`` and weighted ``info_nce`` of a batch, to be summed."""
    decoder = model.config.decoder
    with torch.autocast(model.device.type, torch.bfloat16, enabled=config.bf16):
        memory = model.encode_features(batch.features, batch.lengths)
        inputs = decoder_inputs(batch.labels, decoder.start_id, decoder.pad_id)
        logits = model.logits(memory, inputs)
    contrast = info_nce(memory.embedding.float(), batch.text_embeddings, config.temperature)
    return {
        "nll": label_smoothed_nll(logits.float(), batch.labels, config.label_smoothing),
        "info_nce": config.info_nce_weight * contrast,
    }


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine to a hundredth of the peak."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    passed = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * passed)))


def _weight_groups(model: AudioCaptioner, weight_decay: float) -> list[dict]:
    """Matrices decay; biases, norms and other vectors do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def _save(state: dict, path: Path) -> None:
    """Whole or not at all: a crash while writing leaves the previous checkpoint."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)
