"""Pictures: what the page draws of a recording, as plain values for JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from auricle.report.player import MARKS_HZ, mark_height

if TYPE_CHECKING:
    from auricle.records import Caption
    from auricle.report.overview import Overview
    from auricle.report.words import WordsOverTime

ROWS = 64  # of the spectrogram: pairs of mel bins
FULL_SCALE = 127


def picture(overview: Overview) -> dict[str, Any]:
    """The waveform's lows and highs in [-127, 127] per column; the spectrogram as the base64 of
    uint8 [rows, columns], its lowest frequencies first; and the heights of some frequencies."""
    bins, columns = overview.energies.shape
    rows = overview.energies.reshape(ROWS, bins // ROWS, columns).mean(axis=1)
    pixels = np.rint(255 * rows.clip(0, 1)).astype(np.uint8)
    return {
        "duration_s": overview.duration_s,
        "column_s": overview.column_s,
        "lows": _whole(overview.lows),
        "highs": _whole(overview.highs),
        "spectrogram": {
            "rows": ROWS,
            "columns": columns,
            "data": base64.b64encode(pixels.tobytes()).decode(),
        },
        "marks": [[hertz, round(mark_height(hertz), 4)] for hertz in MARKS_HZ],
    }


def words_record(caption: Caption, words: WordsOverTime) -> dict[str, Any]:
    """The words of a caption, and the share of each word's attention that each of T equal steps
    from ``start_s`` to ``end_s`` has."""
    return {
        "model": caption.model,
        "audio": caption.audio,
        "words": list(words.words),
        "start_s": words.start_s,
        "end_s": words.end_s,
        "weights": [[round(float(share), 5) for share in row] for row in words.weights],
    }


def _whole(samples: np.ndarray) -> list[int]:
    found: list[int] = np.rint(FULL_SCALE * samples).astype(int).tolist()
    return found
