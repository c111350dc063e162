"""The stages of Ray where a cluster has GPUs; here it only says so."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from auricle.batch import ray_engine
from auricle.batch.local import run_local
from auricle.batch.run import run_batch
from tests.helpers.batches import items_in, job_in, rows_in


@pytest.mark.slow
def test_actors_with_gpus_are_given_decoded_sounds(recordings, tmp_path, monkeypatch):
    module = pytest.importorskip("ray", reason="needs the extra ray")
    module.shutdown()  # what other tests have
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # of which torch finds none
    module.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    plans, planned = [], ray_engine._Stages._dataset
    monkeypatch.setattr(
        ray_engine._Stages,
        "_dataset",
        lambda *given: plans.append(repr(found := planned(*given))) or found,
    )
    try:
        decoders = partial(ray_engine.run_ray, workers=1)
        items = items_in(recordings)
        job = replace(job_in(tmp_path / "ray"), device="auto")
        summary = run_batch(job, items, decoders, chunk=2)
    finally:
        module.shutdown()
    assert [plan.count("MapBatches") for plan in plans] == [2]  # decode, hear
    assert (summary.done, summary.failed) == (4, {"audio": 1})
    run_batch(job_in(tmp_path / "local"), items, partial(run_local, workers=1), chunk=2)
    by_name = [{row["audio"]: row for row in rows_in(tmp_path / one)} for one in ("ray", "local")]
    assert by_name[0] == by_name[1]
