"""Evaluation of a search: how early queries find the sounds that they should find."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from auricle.errors import DataError, QueryError
from auricle.files import json_rows, listed
from auricle.metrics.bootstrap import Interval, bootstrap, proportion
from auricle.metrics.retrieval import average_precision, hits
from auricle.search.fusion import Fusion
from auricle.search.query import expression, parsed
from auricle.search.search import Library
from auricle.watch import Progress, silent

KS = (1, 5, 10)
MOST = max(KS)  # results that count
EMBEDDING_ALONE = Fusion(text=0.0, classes=0.0)
BEFORE_GROUPS = 10 * MOST  # sounds by BM25, of which several may be of one recording


@dataclass(frozen=True)
class Asked:
    """A query, and the contents (`Sound.content`) of the recordings that it should find."""

    query: str
    wanted: frozenset[str]


@dataclass(frozen=True)
class Retrieval:
    """How well one way of searching finds: R@1, R@5 and R@10 with Wilson's intervals, mAP@10 with
    that of the bootstrap over queries; ``firsts``: the rank of each query's first match, 0 beyond
    10."""

    way: str
    recall: dict[int, Interval]
    mean_average_precision: Interval
    firsts: tuple[int, ...]


def read_queries(path: Path, library: Library) -> Iterator[Asked]:
    """The rows of a JSON Lines file, each with ``query`` and ``audio``: the path of a recording of
    the index, the name of its file, or a list of these.

    Raises DataError: a row is another one, or names a recording that the index does not have.
    """
    by_path: dict[str, str] = {}
    by_name: dict[str, set[str]] = {}
    for one in library.index.sounds():
        by_path[one.audio] = one.content
        by_name.setdefault(Path(one.audio).name, set()).add(one.content)
    for line, row in json_rows(path):
        query, audio = row.get("query"), row.get("audio")
        names = [audio] if isinstance(audio, str) else audio
        if (
            not isinstance(query, str)
            or not isinstance(names, list)
            or not names
            or not all(isinstance(name, str) for name in names)
        ):
            raise DataError(
                f"{path}:{line}: has {listed(row) or 'no keys'}; it needs query, a text, and audio,"
                " a path or name or a list of them"
            )
        wanted: set[str] = set()
        for name in names:
            given = by_path.get(os.path.abspath(name))  # noqa: PTH100  (keeps links apart)
            found = {given} if given else by_name.get(name, set())
            if not found:
                raise DataError(f"{path}:{line}: {name}: not in the index {library.index.folder}")
            wanted |= found
        try:
            parsed(query)
        except QueryError as error:
            raise DataError(f"{path}:{line}: {error}") from error
        yield Asked(query, frozenset(wanted))


def evaluate(
    library: Library, asked: Sequence[Asked], progress: Progress = silent
) -> list[Retrieval]:
    """The search as it is, by the embedding alone, and by the words of captions, classes and file
    names alone (BM25).

    Raises DataError: there are no queries.
    """
    if not asked:
        raise DataError("no queries: an evaluation needs one at least")
    ways: dict[str, list[list[str]]] = {"fused": [], "embedding": [], "words (BM25)": []}
    for done, one in enumerate(asked, 1):
        found = library.candidates(parsed(one.query))
        for way, fusion in (("fused", library.fusion), ("embedding", EMBEDDING_ALONE)):
            ways[way].append([result.content for result in found.results(fusion, MOST)])
        ways["words (BM25)"].append(by_words(library, one.query))
        progress("queries", done, len(asked))
    return [measured(way, asked, ranked) for way, ranked in ways.items()]


def measured(way: str, asked: Sequence[Asked], ranked: Sequence[Sequence[str]]) -> Retrieval:
    """The figures of a way that ranked these contents for each query, best first."""
    relevant = torch.zeros(len(asked), MOST, dtype=torch.bool)
    for n, (one, contents) in enumerate(zip(asked, ranked, strict=True)):
        for place, content in enumerate(contents[:MOST]):
            relevant[n, place] = content in one.wanted
    possible = torch.tensor([min(MOST, len(one.wanted)) for one in asked])
    first = torch.where(relevant.any(1), relevant.float().argmax(1) + 1, MOST + 1)
    return Retrieval(
        way,
        {k: proportion(hits(first, k).numpy()) for k in KS},
        bootstrap(average_precision(relevant, possible).numpy()),
        tuple(int(rank) if rank <= MOST else 0 for rank in first),
    )


def by_words(library: Library, query: str) -> list[str]:
    """Contents by BM25 alone, best first."""
    words = expression(parsed(query).words, every=False)
    if not words:
        return []
    ids = [one for one, _ in library.index.text_ranks(words, BEFORE_GROUPS)]
    return list(dict.fromkeys(sound.content for sound in library.index.sounds(ids)))
