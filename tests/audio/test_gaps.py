"""Times are those of the film: where packets are missing, the recording is silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auricle.audio.load import load_audio
from tests.helpers.sounds import tone

RATE = 48_000
KINDS = {"mp4": "aac", "mkv": "libopus", "webm": "libopus", "ts": "mp2"}


def write_film(path: Path, late_s: float = 0.0, muted_s: tuple[float, float] = (0.0, 0.0)) -> Path:
    """A film of 6 s with a tone from ``late_s`` on; the packets within ``muted_s`` are left out."""
    av = pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    sound = tone(6.0 - late_s, RATE)
    with av.open(str(path), "w") as file:
        pictures = file.add_stream("vp8" if path.suffix == ".webm" else "mpeg4", rate=25)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        stream = file.add_stream(KINDS[path.suffix[1:]], rate=RATE, layout="mono")
        size = {"aac": 1024, "libopus": 960, "mp2": 1152}[KINDS[path.suffix[1:]]]
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, round(late_s * RATE)
        resampler = av.AudioResampler(stream.format.name, "mono", RATE, frame_size=size)
        packets = [
            packet
            for piece in [*resampler.resample(frame), *resampler.resample(None), None]
            for packet in stream.encode(piece)
        ]
        for number in range(150):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = number
            packets += pictures.encode(picture)
        packets += pictures.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            place_s = float(packet.pts * packet.time_base)
            if packet.stream is pictures or not muted_s[0] <= place_s < muted_s[1]:
                file.mux(packet)
    return path


def loud_s(waveform: np.ndarray) -> tuple[float, float]:
    """The first and last second with sound."""
    loud = np.flatnonzero(np.abs(waveform) > 0.1)
    return float(loud[0]) / RATE, float(loud[-1]) / RATE


@pytest.mark.parametrize("kind", KINDS)
def test_sound_that_begins_after_its_film_is_as_late_in_the_recording(tmp_path, kind):
    found = load_audio(write_film(tmp_path / f"a.{kind}", late_s=2.0), RATE)
    assert loud_s(found.waveform) == pytest.approx((2.0, 6.0), abs=0.08)
    assert found.duration_s == pytest.approx(6.0, abs=0.08)
    assert found.missing_s < 0.1
    section = load_audio(tmp_path / f"a.{kind}", RATE, 1.0, 3.0)
    assert loud_s(section.waveform) == pytest.approx((1.0, 2.0), abs=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gap_is_silent_and_what_follows_keeps_its_time(tmp_path, kind):
    path = write_film(tmp_path / f"a.{kind}", muted_s=(2.5, 4.5))
    found = load_audio(path, RATE)
    assert loud_s(found.waveform) == pytest.approx((0.0, 6.0), abs=0.08)
    assert not np.any(found.waveform[3 * RATE : 4 * RATE])
    inside, after = (load_audio(path, RATE, start_s, start_s + 1) for start_s in (4.0, 4.75))
    assert loud_s(inside.waveform) == pytest.approx((0.5, 1.0), abs=0.1)
    assert loud_s(after.waveform) == pytest.approx((0.0, 1.0), abs=0.1)
