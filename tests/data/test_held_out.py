"""A share of one's own recordings held out for validation."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.data.clip import Clip
from auricle.data.held_out import hold_out
from auricle.data.manifest import read_manifest


def clips(count, per_source=1):
    return [
        Clip(
            Path(f"/own/{n}.wav"), ("a dog barks",), str(n), "train", source=f"s:{n // per_source}"
        )
        for n in range(count)
    ]


def held(clips):
    return [clip.id for clip in clips if clip.split == "val"]


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(100, 0.1, 10), (7, 0.2, 1), (3, 0.01, 1)]
)
def test_the_share_is_kept_and_never_nothing(count, share, expected):
    assert len(held(hold_out(clips(count), share))) == expected


def test_something_is_left_to_train_on():
    assert held(hold_out(clips(1), 0.5)) == []
    assert len(held(hold_out(clips(2), 0.9))) == 1


def test_a_source_is_never_parted():
    found = hold_out(clips(60, per_source=4), 0.25)
    sides = Counter((clip.source, clip.split) for clip in found)
    assert set(sides.values()) == {4}
    assert 12 <= len(held(found)) <= 18


def test_sections_of_one_file_stay_together():
    whole = [replace(c, source=None, audio=Path(f"/own/{int(c.id) // 5}.wav")) for c in clips(40)]
    sides = Counter((clip.audio, clip.split) for clip in hold_out(whole, 0.3))
    assert set(sides.values()) == {5}


def test_a_data_set_that_grows_or_moves_keeps_most_of_its_split():
    before = set(held(hold_out(clips(100), 0.2)))
    moved = [replace(clip, audio=Path("/else") / clip.audio.name) for clip in clips(100)]
    assert set(held(hold_out(moved, 0.2))) == before
    after = set(held(hold_out(clips(110), 0.2)))
    assert len(before & after) >= 17


def test_only_rows_without_a_split_are_held_out(write_tone, tmp_path):
    for n in range(10):
        write_tone(f"own/{n}.wav", 0.2)
    rows = "".join(f"{n}.wav,A dog barks,{'train' if n < 5 else ''}\n" for n in range(10))
    (tmp_path / "own" / "captions.csv").write_text("audio,caption,split\n" + rows)
    out = tmp_path / "m.jsonl"
    arguments = ["data", "folder", tmp_path / "own", "-o", out, "--validation", "0.4"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert result.stderr.strip().endswith("10 clips with 10 captions (train: 8, val: 2)")
    chosen = held(read_manifest(out))
    assert len(chosen) == 2
    assert all(int(name[0]) >= 5 for name in chosen)
