"""METEOR 1.5 for English (Denkowski and Lavie, WMT 2014).

The Java program in pycocoevalcap aligns captions with references and returns statistics; the score
is computed here from these, as that program would for any corpus of the clips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, islice

import numpy as np

from auricle.errors import AuricleError, MissingDependencyError
from auricle.metrics.java import OPTIONS, ask, carried, find_java, missing_metric
from auricle.metrics.ngrams import Tokens, check_clips
from auricle.metrics.ptb import tokenize
from auricle.metrics.scores import Score

NAME = "METEOR"
STATISTICS = 23  # per clip; a corpus sums them

# Denkowski and Lavie 2014, table 1, English: precision against recall, shape and height of the
# penalty on fragments, content against function words; matches by word, stem, synonym, paraphrase.
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.20, 0.60, 0.75
_MATCHES = np.array([1.0, 0.6, 0.8, 0.6])

_TIMEOUT_S, _CLIP_S = 600.0, 0.5  # 1,000 clips take about 10 s
_MEMORY = "-Xmx2G"  # as in pycocoevalcap: the table of paraphrases is large
_PROTOCOL = re.compile(r"[\r\n]|\|\|\|")


def meteor(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Score:
    """The score of N captions and of each, 0 to 1; the corpus is not the mean of the items.

    Each call starts and ends one Java program; calls may run in parallel.

    Args:
        candidates: one caption per clip: a text, or its tokens (`auricle.metrics.ptb`).
        references: at least one caption by people per clip, in the same form.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
        MissingMetricError: there is no Java, or no pycocoevalcap.
        AuricleError: the program fails or hangs.
    """
    return meteor_score(meteor_statistics(candidates, references))


def meteor_statistics(
    candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> np.ndarray:
    """Statistics behind METEOR, float64 [N, 23]; arguments and errors of `meteor`.

    They are of each clip's best reference: tokens and function words of caption and reference; for
    each of four kinds of match, the content words of both, then the function words of both; chunks,
    and matched words of both.
    """
    check_clips(NAME, candidates, references)
    try:
        jar = carried("meteor", "meteor-1.5.jar")
        command = [str(find_java()), *OPTIONS, _MEMORY, "-jar", str(jar)]
    except MissingDependencyError as error:
        raise missing_metric(NAME, error) from error
    texts = iter(_texts([*candidates, *chain.from_iterable(references)]))
    captions = list(islice(texts, len(candidates)))
    lines = [
        " ||| ".join(["SCORE", *islice(texts, len(own)), caption])
        for caption, own in zip(captions, references, strict=True)
    ]
    statistics = _ask([*command, "-", "-", "-stdio", "-l", "en", "-norm"], lines)
    # A caption equal to its reference has no fragment; this matters in the sums of a corpus too.
    same = (statistics[:, [21, 22]] == statistics[:, [0, 1]]).all(axis=1) & (statistics[:, 20] == 1)
    statistics[same, 20] = 0
    return statistics


def meteor_of(statistics: np.ndarray) -> np.ndarray:
    """[..., 23] statistics of clips, or their sums over a corpus -> [...] scores."""
    tokens, function = statistics[..., 0:2], statistics[..., 2:4]
    kinds = statistics[..., 4:20].reshape(*statistics.shape[:-1], 4, 4)
    content = np.einsum("...kw,k->...w", kinds, _MATCHES)
    matched = _DELTA * content[..., :2] + (1 - _DELTA) * content[..., 2:]
    words = _DELTA * (tokens - function) + (1 - _DELTA) * function
    shares = matched / np.where(words, words, 1.0)
    precision, recall = shares[..., 0], shares[..., 1]
    mean = _ALPHA * precision + (1 - _ALPHA) * recall
    f = precision * recall / np.where(mean, mean, 1.0)
    aligned = statistics[..., 21:23].mean(axis=-1)
    fragments = statistics[..., 20] / np.where(aligned, aligned, 1.0)
    return f * (1 - _GAMMA * fragments**_BETA)


def meteor_score(statistics: np.ndarray) -> Score:
    """The score from [N, 23] statistics of clips."""
    corpus, each = meteor_of(statistics.sum(axis=0)), meteor_of(statistics)
    return Score(NAME, float(corpus), tuple(each.tolist()))


def _texts(captions: Sequence[Tokens]) -> list[str]:
    """PTB tokens joined by spaces, without separators of the program's protocol."""
    places = [i for i, caption in enumerate(captions) if isinstance(caption, str)]
    tokens = list(captions)
    for i, found in zip(places, tokenize([str(captions[i]) for i in places]), strict=True):
        tokens[i] = found
    return [_PROTOCOL.sub(" ", " ".join(found)) for found in tokens]


def _ask(command: Sequence[str], lines: Sequence[str]) -> np.ndarray:
    """The program's statistics, float64 [lines, 23]."""
    reply = ask(NAME, command, lines, _TIMEOUT_S + _CLIP_S * len(lines))
    try:
        statistics = np.array([[float(value) for value in line.split()] for line in reply.lines])
    except ValueError:
        statistics = np.empty(0)
    if reply.status or statistics.shape != (len(lines), STATISTICS):
        message = reply.complaint or (reply.lines or ["nothing"])[-1]
        raise AuricleError(
            f"METEOR: {len(reply.lines)} answers to {len(lines)} clips; the program ended with "
            f"{reply.status} and said: {message}"
        )
    return statistics
