"""Plots of a data card, as PNG files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.data.data_card import SplitStatistics
from auricle.report.plots import literally, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES, DPI = (6.4, 3.6), 150
BINS = 40
LABEL = 32  # characters
SHOWN = 30  # licences, the most frequent

Splits = dict[str, SplitStatistics]


def draw(splits: Splits, folder: Path) -> list[Path]:
    """Draw every plot into ``folder`` as PNG; return their paths.

    Raises MissingDependencyError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, plot in PLOTS.items():
        with literally():
            figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
            plot(figure.add_subplot(), splits)
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1])
    return paths


def label(name: str) -> str:
    """A name of others as a label: matplotlib leaves out those that begin with "_"."""
    short = name if len(name) <= LABEL else f"{name[: LABEL - 1]}…"
    return f" {short}" if short.startswith("_") else short


def _durations(axes: Axes, splits: Splits) -> None:
    given = {name: s.durations_s for name, s in splits.items() if s.durations_s}
    if given:
        axes.hist(list(given.values()), bins=BINS, stacked=True, label=[*map(label, given)])
        axes.legend()
    axes.set(xlabel="seconds", ylabel="clips", title="Durations")


def _caption_lengths(axes: Axes, splits: Splits) -> None:
    """Shares of each split's captions, as lines, because splits differ in size."""
    for name, s in splits.items():
        if s.caption_words:
            counts = Counter(s.caption_words)
            lengths = range(max(counts) + 1)
            shares = [100 * counts[length] / counts.total() for length in lengths]
            axes.plot(lengths, shares, marker=".", label=label(name))
            axes.legend()
    axes.set(xlabel="words", ylabel="% of the split's captions", title="Caption lengths")


def _vocabulary(axes: Axes, splits: Splits) -> None:
    """The frequency of words by rank (Zipf's law)."""
    for name, s in splits.items():
        if s.vocabulary:
            axes.loglog(sorted(s.vocabulary.values(), reverse=True), label=label(name))
            axes.legend()
    axes.set(xlabel="rank of the word", ylabel="times used", title="Vocabulary")


def _licences(axes: Axes, splits: Splits) -> None:
    order = sorted(
        {licence for s in splits.values() for licence in s.licences},
        key=lambda licence: sum(s.licences[licence] for s in splits.values()),
    )[-SHOWN:]
    left = [0] * len(order)
    for name, s in splits.items():
        counts = [s.licences[licence] for licence in order]
        axes.barh(range(len(order)), counts, left=left, label=label(name))
        left = [a + b for a, b in zip(left, counts, strict=True)]
    if order:
        axes.legend()
    axes.set_yticks(range(len(order)), [label(licence) for licence in order])
    axes.set(xlabel="clips", title="Licences of the audio")


PLOTS: dict[str, Callable[[Axes, Splits], None]] = {
    "durations": _durations,
    "caption_lengths": _caption_lengths,
    "vocabulary": _vocabulary,
    "licences": _licences,
}
