"""How well a library is searched: quality.py SOUNDS CLIPS [--index DIR] [--fit]

SOUNDS: a folder of labelled collections (esc, cc_sounds, minetest, open_sound_effects, ...) with
esc.csv beside them. CLIPS: captions.json with five captions for each recording. The queries are the
names of classes and other words for them (queries.toml), and the clips' captions, each of which
should find its own clip among all others. Files are indexed under numbers, as their names tell the
class, and once more under their names. R@1, R@10 and mAP@10 with 95 % intervals, for the fused
search, the embedding alone, and the words of captions and classes alone (BM25).

--fit chooses the weights of the fusion: of two halves of the classes and clips, those that are best
on one half are measured on the other.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import itertools
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from auricle.fetch.names import BUNDLED
from auricle.search.candidates import Candidates
from auricle.search.evaluate import EMBEDDING_ALONE, MOST, Asked, Retrieval, measured
from auricle.search.fusion import FUSION, Fusion
from auricle.search.query import expression, parsed
from auricle.search.search import Library

SUFFIXES = {".ogg", ".flac", ".mp3", ".wav"}
KINDS = ("class", "other words", "caption")
GRID = {
    "k": (10.0, 20.0, 40.0, 60.0, 100.0),
    "text": (0.25, 0.5, 1.0, 1.5),
    "words": (1.0, 2.0, 4.0),
    "classes": (0.1, 0.25, 0.5, 1.0),
}


@dataclass(frozen=True)
class Recording:
    """``key``: its collection and name, such as "esc/1-100032-A"; ``heard``: in training."""

    path: Path
    key: str
    label: str = ""
    heard: bool = False


@dataclass(frozen=True)
class Question:
    """A query, the keys of what it should find, and the ``group`` that is not divided by a fold."""

    kind: str
    text: str
    wanted: frozenset[str]
    group: str


def recordings(sounds: Path, clips: Path) -> list[Recording]:
    credits = (BUNDLED / "tiny" / "CREDITS.md").read_text(encoding="utf-8")
    trained_clips = set(re.findall(r"freesound\.org/s/(\d+)/", credits))
    trained = set(re.findall(r"^\* Minetest sounds: (.+?), by", credits, re.MULTILINE))
    with (sounds / "esc.csv").open(encoding="utf-8") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    found = [Recording(path, f"clips/{path.stem}") for path in sorted((clips / "audio").iterdir())]
    for path in sorted(sounds.glob("*/*")):
        if path.suffix not in SUFFIXES:
            continue
        collection, stem, label = path.parent.name, path.stem.removeprefix("sounds_"), ""
        heard = collection in ("blanket", "clock_cc0")
        if collection == "esc":
            row = rows[path.name]
            number = re.search(r"Freesound clip (\d+)", row["source"])
            label, heard = row["label"], bool(number and number[1] in trained_clips)
        elif collection == "minetest":
            heard = stem in trained
        found.append(Recording(path, f"{collection}/{stem}", label, heard))
    return found


def questions(known: Sequence[Recording], clips: Path) -> Iterator[Question]:
    text = Path(__file__).with_name("queries.toml").read_text(encoding="utf-8")
    for row in tomllib.loads(text)["sound"]:
        wanted = frozenset(
            one.key
            for one in known
            if one.label in row.get("esc", ())
            or any(fnmatch.fnmatchcase(one.key, pattern) for pattern in row.get("files", ()))
        )
        yield Question("class", row["name"], wanted, row["name"])
        for said in row["said"]:
            yield Question("other words", said, wanted, row["name"])
    for row in json.loads((clips / "captions.json").read_text(encoding="utf-8")):
        key = f"clips/{Path(row['audio']).stem}"
        for caption in row["captions"]:
            yield Question("caption", caption, frozenset((key,)), key)


def link(known: Sequence[Recording], folder: Path) -> dict[str, str]:
    """Links to the recordings in folders of ``folder``; link -> key."""
    keys = {}
    for number, one in enumerate(known):
        for names in ("numbers", "names"):
            name = one.key.replace("/", " ") if names == "names" else f"{number:05}"
            place = folder / names / ("heard" if one.heard else "unheard")
            place.mkdir(parents=True, exist_ok=True)
            target = place / f"{name}{one.path.suffix}"
            target.unlink(missing_ok=True)
            target.symlink_to(one.path.resolve())
            keys[str(target)] = one.key
    return keys


@dataclass(frozen=True)
class Case:
    """A question in a library, with its candidates and the order by words alone."""

    question: Question
    asked: Asked
    candidates: Candidates
    by_words: tuple[str, ...]


def cases(
    library: Library, folder: Path, keys: dict[str, str], asked: Sequence[Question]
) -> list[Case]:
    """The questions that something below ``folder`` answers."""
    only = library.index.ids_in(folder)
    sounds = {one.id: one for one in library.index.sounds(only)}
    content_of: dict[str, set[str]] = {}
    for one in sounds.values():
        content_of.setdefault(keys[one.audio], set()).add(one.content)
    found = []
    for question in asked:
        contents = frozenset().union(*(content_of.get(key, ()) for key in question.wanted))
        if not contents:
            continue
        query = parsed(question.text)
        words = expression(query.words, every=False)
        ranked = [one for one, _ in library.index.text_ranks(words, len(keys)) if one in sounds]
        by_words = tuple(dict.fromkeys(sounds[one].content for one in ranked))[:MOST]
        candidates = library.candidates(query, None, only)
        found.append(Case(question, Asked(question.text, contents), candidates, by_words))
    return found


def measure(way: str, some: Sequence[Case], fusion: Fusion | None) -> Retrieval:
    ranked = [
        one.by_words
        if fusion is None
        else [result.content for result in one.candidates.results(fusion, MOST)]
        for one in some
    ]
    return measured(way, [one.asked for one in some], ranked)


def tell(title: str, some: Sequence[Case], fusion: Fusion = FUSION) -> None:
    for kind in KINDS:
        chosen = [one for one in some if one.question.kind == kind]
        print(f"\n{title}, {len(chosen)} queries by {kind}")
        for way, weights in (("fused", fusion), ("embedding", EMBEDDING_ALONE), ("words", None)):
            print_row(measure(way, chosen, weights))


def print_row(found: Retrieval) -> None:
    figures = {"R@1": found.recall[1], "R@10": found.recall[10]}
    figures["mAP@10"] = found.mean_average_precision
    told = "  ".join(f"{n} {i.value:.3f} ({i.low:.2f}-{i.high:.2f})" for n, i in figures.items())
    print(f"  {found.way:10} {told}")


def goodness(some: Sequence[Case], fusion: Fusion) -> float:
    """The mean of R@1, R@10 and mAP@10 over the kinds of queries, each counted alike."""
    found = []
    for kind in KINDS:
        one = measure("", [case for case in some if case.question.kind == kind], fusion)
        figures = (one.recall[1], one.recall[10], one.mean_average_precision)
        found.append(np.mean([figure.value for figure in figures]))
    return float(np.mean(found))


def fit(parts: Sequence[Sequence[Case]]) -> Fusion:
    """The best weights of the grid, over the libraries ``parts``."""
    best = (-1.0, FUSION)
    for values in itertools.product(*GRID.values()):
        fusion = replace(FUSION, **dict(zip(GRID, values, strict=True)))
        best = max(best, (np.mean([goodness(part, fusion) for part in parts]), fusion), key=first)
    return best[1]


def first(pair: tuple[float, Fusion]) -> float:
    return pair[0]


def cross_fit(libraries: dict[str, list[Case]]) -> None:
    groups = sorted({case.question.group for some in libraries.values() for case in some})
    halves = [set(groups[::2]), set(groups[1::2])]

    def of(half: set[str], some: Sequence[Case]) -> list[Case]:
        return [case for case in some if case.question.group in half]

    for own, other in (halves, halves[::-1]):
        fusion = fit([of(own, some) for some in libraries.values()])
        print(f"\nfitted on one half: {asdict(fusion)}")
        for title, some in libraries.items():
            tell(f"{title}, the other half", of(other, some), fusion)
    print(f"\nfitted on both: {asdict(fit(list(libraries.values())))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--index", type=Path, help="a folder to keep the index and links in")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    place = (arguments.index or Path(tempfile.mkdtemp())).resolve()
    known = recordings(arguments.sounds, arguments.clips)
    keys = link(known, place / "links")
    command = [sys.executable, "-m", "auricle", "index", str(place / "links")]
    subprocess.run([*command, "--index", str(place / "index")], check=False)
    asked = list(questions(known, arguments.clips))
    with Library(place / "index") as library:
        libraries = {
            f"{len(known) if everything else 'unheard'} sounds, {names}": cases(
                library,
                place / "links" / names / ("" if everything else "unheard"),
                keys,
                asked,
            )
            for names, everything in (("numbers", False), ("names", False), ("numbers", True))
        }
    if arguments.fit:
        cross_fit(libraries)
    for title, some in libraries.items():
        tell(title, some)


if __name__ == "__main__":
    main()
