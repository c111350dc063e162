"""Bounded runs of the fuzzing: every reader meets some damaged inputs, in a process with limits.

Hypothesis chooses the mutations, and finds the fewest that do harm. For a run of any length see
run.py.
"""

from __future__ import annotations

import shutil

import hypothesis
import pytest
from hypothesis import strategies

from tests.fuzz.judge import FINE
from tests.fuzz.process import Process
from tests.fuzz.reader import SHARES, reader

NEEDED = {  # what is optional
    "audio": ("av",),
    "isolated": ("av",),
    "tags": ("mutagen",),
    "subtitles": ("pysubs2",),
    "requests": ("fastapi",),
    "ranges": ("fastapi",),
    "models": ("sentence_transformers",),
}
INPUTS = {"models": 25, "checkpoints": 40, "isolated": 40, "requests": 80, "indexes": 150}
MOST = 300


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARES)
def test_damaged_inputs_are_read_or_refused(name, tmp_path):
    for module in NEEDED.get(name, ()):
        pytest.importorskip(module, reason=f"{module} is not installed")
    found, folder, kinds = reader(name), tmp_path / "case", set()

    @hypothesis.settings(
        max_examples=INPUTS.get(name, MOST),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategies.randoms(use_true_random=False))
    def check(random):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = found.write(random, folder)
        outcome = process.outcome(path)
        kinds.add(outcome.kind)
        assert outcome.kind in FINE, f"{outcome}; the smallest such input lies in {folder}"

    with Process(name) as process:
        check()
    assert "read" in kinds
    assert "refused" in kinds or name in ("ranges", "requests")
