"""Pipes: a WAV or raw samples give the samples that they hold, however they come."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from auricle.audio.live import LiveSound
from auricle.audio.pipe import PcmFormat, Pipe
from auricle.errors import AudioError
from tests.helpers.sounds import tone

RATE = 16_000


class Bits(io.RawIOBase):
    """A file that gives only a few bytes at a time."""

    name = "bits"

    def __init__(self, data: bytes, most: int = 1001) -> None:
        self._data, self._most = io.BytesIO(data), most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._most))


def heard(data: bytes, raw: PcmFormat | None = None, **options) -> np.ndarray:
    pieces = list(LiveSound(Pipe(Bits(data, **options), raw), RATE))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def wav(sound, rate_hz=RATE, subtype="PCM_16", format="WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate_hz, subtype, format=format)
    return file.getvalue()


@pytest.mark.parametrize("format", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_of_every_plain_kind(format, subtype):
    data = wav(tone(1.23), subtype=subtype, format=format)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    assert np.array_equal(heard(data), expected)


def test_channels_are_averaged():
    sound = np.stack([tone(1.0), 0.5 * tone(1.0)], axis=1)
    assert np.allclose(heard(wav(sound)), 0.75 * tone(1.0), atol=1e-4)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFF00])
def test_a_size_that_its_writer_did_not_know_means_all_that_comes(size):
    data = bytearray(wav(tone(1.0)))
    place = data.index(b"data") + 4
    data[place : place + 4] = size.to_bytes(4, "little")
    assert len(heard(bytes(data))) == RATE


def test_what_follows_the_declared_samples_is_not_heard():
    assert len(heard(wav(tone(1.0)) + b"LIST\x04\x00\x00\x00INFO" * 1000)) == RATE


def test_chunks_before_the_samples_are_passed_over():
    data = wav(tone(1.0))
    place = data.index(b"fmt ")
    odd = b"junk" + (70_001).to_bytes(4, "little") + bytes(70_002)
    assert len(heard(data[:place] + odd + data[place:])) == RATE


@pytest.mark.parametrize(
    ("samples", "subtype"),
    [
        ("u8", "PCM_U8"),
        ("s16le", "PCM_16"),
        ("s24le", "PCM_24"),
        ("s32le", "PCM_32"),
        ("f32le", "FLOAT"),
    ],
)
def test_raw_samples(samples, subtype):
    sound = np.stack([tone(1.0), tone(1.0)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, subtype, endian="LITTLE", format="RAW")
    found = heard(file.getvalue(), PcmFormat(RATE, 2, samples))
    assert np.allclose(found, tone(1.0), atol=0.01)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_part_of_a_sample_at_the_end_is_left_out(cut):
    data = (tone(1.0) * 32767).astype("<i2").repeat(2).tobytes()
    assert len(heard(data[:-cut], PcmFormat(RATE, 2))) == RATE - 1
    assert len(heard(wav(np.stack([tone(1.0)] * 2, axis=1))[:-cut])) == RATE - 1


def test_a_truncated_wav_gives_what_came():
    assert len(heard(wav(tone(1.0))[: 44 + RATE])) == RATE // 2


def test_a_wav_keeps_its_own_format_beside_raw_options():
    assert len(heard(wav(tone(1.0)), PcmFormat(48_000, 2, "f32le"))) == RATE


@pytest.mark.parametrize(
    "data", [b"", b"not sound at all", wav(tone(1.0))[:30], b"RIFF\0\0\0\0WAVE"]
)
def test_what_is_no_sound_is_one_line(data):
    with pytest.raises(
        AudioError, match=r"^bits: (nothing came in|not a WAV|a WAV without)"
    ) as got:
        heard(data)
    assert "\n" not in str(got.value)


@pytest.mark.parametrize("subtype", ["ULAW", "IMA_ADPCM"])
def test_a_coded_wav_names_the_way_to_convert_it(subtype):
    with pytest.raises(AudioError, match="convert it: ffmpeg"):
        heard(wav(tone(1.0), subtype=subtype))


def test_a_header_with_wild_values_is_one_line():
    data = bytearray(wav(tone(1.0)))
    data[24:28] = (2**31).to_bytes(4, "little")  # the sample rate
    with pytest.raises(AudioError, match="header is broken"):
        heard(bytes(data))


def test_a_file_that_fails_is_one_line():
    class Broken(Bits):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the line is dead")

    with pytest.raises(AudioError, match=r"bits: cannot be read .the line is dead"):
        list(LiveSound(Pipe(Broken(b"")), RATE))


@pytest.mark.parametrize("wrong", [{"rate_hz": 0}, {"channels": 0}, {"samples": "s8"}])
def test_formats_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PcmFormat(**wrong)
