"""Live sound: nothing waits for ever, nothing is lost without a word, and the time stays right."""

from __future__ import annotations

import threading
from datetime import datetime

import numpy as np
import pytest

from auricle.audio.live import WAITING_S, LiveSound
from auricle.audio.load import at_rate
from auricle.errors import AudioError
from tests.helpers.live_sound import AtOnce, Clock
from tests.helpers.sounds import tone

RATE = 16_000


def blocks_of(sound, rate_hz=RATE):
    size = rate_hz // 10
    return [sound[first : first + size, None] for first in range(0, len(sound), size)]


def live(sound, rate_hz=RATE, block_s=0.1, error=None, **options):
    clock = Clock()
    inlet = AtOnce(blocks_of(sound, rate_hz), clock, rate_hz, block_s, error)
    return LiveSound(inlet, RATE, clock=clock, **options), inlet, clock


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_pieces_are_the_sound_at_the_models_rate(rate_hz):
    sound = tone(2.05, rate_hz)
    stream, inlet, _ = live(sound, rate_hz)
    pieces = list(stream)
    assert np.allclose(np.concatenate(pieces), at_rate(sound, rate_hz, RATE), atol=1e-4)
    assert stream.heard_s == pytest.approx(2.05, abs=1e-3)
    assert max(map(len, pieces)) <= 0.2 * RATE
    assert inlet.closed


def test_channels_that_cancel_give_the_first():
    sound = tone(1.0)
    clock = Clock()
    both = np.stack([sound, -sound], axis=1)
    stream = LiveSound(AtOnce(np.array_split(both, 10), clock), RATE, clock=clock)
    assert np.allclose(np.concatenate(list(stream)), sound)


def test_a_slow_reader_gets_the_latest_sound_a_note_and_the_right_times():
    sound = (np.arange(30 * RATE) / (30 * RATE)).astype(np.float32)
    notes: list[str] = []
    stream, _, clock = live(sound, on_note=notes.append)
    given = np.concatenate(list(stream))
    assert len(given) == (WAITING_S - 0.1) * RATE  # the end waits, too
    assert np.array_equal(given, sound[-len(given) :])
    assert stream.skipped_s == pytest.approx(20.1)
    assert stream.place_s(1.0) == pytest.approx(21.1)
    assert stream.since_s(29.0) == pytest.approx(1.0)
    assert stream.since_s(20.5) == pytest.approx(clock.now_s - 1020.5)
    assert len(notes) == 1
    assert "skipped 20.1 s" in notes[0]


def test_sound_that_is_faster_than_real_time_waits_for_the_reader():
    sound = tone(30.0)

    class Thread(AtOnce):
        def start(self, inflow):
            threading.Thread(target=super().start, args=(inflow,), daemon=True).start()

    clock = Clock()
    stream = LiveSound(Thread(blocks_of(sound), clock, block_s=0.001), RATE, clock=clock)
    assert np.array_equal(np.concatenate(list(stream)), sound)
    assert stream.skipped_s == 0


def test_digital_silence_at_the_start_is_not_given_but_has_passed():
    sound = np.concatenate([np.zeros(6 * RATE, np.float32), tone(1.0)])
    notes: list[str] = []
    stream, _, _ = live(sound, on_note=notes.append)
    assert np.array_equal(np.concatenate(list(stream)), sound[6 * RATE :])
    assert stream.place_s(0.5) == pytest.approx(6.5)
    assert stream.skipped_s == 0
    assert ["digital silence" in note for note in notes] == [True]


def test_it_ends_after_so_many_seconds():
    stream, inlet, _ = live(tone(3.0), most_s=1.5)
    assert sum(map(len, stream)) == 1.5 * RATE
    assert inlet.closed


def test_a_stopped_stream_ends_after_what_came_in():
    stream, inlet, _ = live(tone(3.0))
    pieces = []
    for piece in stream:
        pieces.append(piece)
        stream.stop()
    assert sum(map(len, pieces)) == 3 * RATE
    assert inlet.closed


def test_a_stream_that_gives_nothing_can_be_stopped():
    class Never(AtOnce):
        def start(self, inflow):
            threading.Timer(0.05, stream.stop).start()

    stream = LiveSound(Never([], Clock()), RATE)
    assert list(stream) == []


def test_an_error_comes_after_the_sound_before_it():
    stream, inlet, _ = live(tone(1.0), error=AudioError("the microphone is gone"))
    pieces = []
    with pytest.raises(AudioError, match="is gone"):
        pieces.extend(iter(stream))
    assert inlet.closed


def test_samples_beyond_full_scale_are_limited_and_broken_ones_refused():
    stream, *_ = live(4 * tone(1.0))
    assert np.abs(np.concatenate(list(stream))).max() == 1.0
    stream, *_ = live(np.full(RATE, np.nan, np.float32))
    with pytest.raises(AudioError, match="NaN"):
        list(stream)


def test_the_time_of_day_is_that_of_the_sound():
    stream, _, clock = live(tone(2.0))
    list(stream)
    clock.now_s += 5.0
    passed = datetime.now().astimezone() - datetime.fromisoformat(stream.time_at(1.0))
    assert passed.total_seconds() == pytest.approx(6.0, abs=0.5)
