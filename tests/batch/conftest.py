"""Recordings of several kinds, for batches."""

from __future__ import annotations

import pytest
import soundfile

from tests.helpers.batches import write_recordings
from tests.helpers.sounds import tone


@pytest.fixture
def recordings(tmp_path):
    """Five: one is stereo at another rate, one is long, one cannot be decoded."""
    folder = write_recordings(tmp_path / "in", 2)
    stereo = tone(0.4, 44_100)[:, None] * [0.5, 0.25]
    soundfile.write(folder / "stereo.flac", stereo, 44_100)
    soundfile.write(folder / "long.wav", tone(31.0), 16_000)
    (folder / "broken.wav").write_bytes(b"RIFF but no more")
    return folder
