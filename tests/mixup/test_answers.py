"""Rows of mix-ups, and the pairs they are of: what is written is read, in the order of a seed."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.data import Clip, write_manifest
from auricle.data.manifest import parse_mix
from auricle.errors import DataError
from auricle.mixup.answers import MixupRow, appending, read_rows, sort_rows, to_json
from auricle.mixup.pairs import CaptionPairs, permuted

ROW = MixupRow(
    pair=0,
    ids=("a", "b"),
    audio=(Path("/sounds/a.wav"), Path("/sounds/b.wav")),
    captions=("A dog barks", "Rain falls"),
    prompt="paper-1",
    model="some-model",
    provider="openai",
    seed=3,
    answer='Mix: "A dog barks\nin the rain"',
)


def rows_file(path: Path, *rows: MixupRow) -> Path:
    with appending(path) as append:
        for row in rows:
            append(row)
    return path


def test_what_is_appended_is_read(tmp_path):
    rows = [
        replace(ROW, audio=(tmp_path / "x" / "비.wav", Path("/elsewhere/b.wav"))),
        replace(ROW, pair=1, sections=((0.0, 1.5), (None, 3.0)), relation="followed by"),
        replace(ROW, pair=2, licences=("CC0", None), sources=(None, "freesound:7")),
    ]
    path = rows_file(tmp_path / "new" / "m.jsonl", *rows[:2])
    rows_file(path, rows[2])
    assert list(read_rows(path)) == rows
    below = rows_file(tmp_path / "m.jsonl", rows[0])
    assert json.loads(below.read_text())["audio"] == ["x/비.wav", "/elsewhere/b.wav"]


@pytest.mark.parametrize("kept", [1, 5, 40, -1])
def test_a_torn_line_is_cut_off_and_written_again(tmp_path, kept):
    path = rows_file(tmp_path / "m.jsonl", ROW)
    whole = path.read_bytes()
    line = to_json(replace(ROW, pair=1), tmp_path).encode()
    path.write_bytes(whole + line[:kept])
    assert [row.pair for row in read_rows(path)] == [0]
    rows_file(path, replace(ROW, pair=1))
    assert path.read_bytes() == whole + line + b"\n"


def test_a_line_that_lacks_its_end_alone_is_kept(tmp_path):
    path = rows_file(tmp_path / "m.jsonl", ROW)
    path.write_bytes(path.read_bytes()[:-1])
    assert list(read_rows(path)) == [ROW]
    rows_file(path, replace(ROW, pair=1))
    assert [row.pair for row in read_rows(path)] == [0, 1]


def test_rows_are_not_added_to_another_file(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"audio": "a.wav", "captions": ["A dog"], "id": "1", "split": "train"}')
    before = path.read_bytes()
    with pytest.raises(DataError, match="only to a file of mix-ups"), appending(path):
        pass
    assert path.read_bytes() == before


def test_two_runs_do_not_share_a_file(tmp_path):
    path = tmp_path / "m.jsonl"
    with appending(path), pytest.raises(DataError, match="another process"), appending(path):
        pass


def test_rows_are_sorted_by_pair(tmp_path):
    path = tmp_path / "m.jsonl"

    def interrupted() -> None:
        with appending(path) as append:
            for number in (3, 0, 2, 1):
                append(replace(ROW, pair=number))
                assert [row.pair for row in read_rows(path)][-1] == number  # there at once
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [row.pair for row in read_rows(path)] == [0, 1, 2, 3]
    assert not sort_rows(path)


def test_a_full_disk_loses_no_row(tmp_path):
    resource = pytest.importorskip("resource")
    path = rows_file(tmp_path / "m.jsonl", replace(ROW, pair=1))
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="no room; make some"), appending(path) as append:
                append(ROW)
        with appending(path) as append:
            for _ in range(2):  # by two workers
                with pytest.raises(OSError, match="no room; make some"):
                    append(ROW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pair": "0"}, "\"pair\" is '0'"),
        ({"answer": None}, '"answer" is None'),
        ({"ids": ["a"]}, '"ids" is'),
        ({"provider": "other"}, "known are openai, local, published"),
        ({"relation": "before"}, "\"relation\" is 'before'"),
        ({"sections": [[0, 1], "y/" * 5000]}, '"sections" is'),
        ({"sections": [[0, 1], [2]]}, '"sections" is'),
        ({"sections": [[0, 1], [2, 1]]}, '"end_s" is 1'),
    ],
)
def test_a_broken_row_is_named(tmp_path, change, message):
    path = tmp_path / "m.jsonl"
    good = to_json(ROW, tmp_path)
    path.write_text(good + "\n" + json.dumps(json.loads(good) | change) + "\n")
    with pytest.raises(DataError, match=message) as error:
        list(read_rows(path))
    assert f"{path}:2: " in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 200
    told: list[int] = []
    assert list(read_rows(path, lambda number, _: told.append(number))) == [ROW]
    assert told == [2]


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1025])
def test_places_are_permuted(size):
    orders = [[permuted(place, size, seed) for place in range(size)] for seed in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(size))
    assert size < 7 or orders[0] != orders[1]


def manifest_of(path: Path, clips: int, captions: int = 2, **more: str) -> Path:
    write_manifest(
        path,
        (
            Clip(
                path.parent / f"{n}.wav",
                tuple(f"Caption {n} {i}" for i in range(captions)),
                f"clip-{n}",
                "train",
                source=f"source:{n // 2}" if n % 3 else None,
            )
            for n in range(clips)
        ),
    )
    return path


def test_every_pair_of_two_recordings_comes_once(tmp_path):
    pairs = CaptionPairs.read(manifest_of(tmp_path / "m.jsonl", 9))
    found = [pairs[number] for number in range(len(pairs))]
    seen = {frozenset(pair.captions) for pair in found}
    recording = {n: n // 2 if n % 3 else f"own {n}" for n in range(9)}
    captions = [(f"Caption {n} {i}", recording[n]) for n in range(9) for i in range(2)]
    wanted = {frozenset((a, b)) for (a, x), (b, y) in itertools.combinations(captions, 2) if x != y}
    assert len(found) == len(seen)
    assert seen == wanted
    for pair in found:
        for clip, caption in zip(pair.clips, pair.captions, strict=True):
            assert caption in clip.captions
    firsts = sum(pair.captions[0] < pair.captions[1] for pair in found) / len(found)
    assert 0.3 < firsts < 0.7  # neither of two clips is always the first


def test_the_seed_fixes_the_order(tmp_path):
    path = manifest_of(tmp_path / "m.jsonl", 20)
    one, same, other = (CaptionPairs.read(path, seed) for seed in (1, 1, 2))
    assert [one[n] for n in range(50)] == [same[n] for n in range(50)]
    assert [one[n].captions for n in range(50)] != [other[n].captions for n in range(50)]
    row = one[5].row("mix", prompt="p", model="m", provider="local")
    assert one.made(row)
    assert not other.made(row)
    assert not one.made(replace(row, pair=6))


def test_pairs_are_of_captioned_clips_of_the_split(tmp_path):
    path = tmp_path / "m.jsonl"
    clips = [
        Clip(tmp_path / f"{name}.wav", captions, name, split)
        for name, captions, split in (
            ("a", ("A", "A ", " "), "train"),
            ("b", ("B",), "train"),
            ("c", ("C",), "test"),
            ("d", ("",), "train"),
        )
    ]
    mixed = replace(clips[0], id="e", captions=("E",), mix=parse_mix({"audio": "b.wav"}, Path()))
    write_manifest(path, [*clips, mixed])
    assert len(CaptionPairs.read(path)) == 1
    assert set(CaptionPairs.read(path)[0].captions) == {"A", "B"}
    assert len(CaptionPairs.read(path, split="")) == 3
    with pytest.raises(DataError, match=r"splits are train \(4\), test \(1\)"):
        CaptionPairs.read(path, split="test")


def test_rows_without_id_and_split_are_paired(tmp_path):
    names = ("a.wav", "x/a.wav", "b.wav")
    lines = [json.dumps({"audio": name, "captions": [name]}) for name in names]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    pairs = CaptionPairs.read(tmp_path / "m.jsonl")
    assert len(pairs) == 3
    ids = {clip.id for pair in pairs for clip in pair.clips}
    assert ids == {"a", "a-2", "b"}
    assert all(pairs.made(p.row("c", prompt="p", model="m", provider="local")) for p in pairs)


def test_a_manifest_that_changes_is_noticed(tmp_path):
    path = manifest_of(tmp_path / "m.jsonl", 9)
    pairs = CaptionPairs.read(path)
    path.write_text("\n" + path.read_text())
    with pytest.raises(DataError, match="was changed while in use"):
        pairs[0]


def test_memory_stays_flat(tmp_path):
    path = manifest_of(tmp_path / "m.jsonl", 5000)
    pairs = CaptionPairs.read(path)
    held = sum(array.nbytes for array in vars(pairs).values() if hasattr(array, "nbytes"))
    assert held < 64 * 5000
    assert len({frozenset(pairs[n].captions) for n in range(300)}) == 300
