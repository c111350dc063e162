"""A recipe run from its files to a model folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from auricle.errors import TrainingError
from auricle.hub.folder import Bundle, save_bundle
from auricle.training.checkpoints import CHECKPOINT, State
from auricle.training.clock import Progress
from auricle.training.job import Job, paired_job, search_options, unpaired_job
from auricle.training.loop import new_accelerator, train
from auricle.training.measures import Validation
from auricle.training.monitor import Monitor
from auricle.training.recipe import Recipe, changed_keys, load_recipe

if TYPE_CHECKING:
    from accelerate import Accelerator

# What may change between a run and its continuation: no weight depends on it.
FREE = (
    "name",
    "licence",
    "measured",
    "dtype",
    "decoding.",
    "validation.",
    "data.cache",
    "training.workers",
    "training.checkpoint_every",
)


def _silent(*_: Any) -> None:
    pass


@dataclass(frozen=True)
class Watch:
    """Whom a run tells what it does; each part may be left out.

    Attributes:
        note: something its user should know.
        working: preparation: what is being done, how much of it, of how much (0: not known).
        progress: a step.
        validated: an epoch, what was measured, whether it is the best so far.
    """

    note: Callable[[str], None] = _silent
    working: Callable[[str, int, int], None] = _silent
    progress: Callable[[Progress], None] = _silent
    validated: Callable[[int, Validation, bool], None] = _silent


def run_recipe(
    path: str | Path,
    changes: Sequence[str] = (),
    *,
    resume: bool = False,
    watch: Watch | None = None,
) -> Path:
    """Prepare the data, train, measure, and write the model folder, which is returned.

    Checkpoints and logs lie in ``work`` under it. Under `accelerate launch` every process calls
    this.

    Raises:
        AuricleError: something is missing or wrong; what, and what to do.
    """
    watch = watch or Watch()
    recipe = load_recipe(path, changes)
    accelerator = new_accelerator(recipe.training)
    out = Path(recipe.out)
    work = out / "work"
    if accelerator.is_main_process:
        _claim(recipe, work, resume)
    accelerator.wait_for_everyone()
    torch.set_flush_denormal(True)  # AdamW's moments of rare tokens shrink into slow denormals
    job = prepare(recipe, accelerator, watch)
    with Monitor(work / "logs" if accelerator.is_main_process else None) as monitor:
        state = train(
            job.model,
            job.data,
            recipe.training,
            work,
            accelerator=accelerator,
            augment=recipe.augment,
            validation=recipe.validation,
            validate=_validation(job, monitor, watch) if job.validate else None,
            progress=_both(watch.progress, monitor.step),
            replaced=lambda ids: watch.note(f"not readable any more, replaced: {', '.join(ids)}"),
        )
    if accelerator.is_main_process:
        _write(job, out, state, path, changes)
    accelerator.wait_for_everyone()
    return out


def prepare(recipe: Recipe, accelerator: Accelerator, watch: Watch) -> Job:
    """The job a recipe describes, whichever way it trains."""
    if recipe.data is not None:
        return paired_job(recipe, accelerator, watch.note, watch.working)
    work = Path(recipe.out) / "work"
    with accelerator.main_process_first():
        return unpaired_job(recipe, work, accelerator.num_processes, watch.note)


def _claim(recipe: Recipe, work: Path, resume: bool) -> None:
    """See that the run in ``work``, if there is one, is to be continued and is this recipe's."""
    file = work / "recipe.json"
    if (work / CHECKPOINT).is_file():
        if not resume:
            raise TrainingError(
                f"{work}: holds a run that has begun; go on with it by --resume, or give another "
                "folder by out=FOLDER"
            )
        before = json.loads(file.read_text(encoding="utf-8"))
        now = json.loads(json.dumps(recipe.to_dict()))
        changed = [key for key in changed_keys(before, now) if not key.startswith(FREE)]
        if changed:
            raise TrainingError(
                f"{work}: the run was begun with another recipe: {', '.join(changed)} changed; put "
                "them back, or give another folder by out=FOLDER"
            )
    work.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(recipe.to_dict(), indent=1) + "\n", encoding="utf-8")


def _validation(job: Job, monitor: Monitor, watch: Watch) -> Callable[[int], dict[str, float]]:
    config, best = job.recipe.validation, [float("inf")]
    sign = 1 if config.monitor == "loss" else -1

    def validate(epoch: int) -> dict[str, float]:
        assert job.validate is not None
        captions = config.captions_every and epoch % config.captions_every == 0
        found = job.validate(search_options(job.recipe) if captions else None, False)
        values = found.values()
        value = sign * values.get(config.monitor, float("inf"))
        better, best[0] = value < best[0], min(value, best[0])
        monitor.validation(epoch * job.data.steps_per_epoch, found)
        watch.validated(epoch, found, better)
        return values

    return validate


def _write(job: Job, out: Path, state: State, path: str | Path, changes: Sequence[str]) -> None:
    """The model folder, with what was measured of it in its card."""
    recipe = job.recipe
    found = job.validate(recipe.decoding, True) if job.validate else None
    bundle = Bundle(
        name=recipe.name,
        model=job.model,
        tokenizer=job.tokenizer,
        embedder=recipe.text_embedder,
        decoding=recipe.decoding,
        card=_card(job, found, state, path, changes),
    )
    save_bundle(out, bundle, getattr(torch, recipe.dtype))


def _card(
    job: Job, found: Validation | None, state: State, path: str | Path, changes: Sequence[str]
) -> str:
    return ""


def _both(
    first: Callable[[Progress], None], second: Callable[[Progress], None]
) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        first(progress)
        second(progress)

    return tell
