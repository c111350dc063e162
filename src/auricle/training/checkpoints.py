"""Checkpoints: the whole state of a run in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from auricle.errors import TrainingError
from auricle.model.captioner import AudioCaptioner
from auricle.training.average import Average
from auricle.training.best import Best, remove_others
from auricle.training.files import write_whole
from auricle.training.weights import load_trained, trained_state

if TYPE_CHECKING:
    from accelerate import Accelerator

CHECKPOINT = "checkpoint.pt"


@dataclass
class State:
    """What the loop remembers beside weights and optimiser."""

    step: int = 0
    best: tuple[Best, ...] = ()
    worse: int = 0  # validations since the best one
    stopped: bool = False

    def improved_by(self, values: Mapping[str, float], monitor: str) -> bool:
        """Whether ``values`` measure what is monitored, and it is better than ever."""
        found = Best.of(values, monitor, 0)
        return found is not None and (not self.best or found.value < self.best[0].value)


def save(
    folder: Path,
    state: State,
    model: AudioCaptioner,
    optimiser: Any,
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
        write_whole(folder / CHECKPOINT, content)
        remove_others(folder, list(state.best))
    accelerator.wait_for_everyone()


def resume(
    folder: Path,
    model: AudioCaptioner,
    optimiser: Any,
    average: Average,
    accelerator: Accelerator,
) -> State:
    """Put everything back as the checkpoint of ``folder`` has it; a new state if there is none.

    Raises:
        TrainingError: it cannot be read, or is of another number of processes.
    """
    saved = _read(folder / CHECKPOINT)
    if saved is None:
        return State()
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
    kept = saved["state"]
    return State(**{**kept, "best": tuple(Best(**best) for best in kept["best"])})


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler does
        raise TrainingError(
            f"{path}: not a checkpoint that can be read ({error}); delete it to begin anew"
        ) from error
