"""Files of predictions and references: every form is read, every fault is named with its row."""

import csv
import json

import pytest

from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.errors import DataError
from auricle.evaluation.pairing import PairingError, pair, shared
from auricle.evaluation.predictions import read_predictions
from auricle.evaluation.references import read_references
from auricle.records import Candidate, Caption
from auricle.writers import to_json

CLIPS = ("dog.wav", "rain on a roof.wav", "café.wav", "siren.wav")
SAID = ("a dog barks", "rain falls", "people talk", "a siren wails")
GOOD = list(zip(CLIPS, SAID, strict=True))


def write_csv(path, rows, encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def predictions(tmp_path):
    """``predictions(rows)`` -> what is read of a DCASE CSV with these rows."""

    def read(rows, name="said.csv"):
        path = write_csv(tmp_path / name, [("file_name", "caption_predicted"), *rows])
        return read_predictions(path)

    return read


@pytest.fixture
def clotho(tmp_path):
    header = ("file_name", *(f"caption_{n}" for n in range(1, 6)))
    rows = [
        (name, *(f"{text} {n}" for n in range(5))) for name, text in zip(CLIPS, SAID, strict=True)
    ]
    return write_csv(tmp_path / "clotho.csv", [header, *rows])


def test_a_csv_and_clotho_pair_in_the_order_of_the_references(predictions, clotho):
    pairs = pair(predictions(reversed(GOOD)), read_references(clotho))
    assert pairs.captions == list(SAID)
    assert [clip.id for clip in pairs.references] == list(CLIPS)
    assert pairs.texts[0] == tuple(f"a dog barks {n}" for n in range(5))
    assert (pairs.of, pairs.faults.found, pairs.notes, pairs.rivals()) == (4, (), (), None)


def test_json_lines_of_records_keep_their_candidates(tmp_path, clotho):
    rivals = (
        Candidate("a dog barks", -1.0, 0.5, 0.1, True),
        Candidate("a cat", -2.0, None, 0.0, None),
    )
    path = tmp_path / "said.jsonl"
    rows = [
        to_json(Caption(f"some/where/{name}", 0.0, 1.0, said, 0.1, rivals[:1], "m", "nucleus", 0))
        for name, said in GOOD[1:]
    ]
    first = Caption("clips/dog.wav", 0.0, 1.0, "a dog barks", 0.1, rivals, "m", "nucleus", 0)
    path.write_text("\n".join([to_json(first), "", *rows]), encoding="utf-8")
    pairs = pair(read_predictions(path), read_references(clotho))
    assert pairs.predictions[0].candidates == rivals
    assert pairs.predictions[1].where == f"{path}:3"
    assert pairs.rivals()[0] == ["a dog barks", "a cat"]


def test_a_manifest_is_matched_by_id_path_name_or_stem(tmp_path):
    clips = [
        Clip(tmp_path / "a" / "x.wav", ("one",), "first", "val"),
        Clip(tmp_path / "b" / "x.wav", ("two",), "second", "val"),
        Clip(tmp_path / "b" / "y.wav", ("three",), "third", "val"),
        Clip(tmp_path / "b" / "z.wav", ("four",), "fourth", "test"),
    ]
    write_manifest(tmp_path / "m.jsonl", clips)
    references = read_references(tmp_path / "m.jsonl", split="val")
    rows = [
        {"id": "first", "caption": "1"},
        {"audio": str(tmp_path / "b" / "x.wav"), "caption": "2"},
        {"file_name": "y", "caption_predicted": "3"},
    ]
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert pair(read_predictions(path), references).captions == ["1", "2", "3"]
    path.write_text(json.dumps({"audio": "x.wav", "caption": "?"}) + "\n")
    with pytest.raises(PairingError) as caught:
        pair(read_predictions(path), references)
    assert caught.value.faults.found[0].reason == "names several clips"


def test_rows_of_one_audiocaps_clip_are_one_clip(tmp_path, predictions):
    header = ("audiocap_id", "youtube_id", "start_time", "caption")
    rows = [("1", "abcdefghijk", "30", "a dog"), ("2", "abcdefghijk", "30", "barking")]
    rows += [("3", "_bcdefghijk", "0", "rain")]
    references = read_references(write_csv(tmp_path / "test.csv", [header, *rows]))
    assert [clip.captions for clip in references.clips] == [("a dog", "barking"), ("rain",)]
    for names in (
        ("abcdefghijk_30.wav", "_bcdefghijk_0.wav"),
        ("2", "3"),
        ("Yabcdefghijk.wav", "Y_bcdefghijk.wav"),
    ):
        said = predictions(zip(names, ("d", "r"), strict=True))
        assert pair(said, references).captions == ["d", "r"]


@pytest.mark.parametrize(
    ("rows", "reason", "where"),
    [
        (GOOD[:2] + GOOD[3:], "clip without a prediction", "clotho.csv:4"),
        ([*GOOD, GOOD[1]], "clip predicted twice", "said.csv:3"),
        ([*GOOD, ("cat.wav", "a cat")], "not among the references", "said.csv:6"),
    ],
)
def test_rows_that_do_not_fit_are_named_and_stop_it(predictions, clotho, rows, reason, where):
    references = read_references(clotho)
    with pytest.raises(PairingError, match=reason) as caught:
        pair(predictions(rows), references)
    assert any(fault.reason == reason for fault in caught.value.faults.found)
    assert any(where in line and reason in line for line in caught.value.faults.lines())
    partial = pair(predictions(rows), references, partial=True)
    assert partial.of == 4
    assert partial.faults == caught.value.faults
    assert len(partial.predictions) == (4 if reason.startswith("not among") else 3)


def test_nothing_that_fits_stops_even_a_partial_pairing(predictions, clotho):
    with pytest.raises(PairingError, match="no prediction fits"):
        pair(predictions([("cat.wav", "a cat")]), read_references(clotho), partial=True)


def test_many_faults_of_one_kind_are_counted_with_their_rows(predictions, clotho):
    rows = [*GOOD, *((f"{n}.wav", "a cat") for n in range(9))]
    with pytest.raises(PairingError) as caught:
        pair(predictions(rows), read_references(clotho))
    lines = caught.value.faults.lines()
    assert len(lines) == 6
    assert "4 more (11, 12, 13, 14)" in lines[-1]


def test_faulty_references_are_named_once(tmp_path, predictions):
    header = ("file_name", "caption_1", "caption_2")
    rows = [("dog.wav", "a dog", "barking"), ("a.wav", "rain", ""), ("b.wav", "", "")]
    rows += [("c.wav", "x", "y"), ("c.wav", "x", "y")]
    references = read_references(write_csv(tmp_path / "r.csv", [header, *rows]))
    assert [(fault.reason, fault.where.rpartition(":")[2]) for fault in references.faults] == [
        ("an empty reference caption", "3"),
        ("no reference caption", "4"),
        ("references listed twice", "5"),
        ("references listed twice", "6"),
    ]
    said = predictions([(f"{name}.wav", "x") for name in ("dog", "a", "b")])
    pairs = pair(said, references, partial=True)
    assert pairs.faults.found == references.faults
    assert (len(pairs.predictions), pairs.of) == (1, 4)


def test_an_unequal_number_of_references_is_a_note(tmp_path):
    clips = [Clip(tmp_path / f"{n}.wav", ("x",) * (5 - (n == 3)), str(n), "test") for n in range(9)]
    write_manifest(tmp_path / "m.jsonl", clips)
    (note,) = read_references(tmp_path / "m.jsonl").notes
    assert note == "8 clips have 5 references, 1 another number: 3 (4)"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.csv", b"file,text\na.wav,dog\n", "no column file_name, caption_predicted; it has file"),
        ("p.csv", "file_name,caption_predicted\na.wav,café\n".encode("cp1252"), "in line 2;"),
        ("p.csv", "file_name,caption_predicted\n".encode("utf-16"), "UTF-16"),
        ("p.csv", b"file_name,caption_predicted\na.wav,a dog, barking\n", "p.csv:2: 3 fields"),
        ("p.csv", b"file_name,caption_predicted\n", "no predictions"),
        ("p.jsonl", b'{"audio": "a.wav"}\n', "p.jsonl:1: has audio; it needs caption"),
        ("p.jsonl", b'{"audio": "a", "caption": "x"}\n[1]\n', "p.jsonl:2: a JSON list"),
        ("p.jsonl", b'{"audio": "a", "caption": "x", "candidates": [{"text": 3}]}', "p.jsonl:1"),
        ("p.txt", b"a dog\n", "ends in .csv, .tsv or .jsonl"),
    ],
)
def test_files_that_are_no_predictions(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_predictions(tmp_path / name)
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_files_that_are_no_references(tmp_path):
    path = write_csv(tmp_path / "r.csv", [("file", "text"), ("a.wav", "dog")])
    with pytest.raises(DataError, match="has file, text; references are a manifest"):
        read_references(path)
    with pytest.raises(DataError, match="no file that can be read"):
        read_references(tmp_path / "nothing.csv")
    write_manifest(tmp_path / "m.jsonl", [Clip(tmp_path / "a.wav", ("x",), "a", "test")])
    write_manifest(
        tmp_path / "m.jsonl",
        [
            Clip(tmp_path / f"{n}.wav", ("x",), str(n), split)
            for n, split in enumerate(("test", "", "test", "dev"))
        ],
    )
    message = (
        r"m\.jsonl: no clip of the split 'val'; it has test \(2\), \(empty\) \(1\), dev \(1\)$"
    )
    with pytest.raises(DataError, match=message):
        read_references(tmp_path / "m.jsonl", split="val")


def test_a_table_has_no_splits_and_says_so(clotho):
    assert not any("--split" in note for note in read_references(clotho).notes)
    (note,) = [note for note in read_references(clotho, split="test").notes if "--split" in note]
    assert "has no effect" in note


def test_recordings_of_a_table_are_found_in_a_folder(write_tone, clotho):
    folder = write_tone("audio/dog.wav").parent
    dog, rain, *_ = read_references(clotho, folder).clips
    assert dog.audio is not None
    assert dog.audio.audio == folder / "dog.wav"
    assert rain.audio is None


def test_two_files_are_compared_on_the_clips_they_share(predictions, clotho):
    references = read_references(clotho)
    first = pair(predictions(GOOD[:3]), references, partial=True)
    second = pair(predictions(GOOD[1:]), references, partial=True)
    for pairs in shared(first, second):
        assert [clip.id for clip in pairs.references] == list(CLIPS[1:3])
        assert pairs.captions == list(SAID[1:3])
    with pytest.raises(PairingError, match="share no clip"):
        shared(first.only(CLIPS[:1]), second)
