"""Headers of audio files."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.audio.header import probe
from auricle.errors import AudioError


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.wav", "wav"), ("a.flac", "flac"), ("a.ogg", "ogg vorbis"), ("a.mp3", "mp3")],
)
def test_a_header_tells_rate_duration_and_format(write_tone, name, kind):
    header = probe(write_tone(name, 0.5, 22_050))
    assert (header.rate_hz, header.format) == (22_050, kind)
    assert header.duration_s == pytest.approx(0.5, abs=0.05)


def test_a_film_tells_its_container_and_codec(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=16_000, layout="mono")
        samples = np.zeros((1, 16_000), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 16_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert probe(path).format == "m4a aac"


def test_no_audio_is_an_error(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no")
    with pytest.raises(AudioError):
        probe(tmp_path / "a.wav")
