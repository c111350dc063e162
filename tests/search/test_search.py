"""The library over a small index."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import auricle
from auricle.errors import DataError, QueryError
from auricle.hub.ensemble import load_text_sides
from auricle.search import search as library_module
from auricle.search.evaluate import evaluate, read_queries
from auricle.search.rows import Described, Indexed, Maker
from auricle.search.search import Library
from auricle.search.store import Index
from tests.helpers.skips import skipped_if_missing
from tests.helpers.small_index import small_index


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    return small_index(tmp_path / "index", monkeypatch)


@pytest.fixture
def library(folder):
    with Library(folder) as opened:
        yield opened


def names(results) -> list[str]:
    return [Path(one.audio).name for one in results]


def test_words_find_what_sounds_so_and_what_is_called_so(library):
    assert names(library.search("rain"))[0] == "shower.wav"
    assert names(library.search("rain", 2)) == ["shower.wav", "storm.wav"]
    assert names(library.search("metal gate"))[0] == "MetalGate02.wav"
    best = library.search("rain")[0]
    assert (best.caption, best.words, best.score) == (
        "rain falls",
        1.0,
        pytest.approx(1.0, abs=0.02),
    )
    assert 0.9 < best.similarity <= 1.0
    assert best.likeness is None


def test_what_is_not_wanted_is_left_out(library):
    assert "storm.wav" in names(library.search("rain"))
    assert "storm.wav" not in names(library.search("rain without thunder"))
    assert "storm.wav" not in names(library.search("rain", exclude="thunder"))
    assert "storm.wav" in names(library.search("rain", exclude=["a siren"]))


def test_a_recording_is_found_once_with_its_places_and_copies(library):
    found = {Path(one.audio).name: one for one in library.search("dog")}
    assert (found["rex.wav"].copies, "rex copy.wav" in found) == (("/c/rex copy.wav",), False)
    walk = found["walk.wav"]
    assert (walk.start_s, walk.end_s, walk.caption) == (30.0, 40.0, "a dog barks far away")
    assert walk.others == ((60.0, 70.0), (0.0, 10.0))
    assert walk.duration_s == 90.0


def test_likeness_alone_and_with_words(library):
    dog = library.search("dog")[0]
    like = library.search(like=dog.id)
    assert dog.id not in [one.id for one in like]
    assert (names(like)[0], like[0].similarity, like[0].words) == ("rex copy.wav", None, None)
    assert like[0].likeness == pytest.approx(1.0, abs=1e-3)
    both = library.search("rain", like=dog.id)
    assert both[0].similarity is not None
    assert both[0].likeness is not None
    with pytest.raises(DataError, match="like=99: no sound of the index"):
        library.search(like=99)


def test_filters(library):
    assert {Path(one.audio).parent.name for one in library.search("rain", folder="/b")} == {"b"}
    assert names(library.search("dog", min_duration_s=60)) == ["walk.wav"]
    assert library.search("dog", folder="/nowhere") == []


def test_fewer_results_are_the_first_of_more_and_always_the_same(library):
    ten = library.search("a dog in the rain", 10)
    assert library.search("a dog in the rain", 10) == ten
    assert library.search("a dog in the rain", 2) == ten[:2]


def test_silence_is_found_by_its_name_alone(folder):
    with Index(folder, Maker("debug", "d1")) as index:
        silent = Described(0.0, 1.0, "no recognisable sound")
        index.add([(Indexed("/z/zebra.wav", 1, 1, "zebra", 1.0, "WAV"), [silent])])
    with Library(folder) as library:
        (found,) = [one for one in library.search("zebra", 20) if one.content == "zebra"]
        assert (found.similarity, found.words) == (None, 1.0)


def test_an_index_of_another_model_is_refused(library, monkeypatch):
    monkeypatch.setattr(library_module, "model_digest", lambda name: "d2")
    with pytest.raises(DataError, match=r"made by debug, which is another model now; .*--rebuild"):
        library.search("rain")


def test_no_index(tmp_path):
    with pytest.raises(DataError, match="no index there; make one: auricle index FOLDER"):
        auricle.Library(tmp_path)


def test_queries_are_evaluated_against_the_index(library, tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text(
        '{"query": "rain", "audio": "shower.wav"}\n'
        '{"query": "a dog barks", "audio": ["/b/rex.wav", "walk.wav"]}\n'
        '{"query": "tick tock", "audio": "rex.wav"}\n'
    )
    fused, embedding, words = evaluate(library, list(read_queries(path, library)))
    assert (fused.way, embedding.way, words.way) == ("fused", "embedding", "words (BM25)")
    assert fused.firsts[:2] == (1, 1)
    assert fused.recall[1].value == pytest.approx(2 / 3)
    assert words.firsts == (1, 1, 0)
    assert words.mean_average_precision.value == pytest.approx(2 / 3)
    assert fused.recall[10].low < fused.recall[10].value


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"query": "rain"}', ":1: has query; it needs query, a text, and audio"),
        ('{"query": "rain", "audio": "x.wav"}', ":1: x.wav: not in the index"),
        ('{"query": "", "audio": "shower.wav"}', ":1: an empty query"),
    ],
)
def test_rows_that_are_no_queries_of_this_index(library, tmp_path, row, message):
    path = tmp_path / "queries.jsonl"
    path.write_text(row + "\n")
    with pytest.raises(DataError, match=message):
        list(read_queries(path, library))


def test_nothing_asked_for(library):
    with pytest.raises(QueryError, match="an empty query"):
        library.search("")
    with pytest.raises(ValueError, match="limit=0"):
        library.search("rain", 0)


def test_the_text_side_alone_gives_the_vectors_of_the_whole_model():
    from auricle.decoding.joint_space import text_vectors

    with skipped_if_missing():
        sides = load_text_sides("tiny")
        whole = auricle.load("tiny", "cpu").embed_text(["a dog barks"])
    assert torch.equal(text_vectors(sides, ["a dog barks"]), whole)
