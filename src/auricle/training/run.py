"""A training run: a recipe from its files to a model folder."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from auricle.data.clip import load_clip
from auricle.errors import ModelError, TrainingError
from auricle.files import atomic_writer, read_json
from auricle.hub.folder import Bundle, save_bundle
from auricle.locks import lock
from auricle.training.checkpoints import CHECKPOINT, State
from auricle.training.examples import Examples
from auricle.training.job import Job, Outcome, Prepare
from auricle.training.loop import Validate, new_accelerator, train
from auricle.training.monitor import AUDIO_S, UNWATCHED, Monitor, StepReport, TrainingWatch
from auricle.training.paired_job import paired_job
from auricle.training.precompute import Counts, feature_store, take_features, weights_digest
from auricle.training.processes import from_all, main_first, told_if_lost
from auricle.training.recipe import Recipe, changed_keys, load_recipe
from auricle.watch import Note

if TYPE_CHECKING:
    from accelerate import Accelerator

# What may change between a run and its continuation, because its checkpoint fits all the same;
# of the first ones nothing is said, for no weight depends on them.
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
NOTED = (
    "augment.",
    "training.epochs",
    "training.steps",
    "training.learning_rate",
    "training.schedule",
    "training.warmup_steps",
    "training.weight_decay",
    "training.clip_norm",
    "training.label_smoothing",
    "training.temperature",
)


def run_recipe(
    path: str | Path,
    changes: Sequence[str] = (),
    *,
    prepare: Prepare = paired_job,
    resume: bool = False,
    watch: TrainingWatch = UNWATCHED,
) -> Path:
    """Prepare the data, train, measure, and write the model folder, which is returned.

    Checkpoints and logs lie in `Recipe.folder`. Under `accelerate launch` every process calls
    this.

    Args:
        prepare: makes the job, once it is sure that the run may begin: of a recipe on manifests
            unless told otherwise.

    Raises:
        AuricleError: something is missing or wrong; what, and what to do.
    """
    recipe = load_recipe(path, changes)
    accelerator = new_accelerator(recipe.training)
    alone = _alone(recipe.folder) if accelerator.is_main_process else contextlib.nullcontext()
    with told_if_lost(), alone:
        _run(recipe, accelerator, (str(path), *changes), prepare, resume, watch)
    return Path(recipe.out)


def _run(
    recipe: Recipe,
    accelerator: Accelerator,
    command: tuple[str, ...],
    prepare: Prepare,
    resume: bool,
    watch: TrainingWatch,
) -> None:
    work, main = recipe.folder, accelerator.is_main_process
    if main:
        _claim(recipe, work, resume, watch.note)
    from_all(None)
    torch.set_flush_denormal(True)  # AdamW's moments of rare tokens shrink into slow denormals
    job = prepare(recipe, accelerator, watch)
    _one_cache(job)
    if main:
        _same_clips(job, work)
    with _monitor(job, work / "logs" if main else None, watch.note) as monitor:

        def step(report: StepReport) -> None:
            watch.step(report)
            monitor.step(report)

        state = train(
            job.model,
            job.data,
            recipe.training,
            work,
            accelerator=accelerator,
            augment=recipe.augment,
            validation=recipe.validation,
            validate=_validate(job, monitor, watch),
            watch=replace(watch, step=step),
        )
    if main:
        _write(job, state, command, accelerator.num_processes)
    from_all(None)


def precompute_recipe(
    path: str | Path,
    changes: Sequence[str] = (),
    features: Path | None = None,
    watch: TrainingWatch = UNWATCHED,
) -> Mapping[str, Counts]:
    """Compute all features and caption embeddings that a recipe's training will read; how many, by
    what they are of. First take those that a batch, in the folder ``features``, has computed.

    Raises:
        AuricleError: as `run_recipe`; TrainingError for a recipe without manifests.
    """
    recipe = load_recipe(path, changes)
    if recipe.data is None:
        raise TrainingError(f"{path}: has no manifests in [data] whose clips could be computed")
    accelerator, taken = new_accelerator(recipe.training), None
    with told_if_lost():
        with main_first():
            if features and accelerator.is_main_process:
                taken = take_features(features, recipe.data.cache)
        job = paired_job(recipe, accelerator, watch)
    if taken:
        own = feature_store(job.model.config, weights_digest(job.model.encoder), recipe.data.cache)
        if taken.folder != own.folder:
            watch.note(f"{features}: of another encoder than the recipe's, so of no use to it")
    return job.computed


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """The only run in ``work``, until its process ends, however it ends.

    Raises TrainingError: another process trains there, which is named.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (work / "lock").open("a+b", buffering=0)
    except OSError as error:
        raise TrainingError(
            f"{work}: cannot be written ({error.strerror}); give another folder by out=FOLDER"
        ) from error
    with file:
        if not lock(file):
            file.seek(0)
            holder = ascii(file.read(200).decode("utf-8", "replace")).strip("'")
            raise TrainingError(
                f"{work}: {holder or 'another process'} trains there; wait for it, or give another "
                "folder by out=FOLDER"
            )
        os.register_at_fork(after_in_child=file.close)  # workers may outlive a killed run
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}".encode())
        yield


def _claim(recipe: Recipe, work: Path, resume: bool, note: Note) -> None:
    """See that the run in ``work``, if there is one, is to be continued and is this recipe's, and
    that a model in ``recipe.out`` is of this recipe."""
    file, now = work / "recipe.json", json.dumps(recipe.to_dict(), indent=1) + "\n"
    if (work / CHECKPOINT).is_file():
        if not resume:
            raise TrainingError(
                f"{work}: holds a run that has begun; go on with it by --resume, or give another "
                "folder by out=FOLDER"
            )
        changed = changed_keys(_recipe_of(file), json.loads(now))
        changed = [key for key in changed if not key.startswith(FREE)]
        if noted := [key for key in changed if key.startswith(NOTED)]:
            note(f"goes on with another recipe than before: {', '.join(noted)} changed")
        if changed := [key for key in changed if not key.startswith(NOTED)]:
            raise TrainingError(
                f"{work}: the run was begun with another recipe: {', '.join(changed)} changed; put "
                "them back, or give another folder by out=FOLDER"
            )
    elif (Path(recipe.out) / "config.json").is_file():
        before = _recipe_of(file) if file.is_file() else {}
        if [key for key in changed_keys(before, json.loads(now)) if not key.startswith(FREE)]:
            raise TrainingError(
                f"{recipe.out}: holds a model of another run; give another folder by out=FOLDER, "
                "or move it away"
            )
    with atomic_writer(file) as whole:  # a kill must not leave half of it to the next --resume
        whole.write(now)


def _recipe_of(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except ModelError as error:
        raise TrainingError(
            f"{file}: cannot be read ({error}), and it says which recipe this run has; put it "
            "back, or give another folder by out=FOLDER"
        ) from error


def _one_cache(job: Job) -> None:
    """See that all processes have the same clips: each reads its part of the same batches."""
    several = from_all(job.clips)
    if len(set(several)) > 1:
        told = ", ".join(clips.split(",")[0] for clips in several)
        raise TrainingError(
            f"the processes of this run have different training clips ({told}): give all machines"
            " the same manifests, recordings and data.cache, on a disk that they share"
        )


def _same_clips(job: Job, work: Path) -> None:
    """See that a run that is continued has the clips it was begun with: batches depend on them."""
    if not job.clips:
        return
    file = work / "clips.txt"
    before = (
        file.read_text(errors="replace") if (work / CHECKPOINT).is_file() and file.is_file() else ""
    )
    if before and before != f"{job.clips}\n":
        raise TrainingError(
            f"{work}: the training clips are not those the run was begun with (then "
            f"{before.split(',')[0]}, now {job.clips.split()[0]}): a manifest or recordings have "
            "changed; put them back, or give another folder by out=FOLDER"
        )
    with atomic_writer(file) as whole:
        whole.write(f"{job.clips}\n")


def _monitor(job: Job, folder: Path | None, note: Note) -> Monitor:
    """Curves in ``folder``, with what validation clips sound like."""
    rate_hz, clips = job.model.encoder.sample_rate_hz, job.examples.get("validation")
    recording = partial(_recording, clips, rate_hz) if clips else None
    return Monitor(folder, recording=recording, sample_rate_hz=rate_hz, note=note)


def _recording(clips: Examples, rate_hz: int, index: int) -> np.ndarray:
    return load_clip(clips.clip(index), rate_hz, AUDIO_S)


def _validate(job: Job, monitor: Monitor, watch: TrainingWatch) -> Validate | None:
    """The validation after an epoch, reported; None without validation clips."""
    config, measure = job.recipe.validation, job.validate
    if measure is None:
        return None

    def validate(epoch: int, state: State) -> Mapping[str, float]:
        captioned = config.captions_every and epoch % config.captions_every == 0
        found = measure("captions" if captioned else "losses")
        values = found.values()
        monitor.validation(state.step, found)
        watch.validated(epoch, found, state.improved_by(values, config.monitor))
        return values

    return validate


def _write(job: Job, state: State, command: tuple[str, ...], processes: int) -> None:
    """The model folder, with what was measured of it in its card."""
    recipe = job.recipe
    chosen = state.best and recipe.validation.select == "best"
    outcome = Outcome(
        command=command,
        steps=state.step,
        best_epoch=state.best[0].epoch if chosen else None,
        processes=processes,
        found=job.validate("final") if job.validate else None,
    )
    bundle = Bundle(
        name=recipe.name,
        model=job.model,
        tokenizer=job.tokenizer,
        embedder=recipe.text_embedder,
        decoding=recipe.decoding,
        card=job.card(outcome),
        credits=job.credits,
    )
    save_bundle(recipe.out, bundle, getattr(torch, recipe.dtype))
