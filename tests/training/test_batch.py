"""The order of an epoch."""

import numpy as np
import pytest

from auricle.training.batch import batches_per_epoch, epoch_batches

LENGTHS = np.random.default_rng(0).integers(1, 1000, 1000)


@pytest.mark.parametrize(("clips", "batch_size"), [(1000, 8), (1000, 7), (100, 8), (8, 8), (9, 8)])
def test_all_full_batches_are_used_and_no_clip_twice(clips, batch_size):
    batches = epoch_batches(LENGTHS[:clips], batch_size, seed=1, epoch=0)
    assert len(batches) == batches_per_epoch(clips, batch_size) == clips // batch_size
    assert {len(batch) for batch in batches} == {batch_size}
    used = np.concatenate(batches)
    assert len(np.unique(used)) == len(used)
    assert set(used) <= set(range(clips))


@pytest.mark.parametrize("clips", [1, 2, 5])
def test_fewer_clips_than_a_batch_are_one_batch(clips):
    (batch,) = epoch_batches(LENGTHS[:clips], 8, seed=1, epoch=0)
    assert sorted(batch) == list(range(clips))
    assert batches_per_epoch(clips, 8) == 1


def test_no_clips_make_no_batches():
    assert epoch_batches(LENGTHS[:0], 8, seed=1, epoch=0) == []
    assert batches_per_epoch(0, 8) == 0


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(LENGTHS, 8, seed, epoch)).tolist()

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_what_is_left_out_changes_with_the_epoch():
    left = [
        frozenset(range(1000)) - set(np.concatenate(epoch_batches(LENGTHS, 33, 1, epoch)).tolist())
        for epoch in range(4)
    ]
    assert {len(clips) for clips in left} == {10}
    assert len(set(left)) == 4


def test_batches_hold_clips_of_about_one_length_in_shuffled_order():
    def padding(batches: list[np.ndarray]) -> float:
        padded = sum(LENGTHS[batch].max() * len(batch) for batch in batches)
        return 1 - sum(LENGTHS[batch].sum() for batch in batches) / padded

    bucketed = epoch_batches(LENGTHS, 8, seed=1, epoch=0)
    assert padding(bucketed) < 0.12 < 0.4 < padding(epoch_batches(LENGTHS, 8, 1, 0, bucket=1))
    means = [LENGTHS[batch].mean() for batch in bucketed]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_whole_pools_come_first_as_the_shipped_model_saw_them():
    """Written out as the shipped model's order was first made: pools alone, sorted in Python."""
    batch_size, pool = 8, 12 * 8
    rng = np.random.default_rng((3, 0, 2))
    order = rng.permutation(len(LENGTHS))
    batches: list[np.ndarray] = []
    for start in range(0, len(order) - pool + 1, pool):
        by_length = sorted(order[start : start + pool], key=lambda i: LENGTHS[i])
        batches += np.split(np.array(by_length), 12)
    expected = [batches[i].tolist() for i in rng.permutation(len(batches))]
    found = [batch.tolist() for batch in epoch_batches(LENGTHS, batch_size, seed=3, epoch=2)]
    assert len(expected) == 120 < len(found) == 125
    assert found[:120] == expected
