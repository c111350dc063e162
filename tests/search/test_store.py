"""The store of an index: sounds, full text, vectors; and files that are none or are damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from auricle.errors import DataError
from auricle.search.place import MATRIX, NAME, erase
from auricle.search.rows import Described, Indexed, Maker, name_words
from auricle.search.store import Index

MAKER = Maker("debug", "abcdef0123456789")
DIM = 8


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def file(audio: str, content: str = "c1", **more) -> Indexed:
    return Indexed(audio, 10, 2**62, content, **{"duration_s": 4.0, "format": "wav", **more})


def told(caption: str, seed: int = 0, **more) -> Described:
    return Described(0.0, 4.0, caption, vector=unit(seed), **more)


@pytest.fixture
def folder(tmp_path):
    """An index of a dog, a bell (with a segment), and a file without sound."""
    with Index(tmp_path / "index", MAKER) as index:
        index.add(
            [
                (
                    file("/a/Dog_Barks01.wav"),
                    [told("a dog barks", 1, tags=("Dog", "Bark"), confidence=0.5, score=1.5)],
                ),
                (
                    file("/a/b/bells.flac", "c2", format="flac", duration_s=60.0),
                    [
                        Described(0.0, 60.0, "bells ring", vector=unit(2)),
                        Described(3.0, 5.0, "a bell", vector=unit(3), segment=True),
                    ],
                ),
            ]
        )
        index.add([(file("/a2/broken.wav", "c3", reason="no sound", duration_s=0.0), [])])
    return tmp_path / "index"


def test_sounds_are_read_as_they_were_written(folder):
    with Index(folder) as index:
        dog, bells, bell = index.sounds()
        assert (dog.id, dog.audio, dog.caption) == (1, "/a/Dog_Barks01.wav", "a dog barks")
        assert (dog.tags, dog.confidence, dog.score) == (("Dog", "Bark"), 0.5, 1.5)
        assert (dog.duration_s, dog.format, dog.content, dog.segment) == (4.0, "wav", "c1", False)
        assert (bell.start_s, bell.end_s, bell.duration_s, bell.segment) == (3.0, 5.0, 60.0, True)
        assert (bells.confidence, bells.tags) == (None, ())
        assert [one.id for one in index.sounds([3, 99, 1])] == [3, 1]
        assert [one.reason for one in index.files()] == ["", "", "no sound"]
        assert (index.model, index.digest, index.dim) == (*MAKER, DIM)


def test_more_sounds_than_one_query_asks_for(tmp_path):
    with Index(tmp_path, MAKER) as index:
        index.add([(file(f"/{n:04}.wav", str(n)), [told(f"sound {n}", n)]) for n in range(1100)])
        assert [one.caption for one in index.sounds()] == [f"sound {n}" for n in range(1100)]
        assert [one.id for one in index.sounds(range(1100, 0, -1))] == list(range(1100, 0, -1))


def test_vectors_are_the_matrix_of_the_ids(folder):
    with Index(folder) as index:
        ids, rows = index.vectors()
        assert (ids.dtype, ids.tolist()) == (np.int64, [1, 2, 3])
        assert rows.dtype == np.float16
        np.testing.assert_allclose(rows, [unit(seed) for seed in (1, 2, 3)], atol=1e-3)


def test_silence_has_no_vector(folder):
    with Index(folder, MAKER) as index:
        index.add([(file("/a/silent.wav", "c4"), [Described(0.0, 4.0, "no recognisable sound")])])
        assert len([*index.sounds()]) == 4
        assert index.vectors()[0].tolist() == [1, 2, 3]


def test_a_reader_sees_what_a_writer_has_committed(folder):
    with Index(folder, MAKER) as writer, Index(folder) as reader:
        before = reader.vectors()
        assert reader.vectors()[1] is before[1]
        writer.add([(file("/new.wav", "c9"), [told("rain", 9)])])
        ids, rows = reader.vectors()
        assert ids.tolist() == [1, 2, 3, 4]
        np.testing.assert_allclose(rows[3], unit(9), atol=1e-3)
        writer.remove(["/a/Dog_Barks01.wav"])
        assert reader.vectors()[0].tolist() == [2, 3, 4]
        assert before[0].tolist() == [1, 2, 3]  # a query that is under way keeps its own


@pytest.mark.parametrize("damage", ["missing", "torn", "changed", "other", "empty", "lengthened"])
def test_a_matrix_that_does_not_fit_is_made_again(folder, tmp_path, damage):
    with Index(folder) as index:
        expected = np.array(index.vectors()[1])
    path, notes = folder / MATRIX, []
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        with Index(tmp_path / "other", MAKER) as other:
            other.add([(file("/a.wav"), [told("x", seed)]) for seed in range(3)])
            other.vectors()
        path.write_bytes((tmp_path / "other" / MATRIX).read_bytes())
    else:
        changed = content[:-1] + bytes([content[-1] ^ 1])
        wrong = {
            "torn": content[:-5],
            "changed": changed,
            "empty": b"",
            "lengthened": content + b"1",
        }
        path.write_bytes(wrong[damage])
    with Index(folder, on_note=notes.append) as index:
        np.testing.assert_array_equal(index.vectors()[1], expected)
    assert path.read_bytes() == content
    assert len(notes) == (damage != "missing")
    assert all(str(path) in note and "made again" in note for note in notes)


def test_full_text_finds_captions_tags_and_names_with_the_best_first(folder):
    with Index(folder) as index:
        (first, score), (second, less) = index.text_ranks("bell", 10)
        assert {first, second} == {2, 3}
        assert score >= less > 0
        assert [one for one, _ in index.text_ranks("bark", 10)] == [1]  # caption: barks; its stem
        assert [one for one, _ in index.text_ranks("name : dog", 10)] == [1]
        assert index.matching("bell", 10) == sorted([first, second])
        assert index.matching("bell", 1) == [min(first, second)]
        assert [one for one, _ in index.text_ranks("bell", 1)] == [first]
        assert index.text_ranks("whale", 10) == []
        with pytest.raises(DataError, match=r"no query of full text"):
            index.text_ranks('"', 10)


def test_names_are_split_into_words():
    assert name_words("/x/MetalGate01.wav") == "MetalGate01 Metal Gate 01"
    assert name_words("/x/a gate.wav") == "a gate"
    assert name_words("/x/\udcff.wav") == "?"


def test_ids_are_chosen_by_folder_and_duration(folder):
    with Index(folder, MAKER) as index:
        index.add([(file("/a/b\udcff/x.wav", "c5"), [told("rain")])])
        assert index.ids_in().tolist() == [1, 2, 3, 4]
        assert index.ids_in("/a").tolist() == [1, 2, 3, 4]
        assert index.ids_in("/a/b/").tolist() == [2, 3]
        assert index.ids_in("/a/b\udcff").tolist() == [4]
        assert index.ids_in("/a/b/bells.flac", 10).tolist() == [2]
        assert index.ids_in(None, 4.0).tolist() == [1, 2, 4]
        assert index.ids_in("/a/bel").tolist() == []


def test_a_moved_file_keeps_its_sounds(folder):
    with Index(folder, MAKER) as index:
        index.move("/a/Dog_Barks01.wav", replace(file("/z/hound.wav"), mtime_ns=7))
        (dog,) = index.sounds([1])
        assert (dog.audio, dog.caption) == ("/z/hound.wav", "a dog barks")
        assert [one for one, _ in index.text_ranks("hound", 10)] == [1]
        assert index.text_ranks("name : dog", 10) == []
        assert [one.audio for one in index.files("/z")] == ["/z/hound.wav"]


def test_a_copy_has_sounds_of_its_own(folder):
    with Index(folder, MAKER) as index:
        index.copy("/a/b/bells.flac", file("/c/bells2.flac", "c2"))
        one, two = index.sounds([4, 5])
        assert (one.audio, one.caption, two.caption) == ("/c/bells2.flac", "bells ring", "a bell")
        ids, rows = index.vectors()
        np.testing.assert_array_equal(rows[ids == 2], rows[ids == 4])
        assert len(index.text_ranks("bells2", 10)) == 2


def test_what_is_removed_or_replaced_leaves_nothing(folder):
    with Index(folder, MAKER) as index:
        index.add([(file("/a/Dog_Barks01.wav", "c8"), [told("a cat", 4)])])
        index.remove(["/a/b/bells.flac", "/not/there.wav"])
        (cat,) = index.sounds()
        assert (cat.id, cat.caption) == (4, "a cat")
        assert [one for one, _ in index.text_ranks("bark OR bells OR ring", 10)] == [4]
        assert index.vectors()[0].tolist() == [4]


def test_a_kill_within_a_transaction_leaves_what_was_before(folder):
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.search.test_store import *\n"
        "def found():\n"
        "    yield file('/new1.wav', 'n1'), [told('new', 1)]\n"
        "    os.kill(os.getpid(), 9)\n"
        "    yield file('/new2.wav', 'n2'), [told('new', 1)]\n"
        "with Index(Path(sys.argv[1]), MAKER) as index:\n"
        "    index.add([(file('/old.wav', 'n0'), [told('old', 1)])])\n"
        "    index.add(found())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, check=False)
    assert ended.returncode == -9
    with Index(folder, MAKER) as index:
        assert [one.audio for one in index.files("/")][-1] == "/old.wav"
        assert index.text_ranks("new", 10) == []


def test_an_index_of_another_model_is_refused(folder):
    with pytest.raises(DataError, match="made by debug, abcdef01, and not by tiny, 99") as caught:
        Index(folder, Maker("tiny", "99"))
    assert "--rebuild" in str(caught.value)
    with Index(folder, Maker("the same under another name", MAKER.digest)):
        pass


def test_two_writers_at_once_are_refused(folder):
    with Index(folder, MAKER), pytest.raises(DataError, match="another auricle index works"):
        Index(folder, MAKER)
    with Index(folder, MAKER):
        pass


def test_no_index_is_one_line(tmp_path):
    with pytest.raises(DataError, match="no index there; make one: auricle index FOLDER"):
        Index(tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("content", [b"not a database, but long enough" * 99, b""])
def test_a_file_that_is_no_index_is_one_line(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(DataError, match="auricle index FOLDER"):
        Index(tmp_path)


def test_damaged_pages_are_one_line(folder):
    content = bytearray((folder / NAME).read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (folder / NAME).write_bytes(content)
    with pytest.raises(DataError, match="--rebuild"), Index(folder) as index:
        [*index.sounds()]


def test_a_database_of_another_program_is_refused(tmp_path):
    database = sqlite3.connect(tmp_path / NAME)
    database.execute("CREATE TABLE t (x)")
    database.close()
    with pytest.raises(DataError, match="no index of auricle"):
        Index(tmp_path, MAKER)


def test_a_newer_version_is_refused(folder):
    database = sqlite3.connect(folder / NAME)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DataError, match="version 99"):
        Index(folder)


def test_erase_leaves_no_index(folder):
    erase(folder)
    with pytest.raises(DataError, match="no index there"):
        Index(folder)


def test_folders_are_remembered(folder):
    with Index(folder, MAKER) as index:
        for path in ("/b", "/a\udcff", "/b"):
            index.remember(path)
        assert set(index.folders()) == {"/b", "/a\udcff"}
        index.forget("/b")
        assert index.folders() == ["/a\udcff"]


def test_a_moved_file_is_told_by_its_new_name(folder):
    with Index(folder, MAKER) as index:
        (before,) = index.sounds([1])
        assert "gravel" not in before.stems
        index.move(before.audio, file("/a/gravel.wav"))
        (after,) = index.sounds([1])
    assert "gravel" in after.stems
    assert after.stems - {"gravel"} <= before.stems


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE made SET dim = 'x'",
        "UPDATE made SET dim = 3",
        "UPDATE made SET generation = 'x'",
        "UPDATE made SET mark = 7",
        "DELETE FROM made",
        "UPDATE sounds SET tags = ''",
        "UPDATE sounds SET start_s = 'x'",
        "UPDATE sounds SET start_s = hex(zeroblob(5000)) || 'x'",
        "UPDATE sounds SET vector = 1.5",
        "UPDATE sounds SET vector = x'00'",
        "UPDATE files SET print = x'00'",
        "UPDATE words_config SET v = 0",
    ],
)
def test_a_database_with_other_values_is_damaged(folder, change):
    with sqlite3.connect(folder / NAME) as database:
        database.execute(change)
    database.close()
    (folder / MATRIX).unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"index\.sqlite.*damaged") as caught:
        _read_all(folder)
    assert len(str(caught.value)) < 1000


def _read_all(folder):
    with Index(folder) as index:
        index.vectors()
        list(index.sounds())
        list(index.prints())
        list(index.files())
        index.ids_in(min_duration_s=1.0)
        index.text_ranks("dog", 5)
