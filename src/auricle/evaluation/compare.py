"""The comparison of two systems on the same clips: differences, their certainty, and clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from auricle.evaluation.assessment import Assessment, ranking
from auricle.evaluation.table import figure
from auricle.metrics.bootstrap import Difference, difference

TIE = 1e-9  # closer scores of a clip are equal


@dataclass(frozen=True)
class Contrast:
    """One metric of two systems.

    Attributes:
        difference: the first minus the second; None if the metric has no interval, or every
            resample the same difference, as of a single clip.
        wins, ties, losses: clips on which the first is better than, equal to or worse than the
            second; None for metrics of a corpus only, or without a better direction.
    """

    name: str
    first: float
    second: float
    difference: Difference | None
    wins: int | None = None
    ties: int | None = None
    losses: int | None = None


@dataclass(frozen=True)
class Divergence:
    """A clip with different scores; ``scores`` are of the metric that ranks clips."""

    id: str
    captions: tuple[str, str]
    references: tuple[str, ...]
    scores: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A comparison: ``contrasts`` per metric; ``ranked_by``: the metric of ``divergences``."""

    first: Assessment
    second: Assessment
    contrasts: tuple[Contrast, ...]
    ranked_by: str | None
    divergences: tuple[Divergence, ...]

    @property
    def notes(self) -> list[str]:
        """Notes for readers of the differences: of both systems once, of one with its letter."""
        a, b = self.first.notes, self.second.notes
        both = [note for note in a if note in b]
        apart = [(name, note) for name, notes in (("A", a), ("B", b)) for note in notes]
        return [*both, *(f"{name}: {note}" for name, note in apart if note not in both)]


def compare(first: Assessment, second: Assessment, seed: int = 0) -> Comparison:
    """The paired bootstrap of every common metric, and the clips ordered by their difference.

    Args:
        first, second: assessments of the same clips in the same order.

    Raises:
        ValueError: the clips differ.
    """
    clips = [clip.id for clip in first.pairs.references]
    if clips != [clip.id for clip in second.pairs.references]:
        raise ValueError("the assessments are of different clips")
    return Comparison(
        first,
        second,
        tuple(_contrasts(first, second, seed)),
        *_divergences(first, second),
    )


def _contrasts(first: Assessment, second: Assessment, seed: int) -> Iterator[Contrast]:
    others = {found.score.name: found for found in second.evaluation.measured}
    for a in first.evaluation.measured:
        b = others.get(a.score.name)
        if b is None:
            continue
        gap = difference(a.sums, b.sums, seed) if a.sums and b.sums else None
        if gap and gap.value and gap.low == gap.high:  # resamples say nothing of how sure this is
            gap = None
        counts: tuple[int, ...] = ()
        if a.better and a.score.items:
            gains = [a.better * (x - y) for x, y in zip(a.score.items, b.score.items, strict=True)]
            wins, losses = sum(g > TIE for g in gains), sum(g < -TIE for g in gains)
            counts = (wins, len(gains) - wins - losses, losses)
        yield Contrast(a.score.name, a.score.corpus, b.score.corpus, gap, *counts)


def _divergences(
    first: Assessment, second: Assessment
) -> tuple[str | None, tuple[Divergence, ...]]:
    """Clips with different captions, the largest difference first."""
    by, other = ranking(first.evaluation.scores), ranking(second.evaluation.scores)
    if by is None or other is None or by.name != other.name:
        return None, ()
    found = [
        Divergence(reference.id, (a.caption, b.caption), reference.captions, (x, y))
        for reference, a, b, x, y in zip(
            first.pairs.references,
            first.pairs.predictions,
            second.pairs.predictions,
            by.items,
            other.items,
            strict=True,
        )
        if a.caption != b.caption
    ]
    return by.name, tuple(sorted(found, key=lambda d: -abs(d.scores[0] - d.scores[1])))


COLUMNS = ("metric", "A", "B", "A - B (95 %)", "p", "+/=/-")
LEGEND = (
    "p: two-sided, for no difference, of this metric alone; "
    "+/=/-: clips on which A is better, the same, worse"
)


def contrast_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row of text per metric, with `COLUMNS`."""
    rows = []
    for contrast in comparison.contrasts:
        row = [contrast.name, figure(contrast.first), figure(contrast.second)]
        if gap := contrast.difference:
            row += [f"{_signed(gap.value)} ({_signed(gap.low)}, {_signed(gap.high)})", _p(gap.p)]
        else:
            row += [_signed(contrast.first - contrast.second), "-"]
        counts = (contrast.wins, contrast.ties, contrast.losses)
        row.append("/".join(map(str, counts)) if contrast.wins is not None else "-")
        rows.append(tuple(row))
    return rows


def _signed(value: float) -> str:
    """Three decimals, more where they would make 0 of what is not 0."""
    return f"{value:+.3f}" if abs(value) >= 0.0005 or not value else f"{value:+.1g}"


def _p(value: float) -> str:
    """Three decimals that stay on their side of 0.05."""
    shown = "<0.001" if value < 0.001 else f"{value:.3f}"
    return "<0.050" if value < 0.05 <= float(shown.strip("<")) else shown


def divergence_lines(comparison: Comparison, count: int) -> list[str]:
    """The ``count`` clips that differ most, with both captions and the first reference."""
    found = comparison.divergences
    same = len(comparison.first.pairs.references) - len(found)
    lines = [f"{same:,} clips have the same caption in both"] if comparison.ranked_by else []
    if found[:count]:
        lines.append(f"the clips that differ most by {comparison.ranked_by}:")
    for clip in found[:count]:
        lines.append(f"  {clip.id}: {clip.references[0]}")
        for name, caption, score in zip("AB", clip.captions, clip.scores, strict=True):
            lines.append(f"    {name} {figure(score)} {caption}")
    return lines


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All results, with the clips that differ."""
    return {
        "a": comparison.first.system,
        "b": comparison.second.system,
        "references": comparison.first.references,
        "clips": len(comparison.first.pairs.references),
        "metrics": {
            c.name: {
                "a": c.first,
                "b": c.second,
                "difference": c.difference._asdict() if c.difference else None,
                "a_better": c.wins,
                "same": c.ties,
                "a_worse": c.losses,
            }
            for c in comparison.contrasts
        },
        "ranked_by": comparison.ranked_by,
        "differing_clips": [asdict(found) for found in comparison.divergences],
        "missing": [asdict(missing) for missing in comparison.first.evaluation.missing],
        "notes": comparison.notes,
    }
