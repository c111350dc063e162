"""Graphs of vectors: what they find, how they grow, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.search import vectors as vectors_module
from auricle.search.graph import read_graph, write_graph
from auricle.search.nearest import nearest
from auricle.search.place import GRAPH
from auricle.search.rows import Described, Indexed, Maker
from auricle.search.sealed import WrongFileError
from auricle.search.store import Index

pytest.importorskip("usearch")
MARK, DIM = b"m" * 16, 32


def vectors(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def test_most_of_the_nearest_are_found(tmp_path):
    ids, rows = np.arange(3, 6003, 2), vectors(3000)
    write_graph(tmp_path / "g", MARK, 1, ids, rows)
    graph = read_graph(tmp_path / "g", MARK, 1)
    for wanted in vectors(20, seed=1).astype(np.float32):
        exact = ids[nearest(rows, wanted, 50)]
        found = graph.nearest(wanted, 50)
        assert found.dtype == np.int64
        assert (np.diff(found) > 0).all()
        assert len(np.intersect1d(found, exact)) >= 48


def test_it_grows_and_shrinks(tmp_path):
    rows = vectors(1000)
    write_graph(tmp_path / "g", MARK, 1, np.arange(900), rows[:900])
    assert read_graph(tmp_path / "g", MARK, 2) is None
    write_graph(tmp_path / "g", MARK, 2, np.arange(100, 1000), rows[100:])
    graph = read_graph(tmp_path / "g", MARK, 2)
    assert graph.nearest(rows[950].astype(np.float32), 1).tolist() == [950]
    assert 50 not in graph.nearest(rows[50].astype(np.float32), 20)
    assert 890 <= len(graph.nearest(rows[50].astype(np.float32), 2000)) <= 900


def test_a_damaged_one_is_refused(tmp_path):
    write_graph(tmp_path / "g", MARK, 1, np.arange(100), vectors(100))
    content = bytearray((tmp_path / "g").read_bytes())
    content[-1] ^= 1
    (tmp_path / "g").write_bytes(content)
    with pytest.raises(WrongFileError):
        read_graph(tmp_path / "g", MARK, 1)
    with pytest.raises(WrongFileError):
        read_graph(tmp_path / "g", b"o" * 16, 1)
    assert read_graph(tmp_path / "none", MARK, 1) is None


@pytest.fixture
def large(tmp_path, monkeypatch):
    """An index of 300 sounds, which is taken for a large one."""
    monkeypatch.setattr(vectors_module, "LARGE", 200)
    with Index(tmp_path, Maker("debug", "d1")) as index:
        for number, row in enumerate(vectors(300)):
            sound = Described(0.0, 1.0, f"sound {number}", vector=row)
            index.add([(Indexed(f"/{number}.wav", 1, 1, f"c{number}"), [sound])])
        index.save_vectors()
    return tmp_path


def test_an_index_has_one_of_its_latest_commit(large):
    with Index(large, Maker("debug", "d1")) as index:
        wanted = index.vectors()[1][7].astype(np.float32)
        assert index.graph().nearest(wanted, 1).tolist() == [8]
        index.remove(["/7.wav"])
        assert index.graph() is None  # every sound is compared until it is saved
        index.save_vectors()
        assert index.graph().nearest(wanted, 1).tolist() != [8]


def test_a_damaged_one_is_told_and_made_again(large):
    path, notes = large / GRAPH, []
    path.write_bytes(path.read_bytes()[:-9])
    with Index(large, None, notes.append) as index:
        assert index.graph() is None
    assert len(notes) == 1
    assert str(path) in notes[0]
    with Index(large, Maker("debug", "d1"), notes.append) as index:
        index.save_vectors()
        assert index.graph()
    assert len(notes) == 2  # the writer, once more


def test_without_usearch_all_are_compared(large, monkeypatch):
    (large / GRAPH).unlink()
    monkeypatch.setattr(vectors_module, "can_make_graphs", lambda: False)
    notes = []
    with Index(large, Maker("debug", "d1"), notes.append) as index:
        index.save_vectors()
        assert index.graph() is None
    assert "[vectors]" in notes[0]
