"""Dry runs: a recipe checked, and what a run of it would take, measured on a few of its steps."""

from __future__ import annotations

import resource
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from auricle.model.teacher_forcing import IGNORE_ID
from auricle.training.batch import Batch
from auricle.training.examples import Examples
from auricle.training.job import Job, Prepare
from auricle.training.loop import new_accelerator, new_optimiser, total_steps
from auricle.training.monitor import UNWATCHED, TrainingWatch
from auricle.training.objective import Objective
from auricle.training.paired_job import paired_job
from auricle.training.recipe import load_recipe

if TYPE_CHECKING:
    from accelerate import Accelerator

STEPS = 4  # measured; the longest batch, which also warms caches, goes before them
FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Cost:
    """Seconds of encoding and of the rest of a step, and its peak memory in bytes."""

    encode_s: float
    step_s: float
    memory: int
    losses: dict[str, float]


def dry_run(
    path: str | Path,
    changes: Sequence[str] = (),
    *,
    prepare: Prepare = paired_job,
    watch: TrainingWatch = UNWATCHED,
) -> Iterator[tuple[str, str]]:
    """(subject, what was found) for everything a run needs, in the order it is needed.

    Clips are heard and captions embedded as the run will do it. Nothing is written, but for what
    training without paired recordings prepares, which the run then finds.

    Raises:
        AuricleError: what would end the run, in the same words.
    """
    recipe = load_recipe(path, changes)
    yield "recipe", f"{recipe.name}: {path} -> {recipe.out}"
    accelerator = new_accelerator(recipe.training)
    job = prepare(recipe, accelerator, watch, live=True)
    yield "model", _model(job)
    for name, examples in job.examples.items():
        yield name, _examples(examples)
    training, steps = recipe.training, total_steps(recipe.training, job.data)
    yield (
        "batches",
        f"{training.batch_size} clips x {training.accumulate} micro-batches x "
        f"{accelerator.num_processes} processes; {job.data.steps_per_epoch} steps an epoch",
    )
    cost = _measure(job, accelerator)
    yield "losses", "  ".join(f"{name} {loss:.3f}" for name, loss in cost.losses.items())
    yield "memory", f"{cost.memory / 2**30:.2f} GB at the peak, on {accelerator.device}, measured"
    yield "disk", _disk(job)
    if recipe.data is not None and recipe.data.features == "cached":
        yield "features", _features(job, cost)
    else:
        cost = replace(cost, step_s=cost.step_s + cost.encode_s)
    if (preference := training.preference) and preference.weight:
        yield (
            "preference",
            f"{preference.candidates} candidates of each clip are sampled before the run and ranked"
            f" by {preference.reward}; their time is not counted",
        )
    yield (
        "time",
        f"{cost.step_s:.2f} s a step, measured; {steps} steps: {_hours(steps * cost.step_s)}, "
        "validation not counted",
    )


def _measure(job: Job, accelerator: Accelerator) -> Cost:
    """A few steps of real batches on the job's model, which they change."""
    config, device = job.recipe.training, accelerator.device
    process = accelerator.process_index, accelerator.num_processes
    job.model.to(device).encoder.requires_grad_(config.tune_encoder)
    objective = Objective(job.model, config, job.recipe.augment)
    optimiser = new_optimiser(job.model, config)
    job.model.train()
    encode_s = step_s = 0.0
    for step in range(STEPS + 1):
        batches = [batch.to(device) for batch in job.data.at(max(1, step), *process)]
        if step == 0:
            batches = [_longest(batch, job) for batch in batches]
        tokens = torch.stack([(batch.labels != IGNORE_ID).sum() for batch in batches]).sum()
        start = _now(device)
        ready = [_encoded(batch, objective) for batch in batches]
        encoded = _now(device)
        sums: Counter[str] = Counter()
        for batch in ready:
            with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
                losses = objective(batch, tokens)
            torch.stack(list(losses.values())).sum().backward()
            sums.update({name: loss.item() for name, loss in losses.items()})
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step:
            encode_s += (encoded - start) / STEPS
            step_s += (_now(device) - encoded) / STEPS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(device)
    return Cost(encode_s, step_s, memory, dict(sums))


def _longest(batch: Batch, job: Job) -> Batch:
    """``batch`` as long as the longest clip makes one, which decides how much memory is needed."""
    if not job.examples:
        return batch
    longest_s = float(job.examples["training"].seconds.max())
    samples = round(longest_s * job.model.encoder.sample_rate_hz)
    padded = F.pad(batch.audio, (0, max(0, samples - batch.audio.shape[1])))
    return replace(batch, audio=padded, lengths=torch.full_like(batch.lengths, padded.shape[1]))


def _encoded(batch: Batch, objective: Objective) -> Batch:
    """Waveforms through the encoder, unless the step does that itself with something learned or
    masked in it."""
    within = objective.augment.place == "fbank" or objective.config.tune_encoder
    if batch.audio.ndim == 3 or within:
        return batch
    features, lengths = objective.model.features(batch.audio, batch.lengths)
    return replace(batch, audio=features, lengths=lengths)


def _model(job: Job) -> str:
    trained = sum(p.numel() for name, p in _trained(job))
    whole = sum(p.numel() for p in job.model.parameters())
    start = f", from {job.recipe.start}" if job.recipe.start else ""
    return f"{whole / 1e6:.1f} M parameters, {trained / 1e6:.1f} M of them trained{start}"


def _trained(job: Job) -> list[tuple[str, torch.nn.Parameter]]:
    tuned = job.recipe.training.tune_encoder
    named = job.model.named_parameters()
    return [(name, p) for name, p in named if tuned or not name.startswith("encoder.")]


def _examples(examples: Examples) -> str:
    hours = float(examples.seconds.sum(dtype="float64")) / 3600
    captions = sum(1 for _ in examples.captions())
    skipped = ", ".join(f"{reason}: {count}" for reason, count in examples.skipped.most_common())
    text = f"{len(examples)} clips, {hours:.2f} h, {captions} captions"
    return f"{text}; skipped {skipped}" if skipped else text


def _disk(job: Job) -> str:
    """Room for checkpoints (weights and AdamW's two moments), best weights and the result."""
    trained = FLOAT32 * sum(p.numel() for _, p in _trained(job))
    whole = FLOAT32 * sum(p.numel() for p in job.model.parameters())
    needed = 2 * 3 * trained + (job.recipe.validation.keep + 1) * trained + whole
    folder = Path(job.recipe.out)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    short = "" if free > needed else ": TOO LITTLE, make room"
    return f"{needed / 2**30:.2f} GB needed at most, {free / 2**30:.0f} GB free{short}"


def _features(job: Job, cost: Cost) -> str:
    seconds = sum(float(part.seconds.sum(dtype="float64")) for part in job.examples.values())
    clips = job.recipe.training.batch_size * job.recipe.training.accumulate
    heard_s = clips * float(job.examples["training"].seconds.mean())
    size = seconds * job.model.encoder.frame_rate_hz * job.model.encoder.dim * 2  # float16
    return (
        f"about {_hours(seconds * cost.encode_s / heard_s)} to compute once, where not in the cache"
        f" yet; {size / 2**30:.2f} GB"
    )


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
