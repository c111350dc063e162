"""Sources are heard ahead, batched by length, encoded once, and keep their places."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import soundfile
import torch

from auricle.audio.level import without_silent_ends
from auricle.audio.load import load_audio, load_sections
from auricle.data.clip import Clip, Mix, load_clip
from auricle.errors import AudioError
from auricle.hearing import WINDOW, hear, hear_each
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from tests.helpers.recordings import names, recording

RATE = 16_000
# Formats whose headers declare a duration, or the bytes of the sound.
DECLARING = ["wav", "24.wav", "ima.wav", "rf64.wav", "flac", "mp3", "vbr.mp3", "aiff", "au"]
DECLARING += ["w64", "alac.caf", "mkv", "webm", "flv"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return AudioCaptioner(debug_config()).eval()


@pytest.fixture(scope="module")
def sounds():
    noise = np.random.default_rng(0)
    lengths = noise.integers(RATE // 2, 3 * RATE, 19)
    return [(noise.standard_normal(length) * 0.1).astype(np.float32) for length in lengths]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_memories_are_those_of_each_clip_alone_in_the_order_given(model, sounds, batch_size):
    heard = list(hear([model], sounds, batch_size=batch_size))
    assert all(found.source is sound for found, sound in zip(heard, sounds, strict=True))
    for found, sound in zip(heard, sounds, strict=True):
        with torch.inference_mode():
            alone = model.encode([sound])
        (memory,) = found.memories
        length = int(memory.lengths[0])
        assert length == int(alone.lengths[0])
        assert torch.allclose(memory.memory[:, :length], alone.memory, atol=1e-4)
        assert torch.allclose(memory.embedding, alone.embedding, atol=1e-4)


def test_batches_hold_recordings_of_like_length(model, sounds):
    batches = []

    def work(batch):
        batches.append([len(heard.recording.waveform) for heard in batch.heard])
        return batch.heard

    list(hear_each([model], sounds, work, batch_size=4))
    window = sorted(map(len, sounds[: 4 * WINDOW]))
    assert sorted(batches[:WINDOW]) == [window[i : i + 4] for i in range(0, 4 * WINDOW, 4)]
    assert [len(batch) for batch in batches[WINDOW:]] == [3]


def test_failures_stand_in_their_place(model, sounds, tmp_path):
    (tmp_path / "bad.wav").write_text("not audio")
    sources = [sounds[0], tmp_path / "bad.wav", tmp_path / "gone.wav", sounds[1]]
    heard = list(hear([model], sources, batch_size=2))
    assert [found.source for found in heard[1:3]] == sources[1:3]
    assert [found.error is None for found in heard] == [True, False, False, True]
    assert "gone.wav: no such file" in str(heard[2].error)
    assert heard[1].recording is None
    assert heard[1].memories == ()


def test_an_encoder_that_models_share_runs_once(model, sounds, monkeypatch):
    torch.manual_seed(1)
    other = AudioCaptioner(debug_config()).eval()
    other.encoder = model.encoder
    runs = []
    original = type(model.encoder).forward
    monkeypatch.setattr(
        type(model.encoder), "forward", lambda *a: runs.append(len(a[2])) or original(*a)
    )
    heard = list(hear([model, other], sounds[:3]))
    assert runs == [3]
    assert len(heard[0].memories) == 2
    assert not torch.allclose(heard[0].memories[0].embedding, heard[0].memories[1].embedding)


def test_clips_sections_mixes_and_loaded_recordings_are_sources(model, sounds, tmp_path):
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path, sound in zip(paths, sounds, strict=False):
        soundfile.write(path, sound, RATE, "FLOAT")
    section = Clip(paths[0], ("x",), "s", start_s=0.1, end_s=0.4)
    mixed = Clip(paths[0], ("x",), "m", mix=Mix(paths[1], level_db=1.0, offset_s=0.0))
    windows = list(load_sections(paths[0], RATE, [(0.0, 0.3), (0.1, 0.4)]))
    heard = list(hear([model], [section, mixed, *windows]))
    for found, clip in zip(heard, (section, mixed), strict=False):
        np.testing.assert_array_equal(found.recording.waveform, load_clip(clip, RATE))
    assert heard[0].recording.name == str(paths[0])
    assert (heard[0].recording.start_s, heard[0].recording.end_s) == pytest.approx((0.1, 0.4))
    assert torch.allclose(heard[3].memories[0].embedding, heard[0].memories[0].embedding, atol=1e-4)
    assert [found.note for found in heard] == [None] * 4


def test_anything_may_be_a_source_that_names_its_recording(model, sounds):
    def audio(row):
        if row["sound"] is None:
            raise AudioError("no recording")
        return row["sound"]

    rows = [{"sound": sounds[0]}, {"sound": None}, {"sound": sounds[1]}]
    heard = list(hear([model], rows, audio=audio))
    assert [found.source for found in heard] == rows
    assert str(heard[1].error) == "no recording"


def test_recordings_are_loaded_ahead_in_other_threads(model, sounds, tmp_path, monkeypatch):
    threads = set()

    def loaded(*arguments, **options):
        threads.add(threading.current_thread())
        return load_audio(*arguments, **options)

    monkeypatch.setattr("auricle.hearing.load_audio", loaded)
    taken = []
    sources = (taken.append(1) or sound for sound in [*sounds, *sounds, *sounds])
    next(hear([model], sources, batch_size=1))
    assert threading.current_thread() not in threads
    assert len(taken) < 3 * len(sounds)  # and not all of an endless list


def test_no_whole_file_is_noted_as_cut_short(model, tmp_path):
    paths = []
    for name in names():
        paths.append(tmp_path / f"a.{name}")
        paths[-1].write_bytes(recording(name, 3.0))
    heard = list(hear([model], paths))
    assert [found.error for found in heard] == [None] * len(paths)
    assert [found.note for found in heard] == [None] * len(paths)


@pytest.mark.parametrize("name", DECLARING)
def test_a_file_cut_short_is_noted(model, tmp_path, name):
    if name not in names():
        pytest.skip("the extra auricle[av] is not installed")
    content, path = recording(name, 8.0), tmp_path / f"a.{name}"
    path.write_bytes(content[: len(content) * 6 // 10])
    (found,) = hear([model], [path])
    words = found.note.split()
    assert found.note.startswith(f"{path}: cut short: ")
    assert found.note.endswith(" s can be decoded; captioned these")
    assert float(words[3]) == pytest.approx(4.8, abs=0.3)
    assert float(words[8]) == pytest.approx(8.0, abs=0.2)
    (start,) = hear([model], [Clip(path, (), "a", end_s=3.0)])  # what is missing was not wanted
    assert start.note is None


def test_an_mp3_appended_to_another_is_noted(model, tmp_path):
    noise = np.random.default_rng(0).standard_normal(25 * RATE) * 0.1
    contents = []
    for rate_hz in (RATE, 44_100):
        soundfile.write(tmp_path / "a.mp3", noise, rate_hz)
        contents.append((tmp_path / "a.mp3").read_bytes())
    for first, second in (contents[:1] * 2, contents, contents[::-1]):
        (tmp_path / "a.mp3").write_bytes(first + second)
        (found,) = hear([model], [tmp_path / "a.mp3"])
        assert "a.mp3: cut short: " in found.note
    (tmp_path / "a.mp3").write_bytes(contents[0] + b"TAG".ljust(128, b"\0"))
    (found,) = hear([model], [tmp_path / "a.mp3"])
    assert found.note is None


@pytest.mark.parametrize("size", [2**31 - 1, 2**32 - 1])
def test_a_wav_that_was_written_to_a_pipe_is_whole(model, tmp_path, size):
    content = bytearray(recording("wav", 3.0))
    content[40:44] = size.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    (found,) = hear([model], [tmp_path / "a.wav"])
    assert found.note is None
    assert found.recording.duration_s == 3


def test_silence_around_a_sound_is_not_encoded(model, sounds):
    sound = sounds[0][:RATE]
    hiss = (np.random.default_rng(1).standard_normal(5 * RATE) * 10 ** (-75 / 20)).astype("f4")
    for end in (np.zeros(5 * RATE, np.float32), hiss):
        longer = np.concatenate([end, sound, end])
        kept = without_silent_ends(longer, RATE)
        np.testing.assert_array_equal(kept, longer[round(4.5 * RATE) : round(6.5 * RATE)])
        (found,) = hear([model], [longer])
        with torch.inference_mode():
            alone = model.encode([kept])
        assert torch.allclose(found.memories[0].embedding, alone.embedding, atol=1e-4)
        assert found.recording.end_s == 11  # all of it was heard


def test_short_silence_and_faint_recordings_are_encoded_whole(sounds):
    sound, pause = sounds[0][:RATE], np.zeros(RATE, np.float32)
    for whole in (
        np.concatenate([pause, sound, pause]),  # ends of a second
        np.concatenate([sound, np.zeros(9 * RATE, np.float32), sound]),  # no end
        np.concatenate([0.05 * sound, np.zeros(9 * RATE, np.float32)]),  # faint throughout
        np.zeros(9 * RATE, np.float32),
        sound[:100],
    ):
        assert len(without_silent_ends(whole, RATE)) == len(whole)
