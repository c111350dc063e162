"""The preview is one file, in which everything that is heard and seen is that of the mix-ups."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.data.clip import Clip, Mix, load_clip
from auricle.data.manifest import parse_mix, read_manifest, write_manifest
from auricle.errors import DataError, MissingDependencyError
from auricle.extras import install_command
from auricle.mixup.render import Rendering, mixups
from auricle.report.mixups import places, write_preview
from auricle.report.player import mark_height, picture, spectrogram

RATE = 16_000


@pytest.fixture
def manifest(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    long, short = write_tone("long.wav", 2.0), write_tone("<b>short.wav", 0.5)
    made_of = {"captions": ["dogs & cats", "rain"], "model": "some-model", "ids": ["1", "2"]}
    rows = [
        Clip(
            long if number % 2 else short,
            (f"caption <{number}>",),
            f"mixup-{number}",
            "train",
            licence="CC0",
            mix=Mix(short if number % 2 else long),
            extra={"mixup": made_of},
        )
        for number in range(5)
    ]
    after = {"audio": str(short), "relation": "followed by", "start_s": 0.1, "level_db": -2.0}
    rows.append(replace(rows[1], id="after", mix=parse_mix(after, Path()), extra={}))
    write_manifest(tmp_path / "kept.jsonl", rows)
    return tmp_path / "kept.jsonl"


def test_the_page_holds_what_is_mixed(manifest: Path, tmp_path: Path) -> None:
    page, told = tmp_path / "new" / "preview.html", []
    rendering = Rendering(seed=2)
    tell = lambda *now: told.append(now)  # noqa: E731
    assert write_preview(manifest, page, 4, rendering, progress=tell) == 4
    assert told == [("preview", done, 4) for done in (1, 2, 3, 4)]
    text = page.read_text()
    assert "<b>" not in text
    assert not re.search(r"(src|href)=(?!\"data:)", text)  # nothing beside the file
    clips = {clip.id: clip for clip in read_manifest(manifest)}
    cards = text.split("<section>")[1:]
    assert len(cards) == 4
    for card in cards:
        name = re.search(r"mixup-\d|after", card)
        assert name
        clip = clips.pop(name[0])
        assert f"<h2>{clip.captions[0].replace('<', '&lt;').replace('>', '&gt;')}</h2>" in card
        sound = re.search(r"data:audio/flac;base64,([^\"]+)", card)
        image = re.search(r"data:image/jpeg;base64,([^\"]+)", card)
        assert sound
        assert image
        heard, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(sound[1])))
        assert rate_hz == RATE
        np.testing.assert_allclose(heard, load_clip(clip, RATE, 30.0, 2), atol=1.1 / 32768)
        assert base64.b64decode(image[1]).startswith(b"\xff\xd8")
        if name[0] != "after":
            assert "dogs &amp; cats" in card
            assert "some-model" in card


def test_rejects_are_counted_by_reason(manifest: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "kept.rejected.jsonl"
    lines = [
        {"reason": "names only one recording", "text": "A <b>dog</b>"},
        {"reason": "empty", "text": ""},
        {"reason": "names only one recording", "text": "Rain"},
        {"reason": "broken row", "line": 7, "detail": "not a line of JSON"},
    ]
    rejects.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = tmp_path / "p.html"
    assert write_preview(manifest, page, 1, rejects=rejects) == 1
    text = page.read_text()
    assert "kept of 10 answers" in text
    assert "<tr><td>kept<div class=facts></div><td>6<td>60.0 %" in text
    assert (
        "<td>names only one recording<div class=facts>A &lt;b&gt;dog&lt;/b&gt;</div><td>2<td>20"
        in text
    )
    assert "<td>broken row<div class=facts>not a line of JSON</div><td>1<td>10.0 %" in text
    assert write_preview(manifest, page, 1, rejects=tmp_path / "gone") == 1
    assert "kept of" not in page.read_text()


def test_the_seed_draws_the_rows(manifest: Path, tmp_path: Path) -> None:
    def shown(seed: int, count: int) -> list[str]:
        write_preview(manifest, tmp_path / "p.html", count, Rendering(seed=seed))
        return re.findall(r"spectrogram of ([\w-]+)", (tmp_path / "p.html").read_text())

    assert shown(0, 3) == shown(0, 3)
    assert len({tuple(shown(seed, 3)) for seed in range(4)}) > 1
    assert len(set(shown(0, 100))) == 6


def test_levels_and_relations_are_said(manifest: Path, tmp_path: Path) -> None:
    clips = [clip for clip in read_manifest(manifest) if clip.id == "after"]
    write_manifest(manifest, clips)
    write_preview(manifest, tmp_path / "p.html", 1)
    text = (tmp_path / "p.html").read_text()
    assert "followed by · the first 2.0 dB softer · CC0" in text
    assert "0.0 to 2.0 s</td>" in text
    assert "2.0 to 2.4 s</td>" in text
    assert "&lt;b&gt;short.wav, 0.1 to its end" in text
    assert '<div class=first style="margin-left: 0.000%; width: 83.333%">' in text
    assert '<div class=second style="margin-left: 83.333%; width: 16.667%">' in text


def test_places(manifest: Path) -> None:
    found = {}
    for clip, other in mixups(manifest):
        mixed = Rendering().mixed(clip, replace(other, offset_s=1.25))
        found[clip.id] = list(places(mixed))
    assert found["mixup-0"] == [(1.25, 1.75), (0.0, 2.0)]  # the first is the shorter one
    assert found["mixup-1"] == [(0.0, 2.0), (1.25, 1.75)]
    assert found["after"] == [(0.0, 2.0), (2.0, 2.4)]


def test_what_cannot_be_mixed_makes_room(manifest: Path, tmp_path: Path) -> None:
    clips = list(read_manifest(manifest))
    gone = [replace(clip, id=f"gone-{clip.id}", audio=tmp_path / "gone.wav") for clip in clips]
    write_manifest(manifest, [*gone, *clips])
    told: dict[str, str] = {}
    page = tmp_path / "p.html"
    assert write_preview(manifest, page, 6, on_skip=told.__setitem__) == 6
    assert told
    assert all(name.startswith("gone-") for name in told)
    write_manifest(manifest, gone)
    with pytest.raises(DataError, match="no mix-up that can be mixed"):
        write_preview(manifest, page, 1)


def test_very_short_and_silent_sounds_have_a_picture(manifest: Path) -> None:
    silence, mixed = np.zeros(RATE, np.float32), Rendering().mixed(*next(mixups(manifest)))
    for waveform in (silence, mixed.waveform[:200]):
        assert picture(waveform, RATE).startswith(b"\xff\xd8")
    assert not spectrogram(silence, RATE).any()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_tone_is_drawn_at_its_pitch(rate_hz: int) -> None:
    mels = np.linspace(*(1127 * math.log1p(hz / 700) for hz in (20, 8000)), 130)[1:-1]
    hz = 700 * math.expm1(mels[60] / 1127)
    tone = np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz).astype(np.float32)
    drawn = spectrogram(tone, rate_hz)
    assert drawn.shape == (128, 98)
    assert (drawn[:, 2:-2].argmax(axis=0) == 60).all()
    assert (drawn.min(), drawn.max()) == (0.0, pytest.approx(1.0))
    assert mark_height(hz) == pytest.approx(60.5 / 128)
    softer = spectrogram(0.1 * tone, rate_hz)  # 20 dB, of the 80 that are drawn
    np.testing.assert_allclose(softer[60], drawn[60], atol=1e-3)


def test_without_matplotlib_it_says_what_to_install(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=re.escape(install_command("data"))):
        write_preview(manifest, tmp_path / "p.html", 1)
    assert not (tmp_path / "p.html").exists()
