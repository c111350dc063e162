"""Stretches: sound is found where it is, however the recording comes and however long it is."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from auricle.audio.level import amplitude
from auricle.timeline.options import TimelineOptions
from auricle.timeline.stretches import Stretches, spectral_change

RATE = 16_000


def noise(seconds, dbfs, seed=0):
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (samples * amplitude(dbfs)).astype(np.float32)


def found(pieces, window_s=30.0, **options):
    return list(Stretches(TimelineOptions(**options), RATE, window_s).of(pieces))


def scene(background_dbfs=-72.0):
    """Sounds at 5 to 9 s and at 15.5 to 16 s, of which the second is narrow."""
    sound = noise(30, background_dbfs)
    sound[5 * RATE : 9 * RATE] += noise(4, -30, 1)
    time_s = np.arange(RATE // 2) / RATE
    sound[round(15.5 * RATE) : 16 * RATE] += np.float32(0.05) * np.sin(
        2 * np.pi * 3000 * time_s
    ).astype(np.float32)
    return sound


@pytest.mark.parametrize("background_dbfs", [-180.0, -72.0, -60.0, -52.0])
@pytest.mark.parametrize("pieces", [1, 60])
def test_sounds_are_found_to_a_twentieth_of_a_second(background_dbfs, pieces):
    stretches = found(np.array_split(scene(background_dbfs), pieces))
    spans = [edge_s for one in stretches for edge_s in (one.start_s, one.end_s)]
    assert spans == pytest.approx([5.0, 9.0, 15.5, 16.0], abs=0.06)
    for one in stretches:
        assert len(one.waveform) == round((one.end_s - one.start_s) * RATE)
        first = round(one.start_s * RATE)
        assert np.array_equal(one.waveform, scene(background_dbfs)[first:][: len(one.waveform)])


@pytest.mark.parametrize("dbfs", [-180.0, -72.0, -52.0])
def test_silence_and_a_faint_steady_background_are_no_sound(dbfs):
    assert not found([noise(90, dbfs)])
    rising = np.concatenate([noise(60, -180), noise(60, min(dbfs, -70))])
    assert not found([rising])


def test_a_steady_sound_that_can_be_heard_is_a_sound():
    (stretch,) = found([noise(20, -30)])
    assert (stretch.start_s, stretch.end_s) == pytest.approx((0.0, 20.0), abs=0.05)


def test_what_is_too_short_is_left_out():
    sound = noise(20, -72)
    sound[5 * RATE : round(5.1 * RATE)] += noise(0.1, -20, 1)
    assert not found([sound], min_duration_s=0.5)
    assert len(found([sound], min_duration_s=0.05)) == 1


def test_a_short_pause_is_a_part_of_the_sound_and_a_long_one_is_not():
    for pause_s, count in ((0.8, 1), (2.0, 2)):
        pieces = [noise(3, -72), noise(2, -30, 1), noise(pause_s, -72, 2), noise(2, -30, 3)]
        assert len(found([*pieces, noise(3, -72, 4)])) == count


def test_more_sensitivity_finds_more():
    sound = noise(40, -60)
    sound[10 * RATE : 13 * RATE] += noise(3, -58, 1)
    counts = [len(found([sound], sensitivity=value)) for value in (0.0, 0.5, 1.0)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_a_long_sound_is_cut_where_it_changes():
    sound = np.concatenate([noise(27, -30), noise(25, -20, 1)])
    first, second = found(np.array_split(sound, 9))
    assert first.end_s == second.start_s == pytest.approx(27.0, abs=0.1)
    assert first.goes_on
    assert not second.goes_on
    assert second.end_s == pytest.approx(52.0, abs=0.05)
    # What is beside the cut is heard with both.
    assert first.from_s == 0.0
    assert second.from_s == pytest.approx(second.start_s - 1.0)
    assert np.array_equal(
        second.waveform, sound[round(second.from_s * RATE) :][: len(second.waveform)]
    )
    assert len(first.waveform) == round((first.end_s + 1.0) * RATE)


def test_a_sound_without_changes_is_cut_within_the_window():
    stretches = found([noise(200, -30)], window_s=20.0, hop_s=10.0)
    lengths = [one.end_s - one.start_s for one in stretches]
    assert sum(lengths) == pytest.approx(200.0, abs=0.1)
    assert all(10.0 <= length <= 20.0 for length in lengths[:-1])
    for before, after in pairwise(stretches):
        assert before.end_s == after.start_s


@pytest.mark.parametrize("window_s", [2.0, 4.0, 8.0])
def test_a_model_that_hears_little_at_once_hears_no_crumbs(window_s):
    lengths = [one.end_s - one.start_s for one in found([noise(60, -30)], window_s=window_s)]
    assert sum(lengths) == pytest.approx(60.0, abs=0.1)
    assert all(0.37 * window_s <= length <= window_s for length in lengths[:-1])


def test_the_memory_does_not_grow_with_the_length():
    def peak(minutes):
        tracemalloc.start()
        pieces = (noise(5, -30 if number % 3 else -72, number) for number in range(minutes * 12))
        for _ in Stretches(TimelineOptions(), RATE, 30.0).of(pieces):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(8) < 1.1 * peak(2)


def test_a_spectral_change_is_found_to_the_frame():
    rng = np.random.default_rng(0)
    levels = rng.normal(-40, 2, (400, 20))
    levels[250:, 5:] += 10
    assert int(np.argmax(spectral_change(levels, 50))) == 250
    assert spectral_change(levels[:1], 50).tolist() == [0.0]
