"""Sources are heard ahead, batched by length, encoded once, and keep their places."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import soundfile
import torch

from auricle.audio.load import load_audio, load_sections
from auricle.data.clip import Clip, Mix, load_clip
from auricle.errors import AudioError
from auricle.hearing import WINDOW, hear, hear_each
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config

RATE = 16_000


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
