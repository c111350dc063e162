"""Plots with matplotlib (extra "data"): SVG for pages, PNG for files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from auricle.errors import MissingDependencyError
from auricle.extras import install_command
from auricle.metrics.bootstrap import bootstrap
from auricle.metrics.scores import Score
from auricle.report.page import FIRST, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from auricle.tuning.reliability import Reliability

PANEL_INCHES = (3.0, 2.1)
BINS = 30
TITLE = 60  # characters
GROUPS = 6  # of clips, along the horizontal axis
LEAST = 12  # groups are drawn from this number of clips on
OTHER_FONTS = (  # with Chinese, Japanese and Korean letters
    *("Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans KR", "NanumGothic"),
    *("Malgun Gothic", "Apple SD Gothic Neo", "Microsoft YaHei", "PingFang SC", "Hiragino Sans"),
    *("WenQuanYi Zen Hei", "Arial Unicode MS"),
)


def require_matplotlib() -> None:
    """Raises MissingDependencyError if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"plots need matplotlib, which is not installed: {install_command('data')}"
        ) from error


def literally() -> AbstractContextManager[None]:
    """A context in which texts of others are drawn as they are: "$" begins no formula, and a letter
    that the usual font lacks is from another one, where one of `OTHER_FONTS` is installed."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names()).intersection(OTHER_FONTS)
    fonts = ["DejaVu Sans", *sorted(installed, key=OTHER_FONTS.index)]
    return matplotlib.rc_context(
        {"text.parse_math": False, "svg.hashsalt": "auricle", "font.family": fonts}
    )


def distributions(scores: Sequence[Score]) -> list[str]:
    """A histogram of each score's items, with its mean."""
    drawings = []
    with literally():
        for score in scores:
            figure, axes = _panel()
            axes.hist(score.items, bins=BINS, color=FIRST)
            axes.axvline(float(np.mean(score.items)), color=SECOND)
            axes.set_title(score.name[:TITLE], fontsize=8)
            axes.set_ylabel("clips")
            drawings.append(_svg(figure))
    return drawings


def against(score: Score, quantities: dict[str, Sequence[float]]) -> list[str]:
    """A score's items against each quantity, by its name and unit; over them, the means of groups
    of similar clips with 95 % intervals."""
    drawings = []
    for name, values in quantities.items():
        with literally():
            figure, axes = _panel()
            x, y = np.asarray(values, dtype=np.float64), np.asarray(score.items)
            x, y = x[known := np.isfinite(x)], y[known]
            axes.plot(x, y, ".", color=FIRST, alpha=0.5, markersize=5, markeredgewidth=0)
            _draw_groups(axes, x, y)
            axes.set_title(score.name[:TITLE], fontsize=8)
            axes.set_xlabel(name)
            drawings.append(_svg(figure))
    return drawings


def draw_reliability(found: Reliability, title: str, path: Path) -> None:
    """Draw the reliability diagram as PNG: stated against observed, with 95 % intervals.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 5.2), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    rows = [(b.confidence, b.right, *b.interval()) for b in found.bins]
    stated, observed, lows, highs = np.array(rows).T
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--", label="kept exactly")
    axes.axhline(found.right_share, color="0.8", linewidth=1, label="base rate")
    axes.errorbar(
        stated,
        observed,
        [observed - lows, highs - observed],
        fmt="o-",
        capsize=3,
        clip_on=False,
        label="observed, 95 % interval",
    )
    for b, low, high in zip(found.bins, lows, highs, strict=True):
        above = high < 0.93
        axes.annotate(
            str(b.clips),
            (b.confidence, high if above else low),
            (0, 3 if above else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=8,
            color="0.4",
        )
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
        title=title,
        xlabel="confidence (numbers: clips)",
        ylabel="share of captions that are right",
    )
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _draw_groups(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    edges = np.unique(np.quantile(x, np.linspace(0, 1, GROUPS + 1))) if len(x) else x
    if len(x) < LEAST or len(edges) < 3:
        return
    group = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    for number in np.unique(group):
        mean, low, high = bootstrap(y[group == number])
        span = [[mean - low], [high - mean]]
        axes.errorbar(x[group == number].mean(), mean, span, fmt="o", color=SECOND, markersize=4)


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
    """The <svg> element for a page; equal for equal figures."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
