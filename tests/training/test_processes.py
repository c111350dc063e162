"""Shares of processes, and runs whose processes do not fit together."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from auricle.data.keys import text_key
from auricle.errors import TrainingError
from auricle.training import run
from auricle.training.processes import Share, from_all, main_first, told_if_lost
from auricle.training.run import _one_cache


def test_every_key_falls_into_one_share() -> None:
    shares = [Share(rank, 3) for rank in range(3)]
    owners = [[share.has(text_key(str(n))) for share in shares] for n in range(300)]
    assert all(sum(owner) == 1 for owner in owners)
    assert min(Counter(owner.index(True) for owner in owners).values()) > 60


def test_shares_begin_at_different_places() -> None:
    assert [Share(rank, 4).first(10) for rank in range(4)] == [0, 2, 5, 7]
    assert [Share(rank, 4).main for rank in range(4)] == [True, False, False, False]


def test_one_process_waits_for_none() -> None:
    assert Share.ours() == Share()
    assert from_all("clips") == ["clips"]
    with main_first():
        pass


def test_an_error_of_one_process_is_not_taken_for_a_loss() -> None:
    with pytest.raises(RuntimeError, match="connection closed"), told_if_lost():
        raise RuntimeError("connection closed")


def test_processes_with_different_clips_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    job = SimpleNamespace(clips="12 clips, ab")
    monkeypatch.setattr(run, "from_all", lambda clips: [clips, "11 clips, cd"])
    with pytest.raises(TrainingError, match=r"\(12 clips, 11 clips\): give all machines the same"):
        _one_cache(job)  # type: ignore[arg-type]
    monkeypatch.setattr(run, "from_all", lambda clips: [clips, clips])
    _one_cache(job)  # type: ignore[arg-type]
