"""Scores of captions against the sound itself."""

from __future__ import annotations

from collections.abc import Sequence

from auricle.metrics.scores import Score, labelled

AUDIO_SIM, CLAP_SIM, MACE_LIKE = "audio-sim", "clap-sim", "MACE-like"
MACE_PENALTY = 0.3  # of MACE's released code (github.com/satvik-dixit/mace)


def grounded(name: str, similarity: Sequence[float], *labels: str | None) -> Score:
    """The cosine of each caption with its sound, and their mean."""
    return Score(labelled(name, *labels), _mean(similarity), tuple(similarity))


def mace_like(
    sound: Sequence[float], text: Sequence[float], errors: Sequence[bool], *labels: str | None
) -> Score:
    """MACE's combination (Dixit et al., arXiv 2411.00321) in another space than its own.

        (cos(caption, sound) + mean over references of cos(caption, reference)) / 2
            x (1 - 0.3 if the caption has a fluency error, else 1)

    MACE itself takes both cosines from MS-CLAP 2023 and errors from FENSE's detector.

    Args:
        sound, text: [N] the two cosines.
        errors: [N] whether a caption is not fluent.
    """
    items = [
        (a + b) / 2 * (1 - MACE_PENALTY * error)
        for a, b, error in zip(sound, text, errors, strict=True)
    ]
    return Score(labelled(MACE_LIKE, *labels), _mean(items), tuple(items))


def _mean(items: Sequence[float]) -> float:
    return sum(items) / len(items)
