"""The waveform of a clip: its section, or both recordings of a mix-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio.level import level_dbfs
from auricle.audio.load import load_audio
from auricle.audio.mixing import FADE_S, draw, follow, mix
from auricle.data.clip import Clip, Mix, load_clip, load_mix
from auricle.data.manifest import parse_mix
from auricle.errors import AudioError

RATE = 16_000


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Two seconds whose samples rise from 0 to 0.5, so that each says where it stood."""
    soundfile.write(tmp_path / "ramp.wav", np.linspace(0, 0.5, 2 * RATE), RATE, "FLOAT")
    return tmp_path / "ramp.wav"


def clip(path: Path, **changes: object) -> Clip:
    return replace(Clip(path, ("a ramp",), "1", "train"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start_s", "end_s", "longest_s", "expected"),
    [
        (None, None, None, (0.0, 2.0)),
        (None, None, 0.5, (0.0, 0.5)),
        (0.5, None, None, (0.5, 2.0)),
        (0.5, None, 1.0, (0.5, 1.5)),
        (0.5, 0.75, 1.0, (0.5, 0.75)),
        (None, 0.75, 1.0, (0.0, 0.75)),
        (1.5, 9.0, 30.0, (1.5, 2.0)),
    ],
)
def test_the_section_is_heard(
    ramp: Path,
    start_s: float | None,
    end_s: float | None,
    longest_s: float | None,
    expected: tuple[float, float],
) -> None:
    waveform = load_clip(clip(ramp, start_s=start_s, end_s=end_s), RATE, longest_s)
    first, last = (round(second * RATE) for second in expected)
    assert waveform.dtype == np.float32
    assert waveform.base is None or waveform.base.nbytes == waveform.nbytes  # keeps no more alive
    np.testing.assert_array_equal(waveform, load_audio(ramp, RATE).waveform[first:last])


def test_a_section_beyond_the_end_is_named(ramp: Path) -> None:
    with pytest.raises(AudioError, match=r"ramp\.wav: lasts 2 s, but the section starts at 3 s"):
        load_clip(clip(ramp, start_s=3.0), RATE)


def test_a_mixup_is_both_recordings(ramp: Path, write_tone: Callable[..., Path]) -> None:
    tone = write_tone("tone.wav", 1.0)
    both = clip(ramp, mix=parse_mix({"audio": str(tone), "level_db": 3.0, "offset_s": 0.5}, Path()))
    first, second = (load_audio(path, RATE).waveform for path in (ramp, tone))
    np.testing.assert_array_equal(load_clip(both, RATE), mix(first, second, 3.0, 0.5))
    at_most = load_clip(both, RATE, 1.5)
    np.testing.assert_array_equal(at_most, mix(first[: 3 * RATE // 2], second, 3.0, 1.0))


def test_a_mixup_whose_second_recording_follows(
    ramp: Path, write_tone: Callable[..., Path]
) -> None:
    tone = write_tone("tone.wav", 1.0)
    row = {"audio": str(tone), "level_db": 3.0, "offset_s": 0.5, "relation": "followed by"}
    both = clip(ramp, mix=parse_mix(row, Path()))
    first, second = (load_audio(path, RATE).waveform for path in (ramp, tone))
    fade = round(FADE_S * RATE)
    np.testing.assert_array_equal(load_clip(both, RATE), follow(first, second, 3.0, fade))
    np.testing.assert_array_equal(
        load_clip(both, RATE, 1.5),  # half of it each
        follow(first[: 3 * RATE // 4], second[: 3 * RATE // 4], 3.0, fade),
    )
    heard = load_mix(both, both.mix, RATE, 1.5)  # type: ignore[arg-type]
    assert heard.mix == Mix(tone, level_db=3.0, offset_s=0.75, relation="followed by")
    assert heard.seconds == (0.75, 0.75)


def test_what_was_drawn_is_told(ramp: Path, write_tone: Callable[..., Path]) -> None:
    other = Mix(write_tone("tone.wav", 1.0))
    heard = load_mix(clip(ramp), other, RATE, None, 7)
    level_db, offset = draw(7, "1")
    assert heard.mix == replace(other, level_db=level_db, offset_s=round(offset * RATE) / RATE)
    assert heard.seconds == (2.0, 1.0)
    again = load_mix(clip(ramp), heard.mix, RATE, None, 8)
    assert again.mix == heard.mix
    np.testing.assert_array_equal(again.waveform, heard.waveform)


def test_what_a_row_leaves_open_is_drawn_by_its_id_and_the_seed(
    ramp: Path, write_tone: Callable[..., Path]
) -> None:
    both = clip(ramp, mix=parse_mix({"audio": str(write_tone("tone.wav", 1.0))}, Path()))
    fixed = load_clip(both, RATE)
    np.testing.assert_array_equal(fixed, load_clip(both, RATE))
    for other in (
        load_clip(replace(both, id="2"), RATE),
        load_clip(both, RATE, None, 7, 1),
        load_clip(both, RATE, mix_range_db=1.0),
    ):
        assert len(other) == len(fixed)
        assert not np.array_equal(other, fixed)
    np.testing.assert_array_equal(
        load_clip(both, RATE, None, 7, 1), load_clip(both, RATE, None, 7, 1)
    )


def test_a_level_that_is_given_is_kept_whatever_the_seed(
    tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    silence = np.zeros(RATE, np.float32)
    silence[:100] = 0.1
    soundfile.write(tmp_path / "click.wav", silence, RATE, "FLOAT")
    row = {"audio": str(write_tone("tone.wav", 1.0)), "level_db": 4.0}
    both = clip(tmp_path / "click.wav", mix=parse_mix(row, Path()))
    for seed in range(3):
        mixed = load_clip(both, RATE, None, seed)
        click = load_audio(tmp_path / "click.wav", RATE).waveform
        assert level_dbfs(click) - level_dbfs(mixed - click) == pytest.approx(4.0, abs=1e-3)
