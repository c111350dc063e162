"""Fingerprints and duplicates, on synthesised sounds."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import soxr

from auricle.search import duplicates
from auricle.search.duplicates import Copy, find_copies, similar
from auricle.search.fingerprint import Fingerprint
from auricle.search.rows import Described, Indexed
from auricle.search.store import Index
from tests.search.conftest import MAKER

RATE = 16_000


def scene(seed: int, duration_s: float = 4.0) -> np.ndarray:
    """Bursts of tones and noise over a faint hiss, float32 [L]."""
    rng = np.random.default_rng(seed)
    x = 0.003 * rng.standard_normal(round(duration_s * RATE))
    for _ in range(round(5 * duration_s)):
        time_s = np.arange(round(RATE * rng.uniform(0.05, 0.5))) / RATE
        kind = rng.standard_normal(len(time_s)) if rng.random() < 0.4 else 0.0
        burst = np.sin(2 * np.pi * rng.uniform(200, 4000) * time_s) + kind
        first = rng.integers(len(x) - 1)
        some = min(len(burst), len(x) - first)
        x[first : first + some] += (0.1 * burst * np.exp(-6 * time_s))[:some]
    return (0.45 * x / np.abs(x).max()).astype(np.float32)


def words_of(waveform: np.ndarray, pieces: int = 1) -> np.ndarray:
    fingerprint = Fingerprint(RATE)
    for piece in np.array_split(np.asarray(waveform, np.float32), pieces):
        fingerprint.add(piece)
    return fingerprint.words()


def as_mp3(x: np.ndarray) -> np.ndarray:
    """At 64 kbit/s."""
    file = io.BytesIO()
    soundfile.write(file, x, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6316)
    file.seek(0)
    return soundfile.read(file)[0]


COPIES = {
    "mp3": as_mp3,
    "louder": lambda x: np.clip(2 * x, -1, 1),
    "trimmed": lambda x: x[round(0.06 * len(x)) : round(0.96 * len(x))],
    "resampled": lambda x: soxr.resample(soxr.resample(x, RATE, 22_050), 22_050, RATE),
    "a part": lambda x: x[RATE : 2 * RATE],
}


def test_a_fingerprint_is_the_same_in_pieces():
    x = scene(0)
    np.testing.assert_array_equal(words_of(x, 13), words_of(x))
    assert words_of(x).dtype == np.uint32
    assert len(words_of(x)) == pytest.approx((4.0 + 0.128) / 0.016, abs=2)


def test_a_fingerprint_of_nothing_or_silence_has_no_information():
    assert not words_of(np.zeros(0)).any()
    assert not words_of(np.zeros(RATE)).any()


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("duration_s", [0.6, 4.0])
def test_copies_are_found_among_others(kind, duration_s):
    if kind == "a part" and duration_s < 2:
        return
    prints = [words_of(scene(seed, duration_s)) for seed in range(40)]
    prints += [words_of(COPIES[kind](scene(seed, duration_s))) for seed in range(10)]
    found = list(similar(prints))
    assert [(one, other) for one, other, _ in found] == [(n, 40 + n) for n in range(10)]
    assert max(differs for *_, differs in found) < 0.15


def test_a_pair_is_found_also_where_many_share_a_word(monkeypatch):
    monkeypatch.setattr(duplicates, "BESIDE", 1)
    x = scene(1)
    prints = [words_of(x * level) for level in (1.0, 0.5, 0.25, 0.2)]
    assert [(one, other) for one, other, _ in similar(prints)] == [(0, 1), (1, 2), (2, 3)]


def test_noises_of_one_kind_are_no_copies():
    noises = np.random.default_rng(0).standard_normal((30, 2 * RATE)) * 0.1
    assert list(similar([words_of(x) for x in noises])) == []


def test_too_little_sound_is_not_judged():
    click = np.zeros(RATE)
    click[8000] = 0.5
    assert list(similar([words_of(click), words_of(click)])) != []
    words = words_of(click)
    words[np.flatnonzero(words)[3:]] = 0
    assert list(similar([words, words])) == []
    assert list(similar([])) == []


def test_groups_name_the_longest_first_and_the_kind_of_each_copy(tmp_path):
    x = scene(3)
    told = [Described(0.0, 4.0, "x", vector=np.ones(2) / np.sqrt(2))]
    with Index(tmp_path, MAKER) as index:
        for name, content, sound in (
            ("/other.wav", "c0", scene(4)),
            ("/b.wav", "c1", x),
            ("/a.wav", "c2", COPIES["trimmed"](x)),
            ("/c.wav", "c1", x),
            ("/d.mp3", "c3", as_mp3(x)),
        ):
            index.add([(Indexed(name, 1, 1, content), told)], {name: words_of(sound)})
        index.add([(Indexed("/broken.wav", 1, 1, "c4", reason="no sound"), [])])
        (group,) = find_copies(index)
    by_name = {one.audio: one for one in group}
    assert by_name["/a.wav"].kind == by_name["/d.mp3"].kind == "same sound"
    assert 0 < by_name["/a.wav"].difference < 0.15
    assert set(by_name) == {"/a.wav", "/b.wav", "/c.wav", "/d.mp3"}
    first = group[0]
    assert first.kind == "first"
    assert first.difference is None
    assert first.audio in ("/b.wav", "/d.mp3")  # an encoder adds a little silence


def test_the_same_content_is_a_copy_without_a_fingerprint(tmp_path):
    with Index(tmp_path, MAKER) as index:
        index.add([(Indexed(name, 1, 1, "c"), []) for name in ("/a.wav", "/b.wav")])
        assert find_copies(index) == [
            [Copy("/a.wav", "first"), Copy("/b.wav", "same content", 0.0)]
        ]
