"""Loading: every kind of input becomes the same waveform, every bad one is refused in one line."""

from __future__ import annotations

import builtins
import io
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio.kinds import source_name
from auricle.audio.load import load_audio
from auricle.errors import AudioError
from auricle.extras import install_command
from tests.helpers.sounds import tone

RATE = 16_000


def assert_tone(waveform: np.ndarray) -> None:
    """It is the tone of helpers/sounds: pitch and level, whatever delay a codec adds."""
    spectrum = np.abs(np.fft.rfft(waveform))
    assert spectrum.argmax() * RATE / len(waveform) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(waveform**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def refusal(source, **options) -> str:
    with pytest.raises(AudioError) as caught:
        load_audio(source, RATE, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{source_name(source)}: ")
    return message


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_formats_and_rates(write_tone, suffix, rate_hz):
    recording = load_audio(write_tone(f"a.{suffix}", 2.0, rate_hz), RATE)
    assert recording.waveform.dtype == np.float32
    assert recording.waveform.ndim == 1
    assert recording.sample_rate_hz == RATE
    assert recording.duration_s == pytest.approx(2.0, abs=0.1)
    assert len(recording.waveform) == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert_tone(recording.waveform)


@pytest.mark.parametrize(("rate_hz", "channels"), [(192_000, 1), (192_000, 8), (8_000, 8)])
def test_unusual_rates_and_many_channels(write_tone, rate_hz, channels):
    recording = load_audio(write_tone("a.wav", 1.0, rate_hz, channels), RATE)
    assert len(recording.waveform) == RATE
    np.testing.assert_allclose(recording.waveform[800:-800], tone(1.0)[800:-800], atol=2e-3)


def test_every_way_to_give_a_recording(write_tone):
    path = write_tone("빗소리 one two.flac")
    expected = load_audio(path, RATE)
    assert expected.name == str(path)
    samples, rate_hz = soundfile.read(path, dtype="float32")
    pipe = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE)
    with path.open("rb") as stream, pipe:
        for source in (str(path), stream, path.read_bytes(), (samples, rate_hz), pipe.stdout):
            recording = load_audio(source, RATE)
            np.testing.assert_allclose(recording.waveform, expected.waveform, atol=1e-6)
            assert recording.duration_s == expected.duration_s
        assert not stream.closed


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "mkv", "webm"])
def test_what_ffmpeg_decodes(tmp_path, write_sound, suffix):
    path = write_sound(tmp_path / f"a.{suffix}", tone(3.0, 48_000), 48_000)
    whole = load_audio(path, RATE)
    assert whole.duration_s == pytest.approx(3.0, abs=0.1)
    assert_tone(whole.waveform)
    start = load_audio(path.read_bytes(), RATE, end_s=1.0)
    assert len(start.waveform) == RATE
    assert start.duration_s == pytest.approx(3.0, abs=0.1)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x1cftypM4A " + bytes(1000))
    real_import = builtins.__import__

    def no_av(name, *rest):
        if name == "av":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_av)
    assert install_command("av") in refusal(path)


def test_a_long_file_costs_only_its_start(tmp_path):
    path = tmp_path / "three hours.wav"
    with soundfile.SoundFile(path, "w", 8_000, 1, subtype="PCM_U8") as file:
        for _ in range(3 * 60):
            file.write(np.zeros(60 * 8_000, np.float32))
    began = time.perf_counter()
    recording = load_audio(path, RATE, end_s=30)
    assert time.perf_counter() - began < 1.0
    assert recording.duration_s == 3 * 3600
    assert len(recording.waveform) == 30 * RATE


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.float16, np.float64])
def test_sample_types(dtype):
    x = tone(1.0)
    if dtype is np.uint8:
        array = np.round(x * 128 + 128).astype(dtype)
    elif np.issubdtype(dtype, np.integer):
        array = np.round(x * np.iinfo(dtype).max).astype(dtype)
    else:
        array = x.astype(dtype)
    step = 1 / 128 if np.dtype(dtype).itemsize == 1 else 1e-3
    np.testing.assert_allclose(load_audio((array, RATE), RATE).waveform, x, atol=step)


def test_channels_are_averaged_unless_they_cancel():
    left, right = tone(1.0, frequency_hz=440), tone(1.0, frequency_hz=880)
    for pair in (np.stack([left, right]), np.stack([left, right], axis=1)):
        waveform = load_audio((pair, RATE), RATE).waveform
        np.testing.assert_allclose(waveform, (left + right) / 2, atol=1e-6)
    inverted = load_audio((np.stack([left, -left]), RATE), RATE).waveform
    np.testing.assert_allclose(inverted, left)


def test_too_loud_is_scaled_down_and_silence_stays():
    loud = load_audio((tone(1.0) * 20_000, RATE), RATE).waveform
    np.testing.assert_allclose(loud, tone(1.0) * 2, atol=1e-3)
    assert not load_audio((np.zeros(RATE), RATE), RATE).waveform.any()


@pytest.mark.parametrize("suffix", ["ogg", "mp3", "flac", "wav"])
def test_truncated_files_give_what_can_be_decoded(write_tone, suffix):
    path = write_tone(f"a.{suffix}", 60.0)  # an ogg is lost up to the page that is whole
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    recording = load_audio(path, RATE, end_s=90)
    assert 20.0 < recording.duration_s < 32.0
    assert len(recording.waveform) == pytest.approx(recording.duration_s * RATE, abs=2)
    assert_tone(recording.waveform)
    path.write_bytes(content[:60])
    assert refusal(path)


def test_bad_files_are_refused(tmp_path, monkeypatch):
    assert "no such file" in refusal(tmp_path / "gone.wav")
    assert "folder" in refusal(tmp_path)
    empty, text, header = tmp_path / "empty.wav", tmp_path / "text.wav", tmp_path / "header.wav"
    empty.touch()
    assert "empty" in refusal(empty)
    text.write_text("no sound here\n" * 100, encoding="utf-8")
    assert "not audio" in refusal(text)
    soundfile.write(header, np.zeros(0), RATE)
    assert "no samples" in refusal(header)
    soundfile.write(header, np.zeros(1), RATE)
    assert "at least 0.1 s" in refusal(header)
    for bad in (np.nan, np.inf):
        sound = tone(1.0)
        sound[7:9] = bad
        soundfile.write(header, sound, RATE, subtype="FLOAT")
        assert "2 of 16000 samples are NaN or infinite" in refusal(header)

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert "permission" in refusal(header)


def test_a_playlist_opens_nothing(tmp_path, write_tone):
    target = write_tone("a.wav")
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n")
    assert refusal(playlist)
    playlist.write_text(f"ffconcat version 1.0\nfile {target.name}\n")
    assert refusal(playlist)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((np.zeros(0), RATE), "no samples"),
        ((np.zeros((0, 2)), RATE), "no samples"),
        ((np.zeros(1), RATE), "at least"),
        ((np.full(RATE, 1e300), RATE), "infinite"),
        ((np.zeros(RATE, complex), RATE), "complex"),
        ((np.zeros(RATE, bool), RATE), "bool"),
        ((np.zeros(RATE, np.int64), RATE), "int64"),
        ((np.zeros((9, 9, 9)), RATE), "shape (9, 9, 9)"),
        ((np.array(0.5), RATE), "shape ()"),
        ((np.zeros((900, 800)), RATE), "channels"),
        (([0.1, [0.2]], RATE), "numpy"),
        ((np.zeros(RATE), 0), "rate"),
        ((np.zeros(RATE), -RATE), "rate"),
        ((np.zeros(RATE), float("nan")), "rate"),
        ((np.zeros(RATE), None), "rate"),
        ((np.zeros(RATE),), "(array, sample_rate_hz)"),
        (np.zeros(RATE), "sample rate"),
        (None, "not an audio input"),
        (io.StringIO("x"), "mode 'rb'"),
        (b"", "empty"),
        ("a\0b.wav", "path"),
    ],
)
def test_bad_inputs_are_refused(source, words):
    assert words in refusal(source)


def test_the_module_imports_without_numpy():
    code = (
        "import sys, auricle.audio.load, auricle.audio.find\n"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
