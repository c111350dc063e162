"""Sounds inside pages: pieces are one sound, and a constant bit rate bounds the size."""

import io

import numpy as np
import pytest
import soundfile

from auricle.audio.inline import encoded

RATE = 16_000


@pytest.mark.parametrize("codec", ["flac", "mp3"])
def test_pieces_are_encoded_as_one_sound(codec):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    pieces = np.split(sound, [10, 5000, 5000, 20_001])
    whole = encoded([sound], RATE, codec)
    heard, rate_hz = soundfile.read(io.BytesIO(encoded(pieces, RATE, codec)))
    np.testing.assert_array_equal(heard, soundfile.read(io.BytesIO(whole))[0])
    assert (rate_hz, len(heard)) == (RATE, len(sound))


def test_a_constant_bit_rate_bounds_the_size():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 10 * RATE).astype(np.float32)
    for sound in (noise, np.zeros_like(noise)):
        size = len(encoded([sound], RATE, "mp3", squeezed=0.8))
        assert 8 * size / 10 == pytest.approx(40_000, rel=0.05)
