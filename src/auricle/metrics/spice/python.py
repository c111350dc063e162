"""spice-py: an F-score of scene graphs after the paper of SPICE, with a different parser.

It follows Anderson et al., ECCV 2016, and Schuster et al., VL 2015, and runs where the published
program cannot. Its rules were chosen on one captioner's output for Clotho's evaluation set. There,
its items correlate with that program's by 0.92 and the corpus values differ by 0.005; on AudioCaps'
test set by 0.76 and 0.003, and for people's captions of that set by 0.775 and 0.013
(benchmarks/spice.py). It is not SPICE, and is never called SPICE.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from statistics import fmean

from auricle.errors import MissingDependencyError
from auricle.metrics.java import missing_metric
from auricle.metrics.ngrams import check_clips
from auricle.metrics.ptb import by_rules
from auricle.metrics.scores import Score
from auricle.text.normalise import as_written

NAME = "SPICE (spice-py)"


def spice_py(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """The score of N captions and of each, 0 to 1; the corpus is the mean of the items.

    `details` holds each item's "precision" and "recall". Each distinct sentence is parsed once, in
    1 ms.

    Args:
        candidates: one caption per clip.
        references: at least one caption by people per clip.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
        MissingMetricError: spaCy, its model or pycocoevalcap's synonyms are not installed.
    """
    check_clips("spice-py", candidates, references)
    from auricle.metrics.spice.graph import SceneGraph
    from auricle.metrics.spice.tuples import read_tuples
    from auricle.metrics.spice.wordnet import synonyms

    plain = {text: _plain(text) for text in {*candidates, *chain.from_iterable(references)}}
    distinct = sorted(set(plain.values()))
    try:
        tuples = dict(zip(distinct, read_tuples(distinct), strict=True))
        synsets = synonyms()
    except MissingDependencyError as error:
        raise missing_metric(NAME, error) from error
    matches = []
    for candidate, own in zip(candidates, references, strict=True):
        united = chain.from_iterable(tuples[plain[text]] for text in own)
        graph = SceneGraph(tuples[plain[candidate]], synsets)
        matches.append(graph.match(SceneGraph(united, synsets)))
    items = tuple(match.f for match in matches)
    details = {
        "precision": tuple(match.precision for match in matches),
        "recall": tuple(match.recall for match in matches),
    }
    return Score(NAME, fmean(items), items, details)


def _plain(caption: str) -> str:
    """Lower-case words without punctuation, as in SPICE's input, without Java."""
    return " ".join(by_rules(caption) or as_written(caption).split())
