"""Rendered mix-ups: what is in the files is what their manifest says, and nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio.level import level_dbfs
from auricle.audio.load import load_audio
from auricle.audio.mixing import FADE_S, draw
from auricle.data.clip import Clip, load_clip
from auricle.data.manifest import parse_mix, read_manifest, write_manifest
from auricle.errors import DataError
from auricle.mixup import render as render_module
from auricle.mixup.render import Rendering, refer, render
from auricle.mixup.waveforms import read_comment, write_waveform

RATE = 16_000


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """Two seconds of noise and one second, 20 dB apart; both could clip together."""
    paths = [tmp_path / "source" / name for name in ("long.wav", "short.wav")]
    paths[0].parent.mkdir()
    for number, (path, level) in enumerate(zip(paths, (0.3, 0.03), strict=True)):
        noise = level * np.random.default_rng(number).standard_normal((2 - number) * RATE)
        soundfile.write(path, noise.clip(-1, 1), RATE, "FLOAT")
    return paths


@pytest.fixture
def manifest(tmp_path: Path, sounds: list[Path]) -> Path:
    long, short = sounds
    row = Clip(long, ("both",), "mixup-0", "train", licence="CC0", extra={"mixup": {"seed": 1}})
    mixes = [
        {"audio": str(short)},
        {"audio": str(short), "level_db": -5.0, "offset_s": 0.5},
        {"audio": str(short), "relation": "followed by", "end_s": 0.5},
    ]
    rows = [
        replace(row, id=f"mixup-{number}", mix=parse_mix(mix, Path()))
        for number, mix in enumerate(mixes)
    ]
    write_manifest(tmp_path / "kept.jsonl", rows)
    return tmp_path / "kept.jsonl"


def test_files_hold_what_training_would_hear(manifest: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    tell = lambda *now: told.append(now)  # noqa: E731
    found = render(manifest, tmp_path / "out", Rendering(seed=3), workers=2, progress=tell)
    assert (found.made, found.there, found.failed) == (3, 0, 0)
    assert told == [("rendering", done, 3) for done in (1, 2, 3)]
    clips = list(read_manifest(found.manifest))
    for source, clip in zip(read_manifest(manifest), clips, strict=True):
        assert (clip.id, clip.captions, clip.licence) == (source.id, ("both",), "CC0")
        assert clip.extra["mixup"] == {"seed": 1}
        assert clip.mix is None
        expected = load_clip(source, RATE, 30.0, 3)
        heard = load_audio(clip.audio, RATE).waveform
        np.testing.assert_allclose(heard, expected, atol=1.1 / 32768)
    assert json.loads(found.manifest.read_text().splitlines()[0])["audio"] == "audio/mixup-0.flac"
    drawn, given, after = (clip.extra["mixed"] for clip in clips)
    level_db, offset = draw(3, "mixup-0")
    assert drawn["level_db"] == pytest.approx(level_db, abs=1e-4)
    assert drawn["offset_s"] == pytest.approx(offset, abs=1 / RATE)  # of one second of room
    assert (given["level_db"], given["offset_s"], given["relation"]) == (-5.0, 0.5, "together")
    assert (after["offset_s"], after["relation"]) == (2.0, "followed by")
    assert after["sections"] == [[None, None], [None, 0.5]]
    assert [Path(path).name for path in after["audio"]] == ["long.wav", "short.wav"]


def test_levels_and_places_in_the_file(manifest: Path, sounds: list[Path], tmp_path: Path) -> None:
    clips = list(read_manifest(render(manifest, tmp_path / "out").manifest))
    long, short = (load_audio(path, RATE).waveform for path in sounds)
    mixed = load_audio(clips[1].audio, RATE).waveform
    assert len(mixed) == len(long)
    gain = mixed[: RATE // 2].std() / long[: RATE // 2].std()
    rest = mixed / gain - long
    start = RATE // 2
    assert np.corrcoef(rest[start : start + RATE], short)[0, 1] > 0.999
    assert level_dbfs(long) - level_dbfs(rest[start : start + RATE]) == pytest.approx(-5, abs=0.01)
    joined = load_audio(clips[2].audio, RATE).waveform
    assert len(joined) == len(long) + RATE // 2
    fade = round(FADE_S * RATE)
    after = joined[len(long) + fade :]
    assert np.corrcoef(after, short[fade : RATE // 2])[0, 1] > 0.999
    for clip in clips:
        waveform, _ = soundfile.read(clip.audio, dtype="int16")
        assert (np.abs(waveform.astype(int)) >= 32767).sum() <= 1  # a peak, not a plateau


@pytest.mark.parametrize("kind", ["flac", "wav"])
def test_finished_files_are_not_rendered_again(
    manifest: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rendering = tmp_path / "out", Rendering(format=kind)
    first = render(manifest, out, rendering)
    text = first.manifest.read_text()
    (out / "audio" / f"mixup-1.{kind}").unlink()
    (out / "audio" / f"mixup-2.{kind}").write_bytes(b"broken off")
    second = render(manifest, out, rendering)
    assert (second.made, second.there, second.failed) == (2, 1, 0)
    assert second.manifest.read_text() == text
    monkeypatch.setattr(render_module, "load_mix", None)
    assert render(manifest, out, rendering).there == 3
    assert sorted(path.name for path in (out / "audio").iterdir()) == [
        f"mixup-{number}.{kind}" for number in range(3)
    ]


def test_what_changed_is_rendered_again(manifest: Path, sounds: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(manifest, out)
    assert render(manifest, out, Rendering(seed=1)).made == 3
    assert render(manifest, out, Rendering(seed=1, sample_rate_hz=8000)).made == 3
    assert load_audio(out / "audio" / "mixup-0.flac", 8000).duration_s == 2
    soundfile.write(sounds[1], np.full(RATE, 0.1), RATE, "PCM_16")
    assert render(manifest, out, Rendering(seed=1, sample_rate_hz=8000)).made == 3


def test_what_cannot_be_mixed_is_named_and_the_rest_goes_on(
    manifest: Path, sounds: list[Path], tmp_path: Path
) -> None:
    clips = list(read_manifest(manifest))
    (tmp_path / "bad.wav").write_text("no sound")
    rows = [
        replace(clips[0], id="gone", audio=tmp_path / "gone.wav"),
        replace(clips[0], id="bad", mix=parse_mix({"audio": str(tmp_path / "bad.wav")}, Path())),
        replace(clips[0], id="plain", mix=None),
        *clips,
    ]
    write_manifest(manifest, rows)
    with manifest.open("a") as file:
        file.write("{\n")
    for function in (render, refer):
        told: dict[str, str] = {}
        found = function(manifest, tmp_path / "out", on_skip=told.__setitem__, workers=1)
        assert (found.made, found.failed) == (3, 4)
        assert set(told) == {"gone", "bad", f"{manifest}:3", f"{manifest}:7"}
        assert "gone.wav" in told["gone"]
        assert "not a mix-up" in told[f"{manifest}:3"]
        assert [clip.id for clip in read_manifest(found.manifest)] == [clip.id for clip in clips]


def test_a_manifest_alone_mixes_while_training(manifest: Path, tmp_path: Path) -> None:
    found = refer(manifest, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.jsonl"]
    assert list(read_manifest(found.manifest)) == list(read_manifest(manifest))


def test_nothing_to_mix_is_an_error(
    tmp_path: Path, write_tone: Callable[..., Path], manifest: Path
) -> None:
    write_manifest(tmp_path / "plain.jsonl", [Clip(write_tone("a.wav"), ("a",), "a", "train")])
    for function in (render, refer):
        with pytest.raises(DataError, match="no mix-up that can be mixed"):
            function(tmp_path / "plain.jsonl", tmp_path / "out")
        assert not (tmp_path / "out" / "manifest.jsonl").exists()
    inside = manifest.rename(tmp_path / "manifest.jsonl")
    with pytest.raises(DataError, match="would be overwritten"):
        render(inside, tmp_path)
    with pytest.raises(DataError, match="known are flac, wav"):
        Rendering(format="mp3")
    with pytest.raises(DataError, match="sample rate of 7 Hz"):
        Rendering(sample_rate_hz=7)


def test_ids_become_file_names_of_their_own(manifest: Path, tmp_path: Path) -> None:
    clips = list(read_manifest(manifest))
    ids = ["../a/b", "..\\a:b", "A b", "a_b", ".", "鳥"]
    write_manifest(manifest, [replace(clips[0], id=name) for name in ids])
    made = [clip.audio for clip in read_manifest(render(manifest, tmp_path / "out").manifest)]
    assert len({path.name.lower() for path in made}) == len(ids)
    assert {path.parent for path in made} == {tmp_path / "out" / "audio"}
    assert made[-1].stem == "鳥"


def test_comments(tmp_path: Path, write_tone: Callable[..., Path]) -> None:
    path = tmp_path / "a.flac"
    write_waveform(path, np.zeros(100, np.float32), RATE, {"a": 1.5})
    assert read_comment(path) == {"a": 1.5}
    assert read_comment(write_tone("b.wav")) == {}
    assert read_comment(tmp_path / "gone.wav") == {}
    with pytest.raises(OSError, match="cannot be written"):
        write_waveform(tmp_path / "c.flac", np.zeros((100, 3), np.float32), 0, {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.flac", "b.wav"]
