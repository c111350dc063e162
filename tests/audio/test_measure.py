"""Measures of a recording: duration, rate, level, clipping, digest."""

import numpy as np
import pytest
import soundfile

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
