"""The report's drawings as SVG, by matplotlib, which comes with the extra "data"."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from auricle.errors import MissingDependencyError
from auricle.metrics.bootstrap import bootstrap
from auricle.metrics.scores import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR, MARK = "#2f7ebc", "#d9822b"
PANEL_INCHES = (3.0, 2.1)
BINS = 30
GROUPS = 6  # of clips, by what a score is plotted against
LEAST = 12  # clips from which groups are drawn


def require_matplotlib(drawn: str = "the report is") -> None:
    """Raises MissingDependencyError where it is not installed; ``drawn`` begins the message."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f'{drawn} drawn by matplotlib, which is not installed: pip install "auricle[data]"'
        ) from error


def distributions(scores: Sequence[Score]) -> list[str]:
    """A histogram of each score's items, its mean marked."""
    drawings = []
    for score in scores:
        figure, axes = _panel()
        axes.hist(score.items, bins=BINS, color=COLOUR)
        axes.axvline(float(np.mean(score.items)), color=MARK)
        axes.set_title(score.name, fontsize=8)
        axes.set_ylabel("clips")
        drawings.append(_svg(figure))
    return drawings


def against(score: Score, quantities: dict[str, Sequence[float]]) -> list[str]:
    """A score's items against each quantity, given by its name and unit; the means of groups of
    clips of like quantity, with their 95 % intervals, over them."""
    drawings = []
    for name, values in quantities.items():
        figure, axes = _panel()
        known = np.isfinite(np.asarray(values, dtype=np.float64))
        x, y = np.asarray(values, dtype=np.float64)[known], np.asarray(score.items)[known]
        axes.plot(x, y, ".", color=COLOUR, alpha=0.5, markersize=5, markeredgewidth=0)
        _draw_groups(axes, x, y)
        axes.set_title(score.name, fontsize=8)
        axes.set_xlabel(name)
        drawings.append(_svg(figure))
    return drawings


def _draw_groups(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    edges = np.unique(np.quantile(x, np.linspace(0, 1, GROUPS + 1))) if len(x) else x
    if len(x) < LEAST or len(edges) < 3:
        return
    group = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    for number in np.unique(group):
        mean, low, high = bootstrap(y[group == number])
        span = [[mean - low], [high - mean]]
        axes.errorbar(x[group == number].mean(), mean, span, fmt="o", color=MARK, markersize=4)


def _panel() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=PANEL_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(labelsize=7)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    """The element alone, that a page may hold it; the same for the same figures."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(figure)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "auricle"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
