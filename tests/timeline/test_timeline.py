"""Timelines: captions at their times, as they are found, for recordings of any length and kind."""

from __future__ import annotations

import math
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio.level import amplitude, level_dbfs
from auricle.audio.load import load_audio
from auricle.data.clip import Clip
from auricle.errors import AudioError
from auricle.timeline.options import TimelineOptions
from tests.helpers.paths import EXAMPLES

RATE = 16_000
SOUNDS = {"rain-and-thunder.ogg": "rain", "helicopter.ogg": "helicopter"}


def scene(gap_s=4.0, noise_dbfs=-72.0):
    """The recordings of `SOUNDS` with noise before, between and after; and their spans."""
    pieces, spans, place = [], [], 0
    for name in SOUNDS:
        sound = load_audio(EXAMPLES / name, RATE, 0.0, 6.0).waveform
        sound = sound * amplitude(-26 - level_dbfs(sound))
        pieces += [np.zeros(round(gap_s * RATE), np.float32), sound]
        place += len(pieces[-2])
        spans.append((place / RATE, (place + len(sound)) / RATE))
        place += len(sound)
    waveform = np.concatenate([*pieces, np.zeros(3 * RATE, np.float32)])
    noise = np.random.default_rng(0).standard_normal(len(waveform)) * amplitude(noise_dbfs)
    return (waveform + noise).astype(np.float32), spans


@pytest.fixture(scope="module")
def heard(tiny):
    waveform, spans = scene()
    return list(tiny.timeline((waveform, RATE), candidates=8)), spans


def test_each_sound_is_captioned_at_its_time(heard):
    captions, spans = heard
    for (start_s, end_s), word in zip(spans, SOUNDS.values(), strict=True):
        inside = [one for one in captions if one.start_s < end_s and one.end_s > start_s]
        assert inside[0].start_s == pytest.approx(start_s, abs=0.3)
        assert inside[-1].end_s == pytest.approx(end_s, abs=0.3)
        assert any(word in one.caption for one in inside)
    covered = sum(one.end_s - one.start_s for one in captions)
    assert covered == pytest.approx(sum(end - start for start, end in spans), abs=0.8)


def test_records_are_those_of_a_caption(heard):
    captions, _ = heard
    for one in captions:
        assert one.audio == "<array>"
        assert 0 < one.confidence < 1
        assert one.caption in {candidate.text for candidate in one.candidates}
        assert one.model == "tiny"
    assert [one.start_s for one in captions] == sorted(one.start_s for one in captions)


def test_a_single_sound_is_captioned_as_the_recording_of_it_alone(tiny):
    """What is heard of it is what it would be without the silence around it."""
    sound = load_audio(EXAMPLES / "helicopter.ogg", RATE, 0.0, 6.0).waveform
    silence = np.zeros(5 * RATE, np.float32)
    (timed,) = tiny.timeline((np.concatenate([silence, sound, silence]), RATE), min_duration_s=1.0)
    alone = tiny.caption((sound, RATE))[0]
    assert "helicopter" in timed.caption
    assert timed.confidence == pytest.approx(alone.confidence, abs=0.1)
    best = {one.text for one in alone.candidates[:10]}
    assert timed.caption in best


def test_captions_come_before_the_end_is_read(tiny):
    waveform, _ = scene()
    long = np.concatenate([waveform] * 12)
    timeline = tiny.timeline((long, RATE), candidates=2, batch_size=1)
    next(timeline)
    assert timeline.sound.heard_s < len(long) / RATE / 2
    timeline.close()
    assert list(timeline) == []


@pytest.mark.parametrize("samples", [np.zeros(60 * RATE), np.full(30 * RATE, 0.5)])
def test_silence_has_no_captions(tiny, samples):
    assert list(tiny.timeline((samples.astype(np.float32), RATE))) == []


def test_a_second_is_enough(tiny):
    sound = load_audio(EXAMPLES / "helicopter.ogg", RATE, 1.0, 2.0).waveform
    (one,) = tiny.timeline((sound, RATE))
    assert (one.start_s, one.end_s) == pytest.approx((0.0, 1.0), abs=0.1)


def test_neighbours_that_say_the_same_become_one(tiny):
    sound = load_audio(EXAMPLES / "rain-and-thunder.ogg", RATE).waveform[: 5 * RATE]
    long = np.concatenate([sound] * 16)  # 80 s: three windows and more
    captions = list(tiny.timeline((long, RATE), candidates=4))
    assert len(captions) <= 3
    assert captions[-1].end_s - captions[0].start_s == pytest.approx(80.0, abs=0.5)
    most_s = 12.0
    cut = list(tiny.timeline((long, RATE), candidates=4, max_duration_s=most_s))
    assert all(one.end_s - one.start_s <= most_s + 0.01 for one in cut)
    assert len(cut) >= math.ceil(80 / most_s)


def test_unsure_captions_are_left_out(tiny, heard):
    captions, _ = heard
    sure = max(one.confidence for one in captions)
    waveform, _ = scene()
    kept = list(tiny.timeline((waveform, RATE), candidates=8, min_confidence=sure - 1e-9))
    assert [one.confidence for one in kept] == pytest.approx([sure])


def test_a_peak_above_full_scale_and_a_cut_short_file_are_heard(tiny, tmp_path):
    waveform, spans = scene()
    path = tmp_path / "loud.wav"
    soundfile.write(path, waveform * 8, RATE, "FLOAT")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 5])
    timeline = tiny.timeline(path, candidates=2)
    captions = list(timeline)
    assert captions[0].start_s == pytest.approx(spans[0][0], abs=0.3)
    assert "cut short" in timeline.note


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"RIFF\0\0\0\0WAVEjunk", "recording|decoded"), (b"\0" * 4000, "recording")],
)
def test_what_is_no_recording_is_refused_in_one_line(tiny, tmp_path, content, message):
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=message) as caught:
        list(tiny.timeline(path))
    assert "\n" not in str(caught.value)
    assert "broken.wav" in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"sensitivity": 2.0}, {"min_duration_s": 0.0}, {"max_duration_s": -1.0}]
)
def test_options_out_of_range_are_refused(tiny, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tiny.timeline("a.wav", **wrong)


def test_unknown_settings_are_refused_with_the_right_name(tiny):
    with pytest.raises(TypeError, match="sensitivty"):
        tiny.timeline("a.wav", sensitivty=0.2)
    assert TimelineOptions().sensitivity == 0.5


def test_samples_that_are_not_finite_end_the_timeline_with_a_note(tiny):
    waveform, spans = scene()
    broken = waveform.copy()
    broken[round((spans[1][1] + 1) * RATE)] = np.nan  # in the piece after 20 s
    timeline = tiny.timeline((broken, RATE), candidates=2)
    captions = list(timeline)
    assert captions[0].start_s == pytest.approx(spans[0][0], abs=0.3)
    assert captions[-1].end_s <= timeline.sound.heard_s + 0.1
    assert "are NaN" in timeline.note
    assert timeline.note.endswith("captioned the 20 s before")
    broken[0] = np.inf
    with pytest.raises(AudioError, match="NaN or infinite"):
        list(tiny.timeline((broken, RATE), candidates=2))


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files as Linux lists them")
def test_a_timeline_that_is_closed_or_dropped_leaves_no_file_and_no_thread(tiny, tmp_path):
    waveform, _ = scene()
    path = tmp_path / "a.flac"
    soundfile.write(path, np.concatenate([waveform] * 4), RATE)

    def open_now():
        return len([*Path("/proc/self/fd").iterdir()]), threading.active_count()

    before = open_now()
    for number in range(8):
        timeline = tiny.timeline(path, candidates=1, decode="greedy", batch_size=1)
        if number % 3:
            next(timeline)
        if number % 2:
            timeline.close()
        del timeline
    end = time.monotonic() + 5
    while open_now() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert open_now() <= before


def test_timelines_can_be_read_in_turn(tiny):
    waveform, _ = scene()
    reverse = waveform[::-1].copy()
    settings = {"decode": "greedy", "batch_size": 1}
    alone = [list(tiny.timeline((one, RATE), **settings)) for one in (waveform, reverse)]
    both = [tiny.timeline((one, RATE), **settings) for one in (waveform, reverse)]
    found = [[], []]
    for _ in range(max(map(len, alone)) + 1):
        for mine, timeline in zip(found, both, strict=True):
            mine += [caption for caption in [next(timeline, None)] if caption]
    assert found == alone


def test_times_of_a_clip_are_those_of_its_recording(tiny, tmp_path):
    waveform, spans = scene()
    soundfile.write(tmp_path / "a.wav", waveform, RATE)
    clip = Clip(tmp_path / "a.wav", (), "a", start_s=12.0, end_s=21.0)
    captions = list(tiny.timeline(clip, candidates=2))
    assert captions[0].audio == str(tmp_path / "a.wav")
    assert captions[0].start_s == pytest.approx(spans[1][0], abs=0.3)
    assert captions[-1].end_s == pytest.approx(spans[1][1], abs=0.3)


def test_progress_tells_the_seconds_of_silence_too_and_may_end_it(tiny):
    told = []
    silence = np.zeros(35 * RATE, np.float32)
    found = tiny.timeline((silence, RATE), progress=lambda *step: told.append(step))
    assert list(found) == []
    assert told == [("seconds heard", done, 35) for done in (10, 20, 30, 35)]

    def end(stage, done, total):
        raise KeyError(done)

    with pytest.raises(KeyError, match="10"):
        list(tiny.timeline((silence, RATE), progress=end))
