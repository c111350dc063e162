"""Measures of a recording: duration, rate, level, clipping, digest."""

import hashlib

import numpy as np
import pytest
import soundfile

from auricle.audio import load
from auricle.audio.level import level_dbfs
from auricle.audio.load import load_audio
from auricle.audio.measure import measure
from auricle.errors import AudioError
from tests.helpers.sounds import tone

RATE_HZ = 16_000


def test_measure(tmp_path):
    stereo = tmp_path / "stereo.wav"
    soundfile.write(stereo, np.stack([tone(2.0)] * 2, axis=1), RATE_HZ)
    sound = measure(stereo)
    assert (sound.duration_s, sound.sample_rate_hz, sound.clipped) == (2.0, RATE_HZ, 0.0)
    assert sound.level_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    section = measure(stereo, 0.5, 1.25)
    assert section.duration_s == 0.75
    assert section.digest != sound.digest
    full = tmp_path / "full.wav"
    soundfile.write(full, tone(1.0) * 2, RATE_HZ)
    assert measure(full).clipped == 0.0  # full scale, yet not clipped
    soundfile.write(full, np.clip(tone(1.0) * 4, -1, 1), RATE_HZ)
    assert measure(full).clipped == pytest.approx(2 / 3, abs=0.02)  # |2 sin| > 1
    with pytest.raises(AudioError, match="no such file"):
        measure(tmp_path / "gone.wav")


@pytest.mark.parametrize("gain", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_measures_of_pieces_are_those_of_the_whole(tmp_path, monkeypatch, gain, channels):
    """Across the borders too: of runs of clipped samples, and of the scaling of loud recordings."""
    path = tmp_path / "a.wav"
    sound = np.repeat(gain * tone(2.0, frequency_hz=50)[:, None], channels, axis=1) + 0.01
    soundfile.write(path, np.clip(sound, -1.5, 1.5), RATE_HZ, "FLOAT")
    whole, waveform = measure(path), load_audio(path, RATE_HZ).waveform
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")
    assert whole.digest == hashlib.blake2b(pcm.tobytes(), digest_size=16).hexdigest()
    assert whole.level_dbfs == pytest.approx(level_dbfs(waveform))
    assert (whole.clipped > 0) == (gain > 2)
    for frames in (5000, 4097, 10):
        monkeypatch.setattr(load, "PIECE_FRAMES", frames)
        pieces = measure(path)
        assert (pieces.digest, pieces.duration_s) == (whole.digest, whole.duration_s)
        assert pieces.clipped == whole.clipped
        assert pieces.level_dbfs == pytest.approx(whole.level_dbfs, abs=1e-6)


def test_a_wav_cut_short_misses_what_its_header_declares(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(10.0), RATE_HZ)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 4])
    assert measure(path).missing_s == pytest.approx(7.5, abs=0.01)
    assert measure(path, 0.0, 1.0).missing_s == 0  # nothing of the section
