"""A small run over mutated model folders; its own process, because it forks."""

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT


@pytest.mark.slow
def test_no_mutated_folder_ends_in_more_than_an_error_of_ours():
    program = [sys.executable, ROOT / "benchmarks" / "hostile" / "models.py", "--count", "40"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "code executed 0" in done.stdout
