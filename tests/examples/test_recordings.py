"""The bundled example recordings: the table and the folder agree, and every file can be heard."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.helpers.paths import EXAMPLES, ROOT

SUFFIXES = {".flac", ".mp3", ".ogg", ".wav"}
TABLE = {  # file name -> duration in whole seconds
    name: int(duration_s)
    for name, duration_s in re.findall(
        r"^\| `([^`]+)` \|[^|]*\| (\d+) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE
    )
}
RECORDINGS = sorted(path for path in EXAMPLES.iterdir() if path.suffix in SUFFIXES)


def test_table_names_every_recording_and_no_other() -> None:
    assert len(TABLE) >= 8
    assert sorted(TABLE) == [path.name for path in RECORDINGS]


def test_every_base_format_is_shown() -> None:
    assert {path.suffix for path in RECORDINGS} == SUFFIXES


def test_clone_stays_small() -> None:
    assert sum(path.stat().st_size for path in RECORDINGS) < 2_500_000


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_recording_can_be_heard(path: Path) -> None:
    waveform, rate_hz = sf.read(path)
    duration_s = len(waveform) / rate_hz
    assert 2 <= duration_s <= 15
    assert duration_s == pytest.approx(TABLE[path.name], abs=0.1)  # an mp3 may be padded
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1
    assert np.sqrt(np.mean(waveform**2)) > 0.003  # a clock is mostly silence


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_readme_shows_what_the_program_prints(readme: str, tiny) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    (shown,) = re.findall(
        r"^\$ auricle caption examples\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    )
    printed = "".join(
        f"{path.relative_to(ROOT)}\t{caption.caption}\n"
        for path, caption in zip(RECORDINGS, tiny.caption(RECORDINGS), strict=True)
    )
    assert shown == printed
