"""Broken and hostile files, streams and pipes: all that goes wrong in reading is an AudioError."""

from __future__ import annotations

import errno
import io
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio import ffmpeg, load, source
from auricle.audio.kinds import source_name
from auricle.audio.load import load_audio, load_sections
from auricle.errors import AudioError
from auricle.hearing import hear
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from tests.helpers.recordings import recording
from tests.helpers.sounds import tone

RATE = 16_000


def refusal(given) -> str:
    with pytest.raises(AudioError) as caught:
        load_audio(given, RATE, end_s=30)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{source_name(given)}: ")
    return message


def broken(tmp_path: Path, name: str, place: int | bytes, field: bytes) -> Path:
    """A recording with other bytes at ``place``, or after the name of a chunk."""
    content = bytearray(recording(name))
    if isinstance(place, bytes):
        place = content.index(place) + len(place)
    content[place : place + len(field)] = field
    path = tmp_path / f"broken.{name}"
    path.write_bytes(content)
    return path


def adts(channels: int, rate_hz: int = RATE) -> bytes:
    """A second of AAC as it is broadcast."""
    av = pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as target:
        stream = target.add_stream("aac", rate=rate_hz)
        stream.layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels]
        sound = np.repeat(tone(1.0, rate_hz), channels)[None]
        frame = av.AudioFrame.from_ndarray(sound, "flt", stream.layout.name)
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler("fltp", stream.layout.name, rate_hz, frame_size=1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(piece))
        target.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "place", "field"),
    [
        ("wav", 20, b"\x34\x12"),  # a codec that is unknown
        ("wav", 34, b"\0\0"),  # no bits
        ("caf", b"desc", (2**62).to_bytes(8)),  # the next chunk lies beyond all files
        ("w64", b"fmt \xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a", (2**63 - 1).to_bytes(8)),
    ],
)
def test_headers_that_decoders_stumble_over(tmp_path, name, place, field, capfd):
    pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    assert "not audio in a known format" in refusal(broken(tmp_path, name, place, field))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("channels", "rate_hz"), [(2, RATE), (1, 32_000)])
def test_a_broadcast_may_change_its_channels_and_its_rate(channels, rate_hz):
    waveform = load_audio(adts(1) + adts(channels, rate_hz) + adts(1), RATE).waveform
    assert len(waveform) == pytest.approx(3.2 * RATE, rel=0.02)
    for second in (0.5, 1.6, 2.6):
        part = waveform[round(second * RATE) :][: RATE // 4]
        assert np.abs(np.fft.rfft(part)).argmax() * 4 == pytest.approx(440, abs=8)


def test_eight_channels_are_read_within_their_memory():
    waveform = load_audio(adts(8), RATE).waveform
    np.testing.assert_allclose(
        waveform[2000:2400].max(), 0.5 * 7 / 8, atol=0.02
    )  # one is for bass alone


class Failing(io.BytesIO):
    """A disk that fails after so many bytes."""

    def __init__(self, content: bytes, after: int, error: BaseException) -> None:
        super().__init__(content)
        self.after, self.error = after, error

    def read(self, size=-1):
        if self.tell() + size > self.after:
            raise self.error
        return super().read(size)

    readinto = None


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "mp3", "m4a", "mkv"])
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_failing_disk_is_named_not_heard_as_silence(name, share, capfd):
    content = recording(name, 5.0)
    error = OSError(errno.EIO, "Input/output error")
    stream = Failing(content, int(share * len(content)), error)
    assert "cannot be read (Input/output error)" in refusal(stream)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError("I/O operation on closed file"), TimeoutError()])
def test_other_failures_of_a_stream_are_named_too(error):
    assert "cannot be read" in refusal(Failing(recording("wav", 5.0), 10_000, error))


@pytest.mark.parametrize("name", ["wav", "mkv"])
def test_an_interruption_in_a_stream_is_one(name):
    content = recording(name, 5.0)
    with pytest.raises(KeyboardInterrupt):
        load_audio(Failing(content, len(content) // 2, KeyboardInterrupt()), RATE)


@pytest.mark.parametrize("name", ["wav", "mkv"])
def test_a_decoder_gets_no_more_than_it_asked_for(name):
    class Generous(io.BytesIO):
        def read(self, size=-1):
            return super().read(size) + bytes(100_000)

        readinto = None

    content = recording(name)
    expected = load_audio(content, RATE).waveform
    np.testing.assert_array_equal(load_audio(Generous(content), RATE).waveform, expected)


def test_a_closed_file_is_refused(tmp_path):
    with (tmp_path / "a.wav").open("wb+") as file:
        pass
    assert "closed file" in refusal(file)


def test_memory_that_a_header_asks_for_in_vain(monkeypatch):
    def allocate(*_, **__):
        raise MemoryError

    monkeypatch.setattr(soundfile.SoundFile, "read", allocate)
    assert "memory" in refusal(recording("wav"))


def test_memory_that_a_section_asks_for_in_vain(monkeypatch):
    def allocate(waveform):
        raise MemoryError

    monkeypatch.setattr(load, "within_full_scale", allocate)
    assert "too long for the memory" in refusal(recording("wav"))


def test_packets_without_a_sample_come_to_an_end(monkeypatch):
    content = bytearray(recording("m4a", 5.0))
    sound = slice(len(content) // 3, len(content) * 2 // 3)
    content[sound] = bytes(byte ^ 0xFF for byte in content[sound])
    whole = load_audio(bytes(content), RATE)  # damaged packets are left out
    monkeypatch.setattr(ffmpeg, "IDLE_PACKETS", 3)
    start = load_audio(bytes(content), RATE)
    assert 1 < start.duration_s < whole.duration_s - 1


def test_samples_far_beyond_full_scale_are_refused_before_they_become_nan(tmp_path):
    sound = tone(1.0, 44_100)
    sound[1000:2000] = np.sign(sound[1000:2000]) * 3e38
    soundfile.write(tmp_path / "huge.wav", sound, 44_100, "FLOAT")
    assert "a sample of 3.0e+38, but full scale is 1" in refusal(tmp_path / "huge.wav")
    sound = tone(1.0, 44_100) * 2**31  # integers as floats
    soundfile.write(tmp_path / "large.wav", sound, 44_100, "FLOAT")
    assert np.isfinite(load_audio(tmp_path / "large.wav", RATE).waveform).all()


@pytest.mark.parametrize("section", [(float("nan"), None), (1e308, None), (0.0, float("nan"))])
def test_a_section_at_no_time_is_refused(section):
    with pytest.raises(AudioError, match="must start at 0 s or later"):
        load_audio((tone(3.0), RATE), RATE, *section)


def test_a_pipe_without_a_writer_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PIPE_WAIT_S", 0.2)
    os.mkfifo(tmp_path / "x.wav")
    assert "nothing was written for 0.2 s" in refusal(tmp_path / "x.wav")


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_pipe_is_read_as_its_file(tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr(source, "PIPE_MEMORY", 2**26 if in_memory else 1000)
    content, pipe = recording("m4a", 5.0), tmp_path / "x.m4a"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[content])
    writer.start()
    found = load_audio(pipe, RATE)
    writer.join()
    np.testing.assert_array_equal(found.waveform, load_audio(content, RATE).waveform)


def test_an_endless_pipe_and_a_full_disk_are_refused(tmp_path, monkeypatch):
    class Pipe(io.RawIOBase):
        def read(self, size=-1):
            return bytes(size)

    monkeypatch.setattr(source, "PIPE_MOST", 3 * 2**20)
    assert "a pipe of more than" in refusal(Pipe())

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(source.tempfile.SpooledTemporaryFile, "write", full)
    assert "No space left on device" in refusal(Pipe())


def test_devices_and_sockets_are_refused(tmp_path):
    assert "a device or a socket" in refusal(Path("/dev/zero"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x.wav"))
        assert "a device or a socket" in refusal(tmp_path / "x.wav")


def test_no_file_ends_a_batch(tmp_path):
    bad = [
        broken(tmp_path, "wav", 20, b"\x34\x12"),
        broken(tmp_path, "caf", b"desc", (2**62).to_bytes(8)),
        Failing(recording("wav", 5.0), 10_000, OSError(errno.EIO, "Input/output error")),
    ]
    model = AudioCaptioner(debug_config()).eval()
    heard = list(hear([model], [tone(1.0), *bad, tone(1.0)], batch_size=2))
    assert [found.error is None for found in heard] == [True, False, False, False, True]


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "vbr.mp3", "m4a"])
def test_a_damaged_header_of_a_section_late_in_the_file(tmp_path, name):
    """Seeking in a broken file falls back to decoding, or is refused; it never escapes."""
    content = bytearray(recording(name, 5.0))
    random = np.random.default_rng(0)
    for _ in range(20):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 30):
            damaged[place] ^= 0xFF
        try:
            sections = list(load_sections(bytes(damaged), RATE, [(0.0, 0.5), (4.0, 4.5)]))
            assert all(np.isfinite(section.waveform).all() for section in sections)
        except AudioError:
            pass
