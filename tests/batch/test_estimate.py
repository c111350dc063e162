"""Estimates of batches: where the sample is done."""

from __future__ import annotations

import os

import pytest

from auricle.batch.estimate import estimate
from auricle.batch.run import BatchWatch
from auricle.errors import OutputError
from tests.helpers.scripted_task import scripted, scripted_job


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    job = scripted_job(tmp_path / "out")
    with pytest.raises(OutputError, match=r"out: no folder around it can be written"):
        estimate(job, [], scripted(), 1, BatchWatch())
