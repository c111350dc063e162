"""The job of the embedded model: captions, sounds, pseudo-recordings of them, a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from auricle.model.captioner import AudioCaptioner
from auricle.tiny.card import tiny_card, tiny_credits
from auricle.tiny.pseudo_batches import PseudoBatches
from auricle.training.job import Job
from auricle.training.monitor import UNWATCHED, TrainingWatch
from auricle.training.processes import main_first
from auricle.training.recipe import Recipe

if TYPE_CHECKING:
    from accelerate import Accelerator


def tiny_job(
    recipe: Recipe,
    accelerator: Accelerator,
    watch: TrainingWatch = UNWATCHED,
    live: bool = False,
) -> Job:
    """Everything a run of the embedded model needs; what is prepared stays in the recipe's folder,
    ``live`` or not.

    Raises:
        TrainingError: the model reads more than YAMNet's scores, or something else.
        FileNotFoundError: a collection of sounds is missing.
    """
    assert recipe.unpaired is not None
    with main_first():
        data = PseudoBatches(
            recipe.unpaired,
            recipe.pseudo,
            recipe.training,
            recipe.model,
            recipe.folder,
            watch,
            accelerator.num_processes,
        )
    torch.manual_seed(recipe.training.seed)
    return Job(
        recipe,
        AudioCaptioner(data.model_config),
        data.tokenizer,
        data,
        card=lambda _: tiny_card(recipe, data.sounds),
        credits=tiny_credits(data.sounds),
    )
