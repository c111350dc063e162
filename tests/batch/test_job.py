"""Chunks, and those that are tried after a loss."""

from __future__ import annotations

from auricle.batch.items import item_of
from auricle.batch.job import ChunkLost, again, chunk_of, chunks_of

ITEMS = [item_of("file", f"/{n}", f"/{n}") for n in range(8)]


def places(chunks):
    return [[ITEMS.index(one) for one in chunk.items] for chunk in chunks]


def test_the_name_of_a_chunk_is_that_of_its_items():
    assert places(chunks_of(ITEMS, 3)) == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert chunk_of(ITEMS).name == chunk_of(list(ITEMS)).name != chunk_of(ITEMS[1:]).name


def test_a_lost_chunk_is_halved_without_what_is_done():
    assert places(again(ChunkLost(chunk_of(ITEMS), ""), ITEMS[2:])) == [[2, 3, 4], [5, 6, 7]]
    assert again(ChunkLost(chunk_of(ITEMS), ""), []) == []


def test_suspects_are_tried_alone():
    lost = ChunkLost(chunk_of(ITEMS), "", (ITEMS[3].id, ITEMS[0].id))
    assert places(again(lost, ITEMS[1:])) == [[3], [1, 2, 4, 5, 6, 7]]


def test_a_single_item_is_to_blame_at_its_second_loss_alone():
    (first,) = again(ChunkLost(chunk_of(ITEMS[:2]), ""), ITEMS[1:2])
    (second,) = again(ChunkLost(first, ""), ITEMS[1:2])
    assert (first.losses, second.losses) == (0, 1)
    assert again(ChunkLost(second, ""), ITEMS[1:2]) == []
