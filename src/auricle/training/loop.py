"""The training loop on accelerate, the same for one process and for many.

The batches of a step are a pure function of the step, and a checkpoint holds everything else, so
a run that is killed continues as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from auricle.errors import AuricleError, MissingDependencyError, TrainingError
from auricle.extras import install_command
from auricle.model.captioner import AudioCaptioner
from auricle.model.teacher_forcing import IGNORE_ID
from auricle.training.batch import Batch, Batches
from auricle.training.checkpoints import Best, State, keep_best, load_best, resume, save
from auricle.training.config import SpecAugmentConfig, TrainingConfig, ValidationConfig
from auricle.training.monitor import UNWATCHED, Clock, TrainingWatch
from auricle.training.objective import Objective
from auricle.training.processes import STEP, end_with_parent, from_all
from auricle.training.schedule import Average, learning_rate

if TYPE_CHECKING:
    from accelerate import Accelerator

PREFETCHED = 4  # steps per worker

Validate = Callable[[int, State], Mapping[str, float]]


def new_accelerator(config: TrainingConfig) -> Accelerator:
    """The processes and the device of a run, as `accelerate launch` or nothing set them up.

    Raises:
        MissingDependencyError: accelerate is not installed.
    """
    try:
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs
    except ImportError as error:
        raise MissingDependencyError(
            f"training needs accelerate: {install_command('train')}"
        ) from error

    limit = InitProcessGroupKwargs(timeout=STEP)
    return Accelerator(mixed_precision="bf16" if config.bf16 else "no", kwargs_handlers=[limit])


def total_steps(config: TrainingConfig, data: Batches) -> int:
    return config.steps or (config.epochs or 0) * data.steps_per_epoch


def train(
    model: AudioCaptioner,
    data: Batches,
    config: TrainingConfig,
    folder: Path,
    *,
    accelerator: Accelerator | None = None,
    augment: SpecAugmentConfig | None = None,
    validation: ValidationConfig | None = None,
    validate: Validate | None = None,
    watch: TrainingWatch = UNWATCHED,
) -> State:
    """Train ``model`` in place, from the checkpoint in ``folder`` if there is one.

    Args:
        validate: called in the main process after epochs ``validation`` chooses, with the epoch
            and the state so far; gives values by name, among them the one monitored.
        watch: told of every step in the main process, and in each of clips that it could not read
            and replaced.

    ``model`` ends in eval mode with the best, the averaged or the last weights.

    Raises:
        TrainingError: the loss is no longer finite, a checkpoint cannot be written or read, or it
            is of another number of processes.
    """
    accelerator = accelerator or new_accelerator(config)
    validation = validation or ValidationConfig()
    world, device = accelerator.num_processes, accelerator.device
    steps, per_epoch = total_steps(config, data), data.steps_per_epoch
    model.to(device).encoder.requires_grad_(config.tune_encoder)
    objective = Objective(model, config, augment, world)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = new_optimiser(model, config)
    wrapped, optimiser = accelerator.prepare(objective, optimiser)
    average = Average(model, steps, config.average_last)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed + accelerator.process_index)
    state = resume(folder, model, optimiser, average, accelerator)
    clock = Clock(state.step, steps, config.batch_size * config.accumulate * world)
    model.train()
    for step, batches in _upcoming(data, state, steps, config, accelerator):
        clock.data_came()
        rate = learning_rate(step, steps, config)
        for group in optimiser.param_groups:
            group["lr"] = rate
        losses = _accumulate(wrapped, batches, accelerator)
        if not all(map(math.isfinite, losses.values())):
            raise TrainingError(
                f"step {step}: the loss is {losses}; lower training.learning_rate (now "
                f"{config.learning_rate:g}), and go on with --resume from the last checkpoint"
            )
        accelerator.clip_grad_norm_(trained, config.clip_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average.add(model, step)
        state.step = step
        clock.step_done()
        if lost := [clip for batch in batches for clip in batch.replaced]:
            watch.note(f"not readable any more, replaced: {', '.join(lost)}")
        epoch = math.ceil(step / per_epoch)
        if accelerator.is_main_process:
            watch.step(clock.report(step, epoch, losses, rate))
        ended = step % per_epoch == 0 or step == steps
        if ended and validate and (epoch % validation.every == 0 or step == steps):
            _judge(validate, epoch, state, model, validation, folder, accelerator)
        if ended or step % config.checkpoint_every == 0 or state.stopped:
            save(folder, state, model, optimiser, average, accelerator)
            clock.skip()
        if state.stopped:
            break
    if state.best and validation.select == "best":
        load_best(folder, model, state.best[0])
    else:
        average.into(model)
    model.eval()
    return state


def new_optimiser(model: AudioCaptioner, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW; matrices and embeddings decay, while biases, norms and other vectors do not.

    A bias is what is called so, as for transformers' Trainer: the Conformer's two position biases
    and BEATs' table of them are. The gains of BatchNorm decayed in the Trainer of the released code
    (4.22), which spared LayerNorm alone; here, as in today's, no gain of a norm does.
    """
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    decayed = [p.ndim >= 2 and "bias" not in name for name, p in trained]
    pairs = list(zip(trained, decayed, strict=True))
    groups = [
        {"params": [p for (_, p), decays in pairs if decays], "weight_decay": config.weight_decay},
        {"params": [p for (_, p), decays in pairs if not decays], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2))


class _Steps(Dataset):
    """The steps of one process, for a loader whose workers prepare them ahead."""

    def __init__(self, data: Batches, rank: int, world: int) -> None:
        self.data, self.rank, self.world = data, rank, world

    def __getitem__(self, step: int) -> Sequence[Batch] | AuricleError:
        """An error is handed over as it is: raised in a worker it would come with a traceback."""
        try:
            return self.data.at(step, self.rank, self.world)
        except AuricleError as error:
            return error


def _upcoming(
    data: Batches, state: State, steps: int, config: TrainingConfig, accelerator: Accelerator
) -> Iterator[tuple[int, list[Batch]]]:
    """The steps still to be done, with their micro-batches on the device."""
    todo = range(state.step + 1, 0 if state.stopped else steps + 1)
    loader = DataLoader(
        _Steps(data, accelerator.process_index, accelerator.num_processes),
        batch_size=None,
        sampler=todo,
        num_workers=config.workers,
        prefetch_factor=PREFETCHED if config.workers else None,
        generator=torch.Generator(),  # a loader draws from it: not from the run's own
        worker_init_fn=end_with_parent,
    )
    for step, batches in zip(todo, loader, strict=True):
        if isinstance(batches, AuricleError):
            raise batches
        yield step, [batch.to(accelerator.device) for batch in batches]


def _accumulate(
    wrapped: nn.Module, batches: Sequence[Batch], accelerator: Accelerator
) -> dict[str, float]:
    """Gradients of all micro-batches of a step; its losses by name, over all processes."""
    tokens = sum((batch.labels != IGNORE_ID).sum() for batch in batches)
    assert isinstance(tokens, Tensor)
    tokens = accelerator.reduce(tokens, "sum")
    sums: dict[str, Tensor] = {}
    for index, batch in enumerate(batches):
        last = index == len(batches) - 1
        with torch.enable_grad() if last else accelerator.no_sync(wrapped):
            losses = wrapped(batch, tokens)
            accelerator.backward(torch.stack(list(losses.values())).sum())
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + loss.detach()
    mean = accelerator.reduce(torch.stack(list(sums.values())), "mean").tolist()
    return dict(zip(sums, mean, strict=True))


def _judge(
    validate: Validate,
    epoch: int,
    state: State,
    model: AudioCaptioner,
    config: ValidationConfig,
    folder: Path,
    accelerator: Accelerator,
) -> None:
    """Validate in the main process; keep the weights if they are good; stop if nothing gets better.

    Validation leaves the random numbers of the run as they were.
    """
    found: dict[str, float] = {}
    if accelerator.is_main_process:
        model.eval()
        with torch.random.fork_rng(), torch.no_grad():
            found = dict(validate(epoch, state))
        model.train()
    found = from_all(found)[0]
    judged = Best.of(found, config.monitor, epoch)
    if judged is None:
        return
    better = state.improved_by(found, config.monitor)
    best = list(state.best)
    if accelerator.is_main_process:
        best = keep_best(folder, model, judged, best, config.keep)
    state.best = tuple(from_all(best)[0])
    state.worse = 0 if better else state.worse + 1
    state.stopped = bool(config.patience) and state.worse >= config.patience
