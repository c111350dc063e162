"""Records: plain values, a short repr, and HTML with a player."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from auricle.errors import DataError
from auricle.records import (
    PLAYED_HZ,
    PLAYED_S,
    RECENT,
    Candidate,
    Caption,
    keep_sound,
    read_captions,
)
from auricle.writers import to_json
from tests.helpers.paths import EXAMPLES
from tests.helpers.sounds import tone


def record(audio: str = "rain.wav", caption: str = "rain falls", end_s: float = 4.5) -> Caption:
    candidates = (Candidate("rain falls", -1.25, 0.5, -0.025, True),)
    return Caption(audio, 0.0, end_s, caption, -0.5, candidates, "tiny", "nucleus", 7, 0.75)


def played(html: str) -> np.ndarray:
    (content,) = re.findall(r'<audio [^>]*src="data:audio/mpeg;base64,([^"]*)"', html)
    return soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="float32")[0]


def test_to_dict_is_json_and_its_keys_are_the_fields():
    values = record().to_dict()
    assert json.loads(json.dumps(values)) == values
    assert list(values) == [
        *("audio", "start_s", "end_s", "caption", "score", "candidates", "model", "decode"),
        *("seed", "confidence"),
    ]
    assert values["candidates"][0]["similarity"] == 0.5


def test_the_repr_is_one_short_line():
    assert repr(record()) == (
        "<Caption 'rain falls': rain.wav, 0 to 4.5 s, confidence 0.75, tiny, nucleus, seed 7, "
        "1 candidate>"
    )


def test_a_notebook_shows_the_caption_and_plays_the_part_that_was_heard():
    path = EXAMPLES / "helicopter.ogg"
    html = record(str(path), "a helicopter", end_s=5.0)._repr_html_()
    assert "<b>a helicopter</b>" in html
    assert len(played(html)) / PLAYED_HZ == 5.0
    assert len(html) < 100_000


def test_a_notebook_plays_a_sound_that_is_kept_and_its_first_half_minute():
    caption = record("<array>", end_s=60.0)
    assert "<audio" not in caption._repr_html_()
    keep_sound(caption, tone(60.0), 16_000)
    html = caption._repr_html_()
    assert len(played(html)) / 16_000 == PLAYED_S
    assert len(html) < 400_000
    assert pickle.loads(pickle.dumps(caption)) == caption == record("<array>", end_s=60.0)
    for _ in range(RECENT):
        keep_sound(record(), tone(0.1), 16_000)
    assert "<audio" not in caption._repr_html_()


def test_names_and_captions_are_escaped_and_broken_files_have_no_player(tmp_path):
    evil = tmp_path / '"><script>alert(1)<'
    evil.write_text("not audio")
    html = record(str(evil), "<img src=x onerror='alert(2)'>")._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "<audio" not in html


def test_records_are_read_back_without_candidates(tmp_path):
    caption = record()
    (tmp_path / "r.jsonl").write_text(f"{to_json(caption)}\n\n{to_json(caption)}\n")
    (tmp_path / "r.json").write_text(f"[{to_json(caption)}]")
    plain = replace(caption, candidates=(), score=None, decode="", seed=0)
    assert [*read_captions(tmp_path / "r.json")] == [(f"{tmp_path / 'r.json'}: record 1", plain)]
    lines = [*read_captions(tmp_path / "r.jsonl")]
    assert lines == [(f"{tmp_path / 'r.jsonl'}:{number}", plain) for number in (1, 3)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("[]", ":1: a JSON list; each line must be an object"),
        ('{"audio": "a", "start_s": 0, "end_s": 1}', ":1: .*; it needs audio and caption"),
        ('{"audio": "a", "start_s": "0", "end_s": 1, "caption": "c"}', ":1: start_s is '0'"),
        ('{"audio": "a", "start_s": NaN, "end_s": 1, "caption": "c"}', ":1: not a line of JSON"),
    ],
)
def test_what_is_no_record_is_named_with_its_line(tmp_path, row, reason):
    (tmp_path / "r.jsonl").write_text(row)
    with pytest.raises(DataError, match=reason) as caught:
        [*read_captions(tmp_path / "r.jsonl")]
    assert "\n" not in str(caught.value)
