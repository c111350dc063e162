"""Overviews equal the slow way, which holds the whole recording, and take no memory with length."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from auricle.errors import AudioError
from auricle.report import overview as module
from auricle.report.overview import COLUMNS, HOP, overview
from auricle.report.player import contrasted, mel_frames, spectrogram

RATE = 16_000


@pytest.fixture
def noise(tmp_path):
    """A file of noise that grows louder."""

    def write(seconds, peak=0.5):
        generator = np.random.default_rng(0)
        samples = round(seconds * RATE)
        wave = generator.uniform(-1, 1, samples) * np.linspace(0.01, peak, samples)
        soundfile.write(tmp_path / "a.wav", wave, RATE, "FLOAT")
        return tmp_path / "a.wav", wave.astype(np.float32)

    return write


def test_a_short_recording_has_a_column_for_every_frame(noise):
    path, wave = noise(2.0)
    found = overview(path)
    assert (found.duration_s, found.column_s, len(found.lows)) == (2.0, 0.01, 200)
    hops = wave.reshape(-1, HOP)
    np.testing.assert_array_equal(found.lows, hops.min(axis=1))
    np.testing.assert_array_equal(found.highs, hops.max(axis=1))
    whole = spectrogram(wave, RATE)
    np.testing.assert_allclose(found.energies[:, : whole.shape[1]], whole, atol=1e-5)


@pytest.mark.parametrize("seconds", [10.0, 12.345, 21.0])
def test_joined_columns_are_those_of_the_whole(noise, monkeypatch, seconds):
    monkeypatch.setattr(module, "COLUMNS", 64)
    monkeypatch.setattr(module, "TOGETHER", 37)
    path, wave = noise(seconds)
    found = overview(path)
    width = round(found.column_s * RATE)
    assert 32 < len(found.lows) <= 64
    assert found.width_s >= found.duration_s == pytest.approx(seconds)
    starts = range(0, len(wave), width)
    assert len(starts) == len(found.lows)
    np.testing.assert_array_equal(found.highs, [wave[n : n + width].max() for n in starts])
    np.testing.assert_array_equal(found.lows, [wave[n : n + width].min() for n in starts])
    frames = mel_frames(np.pad(wave, (0, -len(wave) % HOP + module.OVERLAP)))
    means = [frames[n // HOP : (n + width) // HOP].mean(axis=0) for n in starts]
    np.testing.assert_allclose(found.energies, contrasted(np.array(means).T), atol=1e-5)


def test_a_float_recording_beyond_full_scale_is_scaled(noise):
    path, wave = noise(1.0, peak=4.0)
    found = overview(path)
    assert found.loudest == np.abs(wave).max() > 1
    assert found.peak == pytest.approx(1.0)


def test_a_very_short_recording_has_an_overview(noise):
    found = overview(noise(0.11)[0])
    assert found.energies.shape == (128, 11)


def test_bytes_and_arrays_have_the_overview_of_their_file(noise):
    path, wave = noise(3.0)
    expected = overview(path)
    for source in ({"bytes": path.read_bytes(), "path": "b.wav"}, (wave, RATE)):
        found = overview(source)
        np.testing.assert_array_equal(found.lows, expected.lows)
        np.testing.assert_array_equal(found.energies, expected.energies)


def test_an_unreadable_recording_is_an_error(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"a\.wav"):
        overview(tmp_path / "a.wav")


@pytest.mark.slow
def test_an_hour_takes_the_memory_of_ten_minutes(tmp_path):
    program = (
        "import resource, sys; from pathlib import Path;"
        "from auricle.report.overview import overview; overview(Path(sys.argv[1]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    taken = {}
    minute = np.random.default_rng(0).uniform(-0.1, 0.1, 60 * RATE)
    for minutes in (10, 60):
        with soundfile.SoundFile(tmp_path / "long.wav", "w", RATE, 1) as file:
            for _ in range(minutes):
                file.write(minute)
        command = [sys.executable, "-c", program, str(tmp_path / "long.wav")]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        taken[minutes] = int(ran.stdout)
    assert taken[60] < 1.1 * taken[10]
    assert COLUMNS * 128 * 8 < 4e6
