"""Labelled sounds: credits, licences, tracks and the recordings with nothing to tell."""

import struct

import numpy as np
import pytest
import soundfile

from auricle.tiny import sounds
from auricle.tiny.synthetic import CAPTIONS, KINDS, plain_recordings
from auricle.tiny.tracks import Track, coloured_noise, load_tracks, save_tracks, varied

TABLE = """\
| Filename (sounds_) / Source       | Author         | License      | Notes |
| --------------------------------- | -------------- | ------------ | ----- |
| [bear*][fws]                      | U.S. Service   | CC0          |       |
| [loon_[02-03]][loon_02]           | A. Bird        | CC BY-SA 3.0 |       |
| [door_close_01][]                 | LampEight      | CC BY-NC 3.0 |       |

| Filename (sounds_node_) / Source  | Author         | License      | Notes |
| --------------------------------- | -------------- | ------------ | ----- |
| [dug_glass.1][]                   | cmu            | CC BY 3.0    |       |
"""


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("CC0", True),
        ("CC-BY", True),
        ("CC BY 3.0", True),
        ("CC BY-SA 4.0", True),
        ("MIT", True),
        ("Public Domain", True),
        ("CC-BY-NC", False),
        ("CC BY-NC-SA 3.0", False),
        ("CC-Sampling+", False),
        ("GPL-2", False),
        ("", False),
    ],
)
def test_only_licences_that_allow_giving_the_weights_away(licence, may):
    assert sounds.may_ship(licence) is may


def test_minetest_sounds_carry_their_credit_and_label(tmp_path):
    (tmp_path / "sources.md").write_text(TABLE)
    for name in ("bear_01", "loon_02", "door_close_01", "node_dug_glass.1", "unlabelled"):
        (tmp_path / f"sounds_{name}.ogg").touch()
    labels = {"bear": ["Roar"], "loon": ["Hoot"], "door": ["Door"], "node_dug_glass": ["Glass"]}
    found = {s.name: s for s in sounds._minetest(tmp_path, labels)}
    assert set(found) == {"bear_01", "loon_02", "door_close_01", "node_dug_glass.1"}
    assert (found["loon_02"].author, found["loon_02"].licence) == ("A. Bird", "CC BY-SA 3.0")
    assert found["node_dug_glass.1"].author == "cmu"
    assert found["bear_01"].classes == ("Roar",)
    assert not sounds.may_ship(found["door_close_01"].licence)


def test_opensfx_archive_gives_titles_authors_and_audio(tmp_path):
    credit = b'"Ship horn". Original "a.aif" by Leon. '
    credit += b"License: Creative Commons Attribution 3.0 Unported.\0"
    payload = b"RIFF....WAVE"
    table = struct.pack("<II", 8, len(payload))
    (tmp_path / "a.cat").write_bytes(table + bytes([len(credit)]) + credit + payload)
    (sound,) = sounds._opensfx(tmp_path / "a.cat", {"Ship": ["Foghorn"]})
    assert (sound.name, sound.classes, sound.source) == ("Ship horn", ("Foghorn",), payload)
    assert sound.licence == "CC BY 3.0"
    assert "Leon" in sound.credit


def test_a_sound_is_read_from_bytes_and_from_a_path(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(np.arange(8000) / 5), 8000)
    for source in (path, path.read_bytes()):
        sound = sounds.Sound("t", "c", ("Music",), source, "us", "CC0", "here")
        assert len(sound.waveform(16_000, 5.0)) == 16_000


def test_varied_sounds_differ_and_stay_in_range():
    rng = np.random.default_rng(0)
    original = (0.5 * np.sin(np.arange(16_000) / 9)).astype(np.float32)
    several = [varied(original, 16_000, rng) for _ in range(12)]
    assert all(np.isfinite(x).all() and np.abs(x).max() <= 1.0 for x in several)
    assert all(x.dtype == np.float32 and len(x) > 4000 for x in several)
    assert len({round(float(x.std()), 6) for x in several}) == 12


def test_coloured_noise_falls_as_it_should():
    rng = np.random.default_rng(0)
    for slope in (0.0, 0.5, 1.0):
        power = np.abs(np.fft.rfft(coloured_noise(1 << 16, slope, rng))) ** 2
        low, high = power[100:1000].mean(), power[3200:32000].mean()
        octaves = np.log2(np.sqrt(3200 * 32000) / np.sqrt(100 * 1000))
        assert np.log2(low / high) / octaves == pytest.approx(2 * slope, abs=0.25)


def test_tracks_survive_the_disc(tmp_path):
    rng = np.random.default_rng(0)
    tracks = [Track(rng.normal(size=(n, 5)).astype(np.float32), (n, 1)) for n in (1, 4)]
    save_tracks(tmp_path / "t.npz", tracks)
    for before, after in zip(tracks, load_tracks(tmp_path / "t.npz"), strict=True):
        assert after.classes == before.classes
        assert after.log_odds == pytest.approx(before.log_odds, abs=1e-2)


def test_plain_recordings_are_of_every_kind_and_say_so():
    found = plain_recordings(2 * len(KINDS), 16_000, seed=1)
    assert [recording.captions for recording in found[: len(KINDS)]] == [
        tuple(CAPTIONS[kind]) for kind in KINDS
    ]
    for kind, recording in zip(KINDS * 2, found, strict=True):
        x = recording.waveform
        assert x.dtype == np.float32
        assert 0.5 * 16_000 <= len(x) <= 15 * 16_000
        loud = np.abs(x).max()
        assert loud < 0.02 if kind == "quiet" else 0.02 < loud <= 1.0
