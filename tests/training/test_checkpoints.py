"""Checkpoints that are damaged, or of something else, end in one line."""

from types import SimpleNamespace

import pytest
import torch

from auricle.errors import TrainingError
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.training.checkpoints import CHECKPOINT, Best, State, load_best, resume, trained_state
from auricle.training.schedule import Average

ACCELERATOR = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def model():
    return AudioCaptioner(debug_config())


@pytest.fixture
def run(tmp_path, model):
    """The content of a checkpoint, and a function that resumes from another content."""
    optimiser = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    content = {
        "model": trained_state(model),
        "optimiser": optimiser.state_dict(),
        "average": {},
        "averaged": 0,
        "state": {"step": 3, "best": [{"value": 1.0, "epoch": 1}], "worse": 0, "stopped": False},
        "random": [{"cpu": torch.get_rng_state()}],
    }

    def resumed(content):
        if isinstance(content, bytes):
            (tmp_path / CHECKPOINT).write_bytes(content)
        else:
            torch.save(content, tmp_path / CHECKPOINT)
        average = Average(model, 0, 0)
        return resume(tmp_path, model, optimiser, average, ACCELERATOR)

    return SimpleNamespace(content=content, resumed=resumed)


def test_a_whole_checkpoint_is_resumed(run):
    assert run.resumed(run.content) == State(3, (Best(1.0, 1),))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {}},
        {"model": 3},
        {"model": {"a": torch.zeros(1)}},
        {"optimiser": {}},
        {"optimiser": {"state": {}, "param_groups": []}},
        {"average": None},
        {"random": []},
        {"random": 3},
        {"random": [{}]},
        {"random": [{"cpu": torch.zeros(3)}]},
        {"state": {"step": "x", "best": []}},
        {"state": {"step": -1, "best": []}},
        {"state": {"step": 1, "best": [{"value": 1.0, "epoch": "../../x"}]}},
        {"state": {"steps": 1, "best": []}},
        {"state": None},
    ],
)
def test_a_checkpoint_of_something_else_is_named(run, changes):
    with pytest.raises(TrainingError) as caught:
        run.resumed(run.content | changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["model", "optimiser", "average", "averaged", "state", "random"])
def test_a_checkpoint_that_lacks_something_is_named(run, key):
    del run.content[key]
    with pytest.raises(TrainingError, match=rf"not a checkpoint of such a run .*{key}"):
        run.resumed(run.content)


@pytest.mark.parametrize("content", [b"", b"junk", bytes(1000), [], 3])
def test_a_file_that_is_no_checkpoint_is_named(run, content):
    with pytest.raises(TrainingError, match=r"checkpoint\.pt.*delete it to begin anew") as caught:
        run.resumed(content)
    assert "\n" not in str(caught.value)


def test_best_weights_that_are_damaged_are_named(tmp_path, model):
    best = Best(1.0, 7)
    with pytest.raises(TrainingError, match=r"best-epoch0007\.pt"):
        load_best(tmp_path, model, best)
    (tmp_path / best.name).write_bytes(b"junk")
    with pytest.raises(TrainingError, match=r"best-epoch0007\.pt"):
        load_best(tmp_path, model, best)
