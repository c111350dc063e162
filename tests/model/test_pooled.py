"""The pooled memory of parts equals one that keeps every frame and averages at the end."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from auricle.model.captioner import AudioMemory
from auricle.model.pooled import PooledMemory


def parts_of(lengths, dims=(4,), seed=0):
    """Per part, the memories of models of widths ``dims``, with frames beyond the length."""
    generator = torch.Generator().manual_seed(seed)
    return [
        tuple(
            AudioMemory(
                torch.randn(1, length + 2, dim, generator=generator),
                torch.tensor([length]),
                torch.randn(1, 3, generator=generator) * 5,
            )
            for dim in dims
        )
        for length in lengths
    ]


def averaged(frames, limit):
    """Means of every 1, 2, 4, ... frames, the fewest that leave at most ``limit``."""
    every = 1
    while -(-len(frames) // every) > limit:
        every *= 2
    return torch.stack([piece.mean(dim=0) for piece in frames.split(every)])


@pytest.mark.parametrize("limit", [4, 7, 8, 100])
@pytest.mark.parametrize("lengths", [[1], [3, 3, 3], [5, 1, 8, 2, 13], [7] * 40, [64, 1], [1] * 99])
def test_frames_are_those_of_averaging_all_at_once(lengths, limit):
    parts, pooled = parts_of(lengths, dims=(4, 6)), PooledMemory(limit)
    for part in parts:
        pooled.add(part, 1.0)
    for number, memory in enumerate(pooled.memories()):
        every = torch.cat([p[number].memory[0, : int(p[number].lengths)] for p in parts])
        expected = averaged(every, limit)
        assert memory.lengths.tolist() == [len(expected)]
        assert len(expected) <= limit
        assert torch.allclose(memory.memory[0], expected, atol=1e-5)


def test_parts_count_by_their_seconds():
    parts, pooled = parts_of([2, 2, 2]), PooledMemory(10)
    seconds = [1.0, 10.0, 4.0]
    for part, length_s in zip(parts, seconds, strict=True):
        pooled.add(part, length_s)
    assert pooled.seconds == 15.0
    (memory,) = pooled.memories()
    units = [F.normalize(part[0].embedding[0], dim=0) for part in parts]
    expected = sum(s * unit for s, unit in zip(seconds, units, strict=True)) / 15
    assert torch.allclose(memory.embedding[0], expected, atol=1e-6)


@pytest.mark.parametrize("length", [1, 6, 7])
def test_a_part_of_the_limit_or_less_is_left_as_it_is(length):
    (part,) = parts_of([length])
    pooled = PooledMemory(7)
    pooled.add(part, 2.0)
    (memory,) = pooled.memories()
    assert torch.equal(memory.memory, part[0].memory[:, :length])
    assert torch.allclose(memory.embedding, F.normalize(part[0].embedding, dim=-1))


def test_the_memories_so_far_do_not_change_what_follows():
    parts = parts_of([5, 4, 9, 3])
    asked, silent = PooledMemory(6), PooledMemory(6)
    for part in parts:
        asked.add(part, 1.0)
        asked.memories()
        silent.add(part, 1.0)
    assert torch.equal(asked.memories()[0].memory, silent.memories()[0].memory)


def test_classes_have_their_highest_score_over_the_parts():
    parts = parts_of([3, 5])
    pooled = PooledMemory(8)
    for (memory,), peaks in zip(parts, ([[0.1, 0.9]], [[0.4, 0.2]]), strict=True):
        told = AudioMemory(memory.memory, memory.lengths, memory.embedding, torch.tensor(peaks))
        pooled.add((told,), 1.0)
    other = pooled.copy()
    other.add((told[0:1],), 1.0)
    for one in (pooled, other):
        assert one.memories()[0].peaks.tolist() == [[pytest.approx(0.4), pytest.approx(0.9)]]
