"""A section of a recording is the same wherever it is read from, and costs the same."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import soundfile

from auricle.audio import damage, load, readers
from auricle.audio.load import load_audio, load_sections
from auricle.audio.mp3 import ConstantRate
from auricle.audio.stream import RecordingStream
from auricle.errors import AudioError
from tests.helpers.sounds import tone

RATE = 16_000
KINDS = ["wav", "flac", "ogg", "opus", "mp3", "vbr.mp3", "m4a", "mp4", "mkv", "webm"]
IN_MILLISECONDS = ("mkv", "webm")  # what these containers round time stamps to


def chirp(seconds: float, rate_hz: int) -> np.ndarray:
    """A rising tone in noise: no two moments of it are alike."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).standard_normal(len(t))
    return (0.3 * np.sin(2 * np.pi * (200 + 5 * t) * t) + 0.05 * noise).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_section_is_a_slice_of_the_whole(tmp_path, write_sound, kind):
    rate_hz = 48_000 if kind in ("opus", "webm") else 44_100
    path = write_sound(tmp_path / f"a.{kind}", chirp(30.0, rate_hz), rate_hz)
    whole = load_audio(path, rate_hz)
    for start_s, end_s in ((0.01, 1.0), (10.0, 12.0), (21.3333, 23.0), (29.0, 60.0)):
        section = load_audio(path, rate_hz, start_s, end_s)
        expected = whole.waveform[round(start_s * rate_hz) : round(end_s * rate_hz)]
        assert section.start_s == start_s
        assert section.duration_s == pytest.approx(whole.duration_s, abs=0.06)
        if kind in IN_MILLISECONDS:
            assert abs(delay(expected, section.waveform)) < 1e-3 * rate_hz
        else:
            np.testing.assert_allclose(section.waveform, expected, atol=1e-6)


def test_asking_for_a_length_that_no_header_declares_loses_nothing(tmp_path, write_sound):
    rate_hz = 48_000
    path = write_sound(tmp_path / "a.streamed.webm", chirp(30.0, rate_hz), rate_hz)
    whole = load_audio(path, rate_hz).waveform
    sections = [*load_sections(path, rate_hz, [(0.0, 10.0), (10.0, 20.0), (20.0, None)])]
    assert sections[0].duration_s == pytest.approx(30.0, abs=0.06)
    np.testing.assert_array_equal(np.concatenate([one.waveform for one in sections]), whole)
    assert sum(map(len, RecordingStream(path, rate_hz))) == len(whole)


def test_a_section_does_not_depend_on_what_was_read_before(tmp_path, write_sound):
    """The decoder of AAC fills in noise, of a generator that every frame moves on."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((44_100 * 12, 2)).astype(np.float32)
    path = write_sound(tmp_path / "a.m4a", noise, 44_100)
    _, after_one = load_sections(path, RATE, [(0.0, 1.0), (9.0, None)])
    _, after_two = load_sections(path, RATE, [(0.0, 2.0), (9.0, None)])
    np.testing.assert_array_equal(after_one.waveform, after_two.waveform)


def delay(expected: np.ndarray, found: np.ndarray, most: int = 100) -> int:
    """By how many samples ``found`` comes later."""
    middle = expected[1000:20_000]
    fits = [np.dot(middle, found[1000 + shift : 20_000 + shift]) for shift in range(-most, most)]
    return int(np.argmax(fits)) - most


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_a_section_that_is_none_is_refused(start_s, end_s):
    with pytest.raises(AudioError, match="must start at 0 s or later, and end after its start"):
        load_audio((tone(3.0), RATE), RATE, start_s, end_s)


def test_a_peak_outside_the_section_leaves_its_level(tmp_path):
    sound = np.concatenate([tone(1.0), 8 * tone(1.0)])  # floats may lie beyond full scale
    soundfile.write(tmp_path / "a.wav", sound, RATE, "FLOAT")
    section = load_audio(tmp_path / "a.wav", RATE, 0.25, 0.75).waveform
    assert np.abs(section).max() == pytest.approx(0.5, abs=1e-3)
    assert np.abs(load_audio(tmp_path / "a.wav", RATE, 1.25, 1.75).waveform).max() == 1.0


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "vbr.mp3", "m4a"])
def test_windows_read_front_to_back_decode_no_second_twice(
    tmp_path, write_sound, monkeypatch, kind
):
    sound = chirp(30.0, RATE)
    path = write_sound(tmp_path / f"a.{kind}", sound, RATE)
    decoded = 0

    def counted(tracks):
        nonlocal decoded
        decoded += len(tracks)
        return original(tracks)

    from auricle.audio import load

    original = load._tracks
    monkeypatch.setattr(load, "_tracks", counted)
    windows = [(start_s, start_s + 10.0) for start_s in np.arange(0.0, 29.0, 2.5)]
    found = list(load_sections(path, RATE, windows))
    assert decoded <= len(sound) + 2 * damage.BLOCK_FRAMES
    for recording, (start_s, end_s) in zip(found, windows, strict=True):
        alone = load_audio(path, RATE, start_s, end_s)
        np.testing.assert_allclose(recording.waveform, alone.waveform, atol=1e-6)
        assert recording.end_s == pytest.approx(alone.end_s)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "vbr.mp3", "m4a"])
def test_a_late_section_decodes_no_more_than_an_early_one(tmp_path, write_sound, monkeypatch, kind):
    path = write_sound(tmp_path / f"a.{kind}", chirp(120.0, RATE), RATE)
    taken = []
    for name in ("SoundFileReader", "FFmpegReader"):
        monkeypatch.setattr(getattr(readers, name), "blocks", spied(getattr(readers, name), taken))
    load_audio(path, RATE, 110.0, 112.0)
    assert sum(taken) <= 2.5 * RATE + 2 * damage.BLOCK_FRAMES


def spied(reader: type, taken: list[int]):
    original = reader.blocks

    def blocks(self, start=0):
        for block in original(self, start):
            taken.append(len(block))
            yield block

    return blocks


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "vbr.mp3", "m4a"])
def test_a_section_after_the_end_is_refused(tmp_path, write_sound, kind):
    path = write_sound(tmp_path / f"a.{kind}", chirp(3.0, RATE), RATE)
    for start_s in (3.5, 900.0):
        message = rf"a.{kind}: lasts 3.*the section starts at {start_s:g} s; correct start_s"
        with pytest.raises(AudioError, match=message):
            load_audio(path, RATE, start_s, start_s + 10)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "vbr.mp3"])
def test_sections_of_a_file_cut_short(tmp_path, write_sound, kind):
    path = write_sound(tmp_path / f"a.{kind}", chirp(60.0, RATE), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    whole = load_audio(path, RATE)
    assert 20.0 < whole.duration_s < 32.0
    section = load_audio(path, RATE, 15.0, 18.0).waveform
    np.testing.assert_allclose(section, whole.waveform[15 * RATE : 18 * RATE], atol=1e-6)
    with pytest.raises(AudioError, match="the section starts at 50 s"):
        load_audio(path, RATE, 50.0, 55.0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("quality", [0.1, 0.9])
def test_frames_of_an_mp3_of_constant_rate_are_found_by_computing(
    tmp_path, rate_hz, channels, quality
):
    """Of MPEG 1, 2 and 2.5, with and without the tag in which LAME writes its delay."""
    sound = np.tile(chirp(20.0, rate_hz)[:, None], (1, channels))
    path = tmp_path / "a.mp3"
    kind = {"bitrate_mode": "CONSTANT", "compression_level": quality}
    with soundfile.SoundFile(path, "w", rate_hz, channels, **kind) as file:
        file.write(sound)
    with path.open("rb") as stream:
        rate = ConstantRate.of(stream)
        assert rate is not None
        assert rate.place(stream, 200) is not None
        assert rate.place(stream, 10**9) is None
    whole = load_audio(path, rate_hz).waveform
    for start_s in (1.0, 12.3456, 19.0):
        section = load_audio(path, rate_hz, start_s, start_s + 0.5).waveform
        start = round(start_s * rate_hz)
        np.testing.assert_allclose(section, whole[start : start + len(section)], atol=1e-6)


@pytest.mark.parametrize("qualities", [(0.1, 0.9), (0.9, 0.1), (0.5, 0.5)])
def test_joined_mp3s_are_read_right(tmp_path, qualities):
    """Where frames stand elsewhere than computed, they are found all the same."""
    parts = []
    for number, quality in enumerate(qualities):
        path = tmp_path / f"{number}.mp3"
        kind = {"bitrate_mode": "CONSTANT", "compression_level": quality}
        with soundfile.SoundFile(path, "w", RATE, 1, **kind) as file:
            file.write(chirp(10.0, RATE))
        parts.append(path.read_bytes())
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(parts))
    whole = load_audio(joined, RATE).waveform
    for start_s in (3, 8, 12, 18):
        if len(whole) < (start_s + 1) * RATE:  # the first part's tag may say that all ends there
            break
        section = load_audio(joined, RATE, start_s, start_s + 1).waveform
        expected = whole[start_s * RATE : (start_s + 1) * RATE]
        np.testing.assert_allclose(section, expected, atol=1e-6)


def test_arrays_and_open_files_have_sections_too(tmp_path, write_sound):
    sound = chirp(5.0, RATE)
    path = write_sound(tmp_path / "a.wav", sound, RATE)
    with path.open("rb") as stream:
        for source in ((sound, RATE), stream, path.read_bytes()):
            section = load_audio(source, RATE, 2.0, 3.0).waveform
            np.testing.assert_allclose(section, sound[2 * RATE : 3 * RATE], atol=1e-4)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("rate_hz", [RATE, 11_025])
def test_long_sections_are_resampled_as_one(tmp_path, write_sound, monkeypatch, kind, rate_hz):
    path = write_sound(tmp_path / f"a.{kind}", chirp(20.0, 32_000), 32_000)
    sections = [(0.0, None), (0.5, 11.0), (1.0, 30.0)]
    expected = list(load_sections(path, rate_hz, sections))
    monkeypatch.setattr(load, "PIECE_FRAMES", 2 * RATE + 1)
    for found, whole in zip(load_sections(path, rate_hz, sections), expected, strict=True):
        np.testing.assert_allclose(found.waveform, whole.waveform, atol=1e-6)
        assert found.duration_s == pytest.approx(whole.duration_s, abs=0.07)


def test_what_is_too_long_to_load_is_refused_and_read_in_sections(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(60 * RATE), RATE)
    monkeypatch.setattr(load, "MAX_SAMPLES", 36 * RATE)
    with pytest.raises(
        AudioError, match=r"a\.flac: more than 0\.0 h to load at once; give start_s"
    ):
        load_audio(path, RATE)
    assert load_audio(path, RATE, end_s=30).duration_s == 60


def test_hours_of_silence_take_no_more_memory_than_a_piece(tmp_path):
    path = tmp_path / "a.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        for _ in range(20):
            file.write(np.zeros(60 * 8_000, np.float32))
    tracemalloc.start()
    try:
        with load.open_window(path) as window:
            seconds = sum(len(p) for p in window.pieces(0.0, None, 1_000)) / 1_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds == 20 * 60
    assert peak < 4 * load.PIECE_FRAMES * 4
