"""Timelines of recordings that are not there."""

from pathlib import Path

import numpy as np

from auricle.report.overview import Overview
from auricle.report.timeline import Plot


def plot_of(captions, duration_s=60.0, path="a.wav", words=None):
    """Noise in 600 columns."""
    drawn = np.random.default_rng(0)
    highs = drawn.uniform(0, 1, 600).astype(np.float32)
    energies = drawn.uniform(0, 1, (128, 600)).astype(np.float32)
    overview = Overview(duration_s, duration_s / 600, -highs, highs, energies)
    return Plot(Path(path), overview, captions, words)
