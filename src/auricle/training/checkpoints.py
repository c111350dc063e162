"""Checkpoints: the whole state of a run in one file, and the best weights beside it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from auricle.errors import ModelError, TrainingError, in_one_line
from auricle.files import atomic_bytes
from auricle.model.captioner import AudioCaptioner
from auricle.model.weights import read_pickle
from auricle.training.schedule import Average

if TYPE_CHECKING:
    from accelerate import Accelerator

CHECKPOINT = "checkpoint.pt"
HIGHER_IS_BETTER = ("accuracy", "cider_d", "recall")


@dataclass(frozen=True)
class Best:
    """Weights that were best at an epoch: their file's name and the value monitored, best first
    when sorted (a loss as it is, other values negated)."""

    value: float
    epoch: int

    @classmethod
    def of(cls, values: Mapping[str, float], monitor: str, epoch: int) -> Best | None:
        """The monitored value among ``values``; None if it was not measured."""
        if monitor not in values:
            return None
        return cls(-values[monitor] if monitor in HIGHER_IS_BETTER else values[monitor], epoch)

    @property
    def name(self) -> str:
        return f"best-epoch{self.epoch:04d}.pt"


@dataclass
class State:
    """State of the loop beside weights and optimiser."""

    step: int = 0
    best: tuple[Best, ...] = ()
    worse: int = 0  # validations since the best one
    stopped: bool = False

    def improved_by(self, values: Mapping[str, float], monitor: str) -> bool:
        """Whether ``values`` hold a new best of the monitored value."""
        found = Best.of(values, monitor, 0)
        return found is not None and (not self.best or found.value < self.best[0].value)


def save(
    folder: Path,
    state: State,
    model: AudioCaptioner,
    optimiser: torch.optim.Optimizer,
    average: Average,
    accelerator: Accelerator,
) -> None:
    """Write the checkpoint of ``folder`` whole or not at all: the previous one stands until then.

    Raises:
        TrainingError: it cannot be written; the disk is full, for example.
    """
    from accelerate.utils import gather_object

    random = {"cpu": torch.get_rng_state()}
    if accelerator.device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(accelerator.device)
    randoms = gather_object([random])
    if accelerator.is_main_process:
        content = {
            "model": trained_state(model),
            "optimiser": optimiser.state_dict(),
            "average": average.weights,
            "averaged": average.steps,
            "state": {**asdict(state), "best": [asdict(best) for best in state.best]},
            "random": randoms,
        }
        _write(folder / CHECKPOINT, content)
        _remove_others(folder, state)
    accelerator.wait_for_everyone()


def resume(
    folder: Path,
    model: AudioCaptioner,
    optimiser: torch.optim.Optimizer,
    average: Average,
    accelerator: Accelerator,
) -> State:
    """Put everything back as the checkpoint of ``folder`` has it; a new state if there is none.

    Raises:
        TrainingError: it cannot be read, or is of another number of processes.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return State()
    saved = _read(path)
    try:
        randoms = saved["random"]
        if len(randoms) != accelerator.num_processes:
            raise TrainingError(
                f"{folder}: the run was begun with {len(randoms)} processes, not "
                f"{accelerator.num_processes}; go on with as many, since batches depend on it"
            )
        load_trained(model, saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        average.weights = {k: v.to(accelerator.device) for k, v in saved["average"].items()}
        average.steps = saved["averaged"]
        random = randoms[accelerator.process_index]
        torch.set_rng_state(random["cpu"])
        if "cuda" in random and accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(random["cuda"], accelerator.device)
        return _state(saved["state"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{path}: not a checkpoint of such a run ({in_one_line(error)}); delete it to begin "
            "anew"
        ) from error


def _state(kept: Any) -> State:
    state = State(**{**kept, "best": tuple(Best(**best) for best in kept["best"])})
    numbers = (state.step, state.worse, *(best.epoch for best in state.best))
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ValueError(f"counts {numbers}")
    return state


def keep_best(
    folder: Path, model: AudioCaptioner, found: Best, best: list[Best], keep: int
) -> list[Best]:
    """Write ``model``'s weights if ``found`` is among the ``keep`` best; the best ones, in order.

    The files of others are removed by `save`, once the checkpoint knows of it.
    """
    ranked = sorted([b for b in best if b != found] + [found], key=lambda b: (b.value, b.epoch))
    if found in ranked[:keep]:
        _write(folder / found.name, trained_state(model))
    return ranked[:keep]


def load_best(folder: Path, model: AudioCaptioner, best: Best) -> None:
    load_trained(model, _read(folder / best.name))


def trained_state(model: AudioCaptioner) -> dict[str, Tensor]:
    """The tensors a run changes: all, or all but a frozen encoder's."""
    tuned = any(p.requires_grad for p in model.encoder.parameters())
    return {
        key: tensor
        for key, tensor in model.state_dict().items()
        if tuned or not key.startswith("encoder.")
    }


def load_trained(model: AudioCaptioner, state: Mapping[str, Tensor]) -> None:
    """Put what `trained_state` gave back into ``model``.

    Raises TrainingError: it is of another model.
    """
    expected = trained_state(model)
    shapes = {key: getattr(tensor, "shape", None) for key, tensor in state.items()}
    if shapes != {key: tensor.shape for key, tensor in expected.items()}:
        raise TrainingError("these weights are of another model than the recipe's; use its own")
    model.load_state_dict(dict(state), strict=False)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Save tensors and plain values; whatever happens, what ``path`` held before stands."""
    try:
        with atomic_bytes(path) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError
        free = shutil.disk_usage(path.parent).free / 2**20
        detail = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise TrainingError(
            f"{path}: cannot be written ({detail}; {free:.0f} MB are free); make room and go on"
            " with --resume, from the checkpoint before it"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_pickle(path)
    except ModelError as error:
        raise TrainingError(
            f"not a checkpoint that can be read: {error}; delete it to begin anew"
        ) from error
    if not isinstance(content, dict):
        raise TrainingError(
            f"{path}: not a checkpoint but a {type(content).__name__}; delete it to begin anew"
        )
    return content


def _remove_others(folder: Path, state: State) -> None:
    """Delete weights that are no longer among the best, and what a kill left half written."""
    kept = {best.name for best in state.best}
    for path in [*folder.glob("best-epoch*.pt"), *folder.glob(".*.pt.*")]:
        if path.name not in kept:
            path.unlink(missing_ok=True)
