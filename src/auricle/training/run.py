"""A recipe run from its files to a model folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from auricle.errors import TrainingError
from auricle.files import atomic_writer
from auricle.hub.folder import Bundle, save_bundle
from auricle.tiny.card import unpaired_card
from auricle.training.card import CardFacts, paired_card
from auricle.training.checkpoints import CHECKPOINT, State
from auricle.training.job import Job, paired_job, search_options, unpaired_job
from auricle.training.loop import Validate, new_accelerator, train
from auricle.training.monitor import AUDIO_S, Monitor, StepReport
from auricle.training.recipe import Recipe, changed_keys, load_recipe
from auricle.training.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

    from auricle.training.precompute import Counts

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
    progress: Callable[[StepReport], None] = _silent
    validated: Callable[[int, Validation, bool], None] = _silent


def run_recipe(
    path: str | Path,
    changes: Sequence[str] = (),
    *,
    resume: bool = False,
    watch: Watch | None = None,
) -> Path:
    """Prepare the data, train, measure, and write the model folder, which is returned.

    Checkpoints and logs lie in `Recipe.folder`. Under `accelerate launch` every process calls
    this.

    Raises:
        AuricleError: something is missing or wrong; what, and what to do.
    """
    watch = watch or Watch()
    recipe = load_recipe(path, changes)
    accelerator = new_accelerator(recipe.training)
    out, work = Path(recipe.out), recipe.folder
    if accelerator.is_main_process:
        _claim(recipe, work, resume, watch.note)
    accelerator.wait_for_everyone()
    torch.set_flush_denormal(True)  # AdamW's moments of rare tokens shrink into slow denormals
    job = prepare(recipe, accelerator, watch)
    if accelerator.is_main_process:
        _same_clips(job, work)
    with _monitor(job, work / "logs" if accelerator.is_main_process else None, watch) as monitor:
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
        command = (str(path), *changes)
        _write(job, out, state, command, accelerator.num_processes)
    accelerator.wait_for_everyone()
    return out


def prepare(recipe: Recipe, accelerator: Accelerator, watch: Watch) -> Job:
    """The job a recipe describes, whichever way it trains."""
    if recipe.data is not None:
        return paired_job(recipe, accelerator, watch.note, watch.working)
    with accelerator.main_process_first():
        return unpaired_job(recipe, accelerator.num_processes, watch.note)


def precompute_recipe(
    path: str | Path, changes: Sequence[str] = (), watch: Watch | None = None
) -> Mapping[str, Counts]:
    """Compute all features and caption embeddings that a recipe's training will read; how many, by
    what they are of.

    Raises:
        AuricleError: as `run_recipe`; TrainingError for a recipe without manifests.
    """
    watch = watch or Watch()
    recipe = load_recipe(path, changes)
    if recipe.data is None:
        raise TrainingError(f"{path}: has no manifests in [data] whose clips could be computed")
    accelerator = new_accelerator(recipe.training)
    return paired_job(recipe, accelerator, watch.note, watch.working).computed


def _claim(recipe: Recipe, work: Path, resume: bool, note: Callable[[str], None]) -> None:
    """See that the run in ``work``, if there is one, is to be continued and is this recipe's."""
    file = work / "recipe.json"
    if (work / CHECKPOINT).is_file():
        if not resume:
            raise TrainingError(
                f"{work}: holds a run that has begun; go on with it by --resume, or give another "
                "folder by out=FOLDER"
            )
        before = _recipe_of(file)
        now = json.loads(json.dumps(recipe.to_dict()))
        changed = [key for key in changed_keys(before, now) if not key.startswith(FREE)]
        if noted := [key for key in changed if key.startswith(NOTED)]:
            note(f"goes on with another recipe than before: {', '.join(noted)} changed")
        if changed := [key for key in changed if not key.startswith(NOTED)]:
            raise TrainingError(
                f"{work}: the run was begun with another recipe: {', '.join(changed)} changed; put "
                "them back, or give another folder by out=FOLDER"
            )
    with atomic_writer(file) as whole:  # a kill must not leave half of it to the next --resume
        whole.write(json.dumps(recipe.to_dict(), indent=1) + "\n")


def _recipe_of(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{file}: cannot be read ({error}), so nobody knows whose run this is; put it back, or "
            "give another folder by out=FOLDER"
        ) from error


def _same_clips(job: Job, work: Path) -> None:
    """See that a run that is continued has the clips it was begun with: batches depend on them."""
    file = work / "clips.txt"
    if job.train is None:
        return
    clips = f"{job.clips} clips, {job.train.digest}\n"
    if (work / CHECKPOINT).is_file() and file.is_file() and file.read_text() != clips:
        before = file.read_text().split(",")[0]
        raise TrainingError(
            f"{work}: the training clips are not those the run was begun with (then {before}, now "
            f"{job.clips}): a manifest or recordings have changed; put them back, or give another "
            "folder by out=FOLDER"
        )
    with atomic_writer(file) as whole:
        whole.write(clips)


def _monitor(job: Job, folder: Path | None, watch: Watch) -> Monitor:
    """Curves in ``folder``, with what validation clips sound like."""
    from auricle.data.clip import load_clip

    rate_hz, clips = job.model.encoder.sample_rate_hz, job.validation
    if clips is None:
        return Monitor(folder, note=watch.note)
    return Monitor(
        folder,
        recording=lambda index: load_clip(clips.clip(index), rate_hz, AUDIO_S),
        sample_rate_hz=rate_hz,
        note=watch.note,
    )


def _validation(job: Job, monitor: Monitor, watch: Watch) -> Validate:
    config = job.recipe.validation

    def validate(epoch: int, state: State) -> dict[str, float]:
        assert job.validate is not None
        captions = config.captions_every and epoch % config.captions_every == 0
        found = job.validate(search_options(job.recipe) if captions else None, False)
        values = found.values()
        monitor.validation(state.step, found)
        watch.validated(epoch, found, state.improved_by(values, config.monitor))
        return values

    return validate


def _write(job: Job, out: Path, state: State, command: tuple[str, ...], processes: int) -> None:
    """The model folder, with what was measured of it in its card."""
    recipe = job.recipe
    if job.train is None:
        sounds = job.data.sounds  # type: ignore[attr-defined]
        card = unpaired_card(recipe.name, recipe.measured, recipe.training, sounds)
    else:
        chosen = state.best and recipe.validation.select == "best"
        facts = CardFacts(
            recipe=recipe,
            model=job.model,
            command=command,
            train=job.train.sources,
            validation=job.validation.sources if job.validation else (),
            found=job.validate(recipe.decoding, True) if job.validate else None,
            steps=state.step,
            best_epoch=state.best[0].epoch if chosen else None,
            processes=processes,
        )
        card = paired_card(facts)
    bundle = Bundle(
        name=recipe.name,
        model=job.model,
        tokenizer=job.tokenizer,
        embedder=recipe.text_embedder,
        decoding=recipe.decoding,
        card=card,
    )
    save_bundle(out, bundle, getattr(torch, recipe.dtype))


def _both(
    first: Callable[[StepReport], None], second: Callable[[StepReport], None]
) -> Callable[[StepReport], None]:
    def tell(progress: StepReport) -> None:
        first(progress)
        second(progress)

    return tell
