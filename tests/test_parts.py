"""Recordings that are heard in parts: what ends one early, and what becomes of what was heard."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from auricle.errors import AudioError
from auricle.hearing import hear
from auricle.parts import Parts, hear_parts
from tests.helpers.models import make_bundle

RATE = 16_000
SECONDS = 45


@pytest.fixture(scope="module")
def model():
    return make_bundle(0).model


@pytest.fixture
def noise():
    return (np.random.default_rng(0).standard_normal(SECONDS * RATE) * 0.1).astype(np.float32)


class FailingFile(io.BytesIO):
    """An open file that can be read but for its last tenth."""

    name = "net.wav"

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0.9 * len(self.getbuffer()):
            raise OSError(5, "Input/output error")
        return super().read(size)


def wav(sound) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, "FLOAT", format="WAV")
    return file.getvalue()


def test_parts_cover_the_recording_evenly(noise):
    parts = Parts((noise, RATE), RATE, 10.0)
    assert parts.are_several
    spans = [(part.start_s, part.end_s) for part in parts]
    assert spans == [(9.0 * place, 9.0 * (place + 1)) for place in range(5)]
    assert np.array_equal(
        np.concatenate([p.waveform for p in Parts((noise, RATE), RATE, 10.0)]), noise
    )
    assert [p.end_s for p in Parts((noise, RATE), RATE, 10.0, 25.0)][-1] == pytest.approx(25.0)
    assert not Parts((noise[: 9 * RATE], RATE), RATE, 10.0).are_several


def test_samples_that_are_not_finite_end_what_is_heard_with_a_line_that_says_so(model, noise):
    noise[30 * RATE] = np.nan
    parts = Parts((noise, RATE), RATE, 10.0)
    found = hear_parts([model], parts, 2)
    assert found.end_s == pytest.approx(27.0)
    assert "1 of 144000 samples from 27 s on are NaN" in parts.broken
    (heard,) = hear([model], [(noise, RATE)])
    assert heard.error is None
    assert "NaN" in heard.note
    assert heard.note.endswith("captioned the 22.5 s before")


def test_nothing_is_heard_where_the_first_part_is_broken(model, noise):
    noise[100] = np.inf
    (heard,) = hear([model], [(noise, RATE)])
    assert "1 of" in str(heard.error)


def test_a_file_that_cannot_be_read_any_more_is_an_error(model, noise):
    """Unlike broken samples, it may be read another time."""
    heard, other = hear([model], [FailingFile(wav(noise)), noise])
    assert isinstance(heard.error, AudioError)
    assert "net.wav: cannot be read (Input/output error)" in str(heard.error)
    assert other.error is None
