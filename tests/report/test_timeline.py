"""Timelines: records are matched with their recording, times are told as on a clock."""

import json
import re

import pytest

from auricle.errors import DataError
from auricle.report.timeline import axis, captions_of, check_within
from auricle.writers import to_json
from tests.helpers.timed import timed


@pytest.fixture
def records(tmp_path):
    def write(*captions):
        path = tmp_path / "r.jsonl"
        path.write_text("".join(f"{to_json(one)}\n" for one in captions), encoding="utf-8")
        return path

    return write


def test_records_are_those_of_the_recording_by_start(records, tmp_path):
    here, other = tmp_path / "a.wav", tmp_path / "b.wav"
    given = [timed(5, 6, "late", audio=str(here)), timed(1, 2, audio=str(other))]
    path = records(*given, timed(2, 3, "early", audio=str(here)))
    assert [one.caption for one in captions_of(path, here)] == ["early", "late"]


def test_a_moved_recording_is_known_by_its_name(records, tmp_path):
    path = records(timed(1, 2, audio="/elsewhere/a.wav"), timed(1, 2, audio="x\0.wav"))
    (found,) = captions_of(path, tmp_path / "a.wav")
    assert found.audio == str(tmp_path / "a.wav")


def test_the_same_file_by_another_path(records, tmp_path, write_tone, monkeypatch):
    write_tone("a.wav")
    monkeypatch.chdir(tmp_path)
    path = records(timed(1, 2, audio="a.wav"), timed(1, 2, audio="/other/a.wav"))
    assert len(captions_of(path, tmp_path / "a.wav")) == 1


def test_records_of_others_are_refused(records, tmp_path):
    path = records(timed(1, 2, audio="b.wav"), timed(1, 2, audio="c.wav"))
    with pytest.raises(DataError, match=r"no record of .*a\.wav; it has those of b\.wav, c\.wav;"):
        captions_of(path, tmp_path / "a.wav")
    path = records(timed(1, 2, audio="x/a.wav"), timed(1, 2, audio="y/a.wav"))
    with pytest.raises(
        DataError, match=r"several recordings are called a\.wav: x/a\.wav, y/a\.wav"
    ):
        captions_of(path, tmp_path / "a.wav")
    with pytest.raises(DataError, match="no records in it; write them with"):
        captions_of(records(), tmp_path / "a.wav")
    with pytest.raises(DataError, match=r"gone\.jsonl: no table that can be read"):
        captions_of(tmp_path / "gone.jsonl", tmp_path / "a.wav")


def test_captions_after_the_end_are_refused(tmp_path):
    check_within([timed(0, 60.3)], 60.0, tmp_path)
    for late in (timed(60, 60.2), timed(59, 61)):
        with pytest.raises(DataError, match=r"film\.wav lasts 60 s; give the records of this"):
            check_within([late], 60.0, tmp_path)


@pytest.mark.parametrize("duration_s", [0.1, 1, 9.5, 30, 61, 599, 7200, 36_000, 1e6])
def test_axes_have_round_ticks_inside(duration_s):
    times = [time_s for time_s, _ in axis(duration_s)]
    texts = [label for _, label in axis(duration_s)]
    assert 3 <= len(times) <= 11
    assert times[-1] <= duration_s
    assert len(set(texts)) == len(texts)
    assert all(re.fullmatch(r"[\d.]+ s|(\d+:)?\d+:\d\d", text) for text in texts)


def test_an_axis_of_an_hour_has_minutes():
    assert [label for _, label in axis(3600)][:3] == ["0:00", "10:00", "20:00"]
    assert [label for _, label in axis(6)][:3] == ["0 s", "1 s", "2 s"]
    assert json.dumps([time_s for time_s, _ in axis(0.1)][:3]) == "[0.0, 0.01, 0.02]"
