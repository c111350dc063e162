"""Metrics beside human judgements: FENSE-Eval (Zhou et al., ICASSP 2022), pairs of captions.

    python benchmarks/human_judgement.py [--metrics cider-d,fense] [--detector FOLDER]

Needs the project's shared data folder beside the repository. Accuracy is the share of pairs whose
better caption, by the sum of the votes, has the higher score. The data are for measuring only.

    HC  both captions by people, of this clip        HM  one by people, one by a program
    HI  both by people, one of another clip          MM  both by programs
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from auricle.metrics import evaluate
from auricle.metrics.fense import fense
from auricle.metrics.grounded import MACE_PENALTY
from auricle.metrics.spider import PENALTY, THRESHOLD
from auricle.text.fluency import FluencyDetector, load_detector

DATA = Path(__file__).parents[2] / "shared/golden/fense_eval"
SETS = {"audiocaps": "AudioCaps-Eval", "clotho": "Clotho-Eval"}
HUMAN, MACHINE = ("HC", "HI", "HM"), "MM"
FACETS = (*HUMAN, MACHINE)
REFERENCES = 4  # that every caption is scored against
# Accuracy on all facets of the two sets, %, as published: Zhou et al., ICASSP 2022, table 2; MACE:
# Dixit et al., arXiv 2411.00321. SBERT is paraphrase-MiniLM there, FENSE's detector its base one.
PUBLISHED = {
    "spice": (59.7, 56.3),
    "spider": (None, 64.2),
    "sbert": (80.4, 71.3),
    "fense": (85.3, 75.7),
    "fense-base": (85.3, 75.7),
    "MACE": (88.1, 79.0),
}

References = list[list[str]]
Texts = tuple[list[str], References]  # captions, and the references of each


@dataclass(frozen=True)
class Pair:
    """Two captions of a clip; ``votes`` above 0: the first is better, 0: they cancel."""

    facet: str
    captions: tuple[str, str]
    references: tuple[str, ...]
    votes: int

    def rivals(self, side: int) -> list[str]:
        """The references of a caption in a pair with people's: those other than itself, or than the
        first caption, repeated from their start to `REFERENCES`."""
        judged = self.captions[side if self.facet == "HC" else 0]
        others = [text for text in self.references if text != judged]
        return (others * REFERENCES)[: max(REFERENCES, len(others))]


@dataclass(frozen=True)
class Judged:
    """The pairs of one set: those with people's captions by facet, then those of programs.

    ``detector``: error probabilities [2, pairs] by the published detector.
    """

    human: list[Pair]
    machine: list[Pair]
    detector: np.ndarray

    @classmethod
    def read(cls, name: str) -> Judged:
        rows = json.loads((DATA / f"{name}_eval.json").read_text(encoding="utf-8"))
        pairs = list(_pairs(rows))
        files = [DATA / f"probs{side}_alltrain_{name}.npy" for side in (0, 1)]
        return cls(
            [pair for facet in HUMAN for pair in pairs if pair.facet == facet],
            [pair for pair in pairs if pair.facet == MACHINE],
            np.stack([np.load(file)[:, -1] for file in files]),
        )

    @property
    def pairs(self) -> list[Pair]:
        return [*self.human, *self.machine]

    def texts(self) -> list[Texts]:
        """What is scored together: both sides of people's pairs, then those of programs' against
        each four of their five references."""
        found: list[Texts] = [
            ([p.captions[side] for p in self.human], [p.rivals(side) for p in self.human])
            for side in (0, 1)
        ]
        for side in (0, 1):
            said = [pair.captions[side] for pair in self.machine]
            for out in range(REFERENCES + 1):
                meant = [[*p.references[:out], *p.references[out + 1 :]] for p in self.machine]
                found.append((said, meant))
        return found

    def joined(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        """[2, pairs] of the scores of `texts`."""
        machine = np.float32(scores[2:]).reshape(2, REFERENCES + 1, -1).mean(axis=1)
        return np.concatenate([np.array(scores[:2]), machine], axis=1)

    def accuracies(self, scores: np.ndarray) -> list[float]:
        """Percent by `FACETS`, then of all pairs; scores [2, pairs]. Ties are wrong."""
        gap = np.sign(np.subtract(*scores.astype(np.float32)))
        truth = np.sign([pair.votes for pair in self.pairs])
        facets = np.array([pair.facet for pair in self.pairs])
        shown = [*(facets == facet for facet in FACETS), facets != ""]
        return [100 * float((gap == truth)[(truth != 0) & of].mean()) for of in shown]


def _pairs(rows: Sequence[dict]) -> Iterator[Pair]:
    for row in rows:
        for facet, entry in row.items():
            if facet.partition("_")[0] in FACETS and entry:
                first, second, *_, votes = entry
                if votes:
                    name = facet.partition("_")[0]
                    yield Pair(name, (first, second), tuple(row["references"]), sum(votes))


class Scores:
    """Scores [2, pairs] of a set, by metric."""

    def __init__(self, judged: Judged, detector: FluencyDetector) -> None:
        self.judged, self.detector = judged, detector
        self.texts = judged.texts()

    def of_items(self, metric: str, name: str) -> np.ndarray:
        """Of a metric that sees each caption alone: all texts in one run."""
        said = list(chain.from_iterable(captions for captions, _ in self.texts))
        meant = list(chain.from_iterable(references for _, references in self.texts))
        found = _items(said, meant, metric, name)
        ends = np.cumsum([len(captions) for captions, _ in self.texts])[:-1]
        return self.judged.joined(np.split(found, ends))

    @cached_property
    def bleu(self) -> np.ndarray:
        return self.of_items("bleu", "BLEU-4")

    @cached_property
    def rouge_l(self) -> np.ndarray:
        return self.of_items("rouge-l", "ROUGE-L")

    @cached_property
    def meteor(self) -> np.ndarray:
        return self.of_items("meteor", "METEOR")

    @cached_property
    def spice(self) -> np.ndarray:
        return self.of_items("spice", "SPICE")

    @cached_property
    def sbert(self) -> np.ndarray:
        return self.of_items("sbert", "SBERT similarity")

    @cached_property
    def cider_d(self) -> np.ndarray:
        """Document frequencies are those of the captions that are scored together."""
        return self.judged.joined([_items(*texts, "cider-d", "CIDEr-D") for texts in self.texts])

    @cached_property
    def spider(self) -> np.ndarray:
        return (self.cider_d + self.spice) / 2

    @cached_property
    def errors(self) -> np.ndarray:
        captions = [[pair.captions[side] for pair in self.judged.pairs] for side in (0, 1)]
        return np.stack(
            [self.detector.error(texts) > self.detector.threshold for texts in captions]
        )

    @cached_property
    def spider_fl(self) -> np.ndarray:
        return self.spider * (1 - PENALTY * self.errors)

    @cached_property
    def fense(self) -> np.ndarray:
        sides = zip(self.sbert, self.errors, strict=True)
        return np.array([fense(same, error, 0.5).items for same, error in sides])

    @cached_property
    def mace_text(self) -> np.ndarray:
        return self.sbert * (1 - MACE_PENALTY * self.errors)

    @cached_property
    def fense_base(self) -> np.ndarray:
        sides = zip(self.sbert, self.judged.detector, strict=True)
        return np.array([fense(same, error, THRESHOLD).items for same, error in sides])


def _items(said: list[str], meant: References, metric: str, name: str) -> np.ndarray:
    found = evaluate(said, meant, [metric])
    items = [s.items for s in found.scores if s.name.partition(" (")[0] == name]
    if not items:
        raise SystemExit(f"{name}: {'; '.join(m.reason for m in found.missing)}")
    return np.array(items[0])


ROWS: dict[str, tuple[str, Callable[[Scores], np.ndarray]]] = {
    "bleu": ("BLEU-4", lambda s: s.bleu),
    "rouge-l": ("ROUGE-L", lambda s: s.rouge_l),
    "meteor": ("METEOR", lambda s: s.meteor),
    "cider-d": ("CIDEr-D", lambda s: s.cider_d),
    "spice": ("SPICE (spice-py)", lambda s: s.spice),
    "spider": ("SPIDEr (spice-py)", lambda s: s.spider),
    "spider-fl": ("SPIDEr-FL (spice-py, our detector)", lambda s: s.spider_fl),
    "sbert": ("SBERT (MiniLM)", lambda s: s.sbert),
    "fense": ("FENSE (MiniLM, our detector)", lambda s: s.fense),
    "fense-base": ("FENSE (MiniLM, published detector)", lambda s: s.fense_base),
    "mace-text": ("MACE-like without the sound (MiniLM, our detector)", lambda s: s.mace_text),
}


@dataclass(frozen=True)
class Verdicts:
    """Verdicts beside those of people: shares, and Cohen's kappa."""

    precision: float
    recall: float
    f1: float
    kappa: float

    @classmethod
    def of(cls, found: np.ndarray, truth: np.ndarray) -> Verdicts:
        both = float((found & truth).sum())
        agreed, chance = (found == truth).mean(), _by_chance(found.mean(), truth.mean())
        return cls(
            both / found.sum(),
            both / truth.sum(),
            2 * both / (found.sum() + truth.sum()),
            float((agreed - chance) / (1 - chance)),
        )


def _by_chance(first: float, second: float) -> float:
    return first * second + (1 - first) * (1 - second)


def verdict_lines(detector: FluencyDetector, sets: Sequence[Judged]) -> Iterator[str]:
    """The two detectors beside 723 human verdicts, and beside one another."""
    with (DATA / "fluency_annotations_723.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row["caption"] for row in rows]
    truth = np.array([row["fluency_issue"] == "1" for row in rows])
    known = published_verdicts(sets)
    theirs = np.array([known[text] for text in texts])
    ours = detector.error(texts) > detector.threshold
    yield f"{len(rows)} captions by programs, {truth.sum()} not fluent in people's judgement"
    yield "\n| detector | precision | recall | F1 | kappa with people |\n|---|---|---|---|---|"
    for name, found in ((detector.name, ours), ("published, base", theirs)):
        v = Verdicts.of(found, truth)
        yield f"| {name} | {v.precision:.3f} | {v.recall:.3f} | {v.f1:.3f} | {v.kappa:.2f} |"
    yield f"\nkappa of the two: {Verdicts.of(ours, theirs).kappa:.2f} on these"
    everything, published = list(known), np.array(list(known.values()))
    found = detector.error(everything) > detector.threshold
    kappa = Verdicts.of(found, published).kappa
    yield f"and {kappa:.2f} on all {len(everything)} different captions of the pairs"


def published_verdicts(sets: Sequence[Judged]) -> dict[str, bool]:
    """Whether the published detector flags a caption of the pairs."""
    return {
        pair.captions[side]: bool(error > THRESHOLD)
        for judged in sets
        for side in (0, 1)
        for pair, error in zip(judged.pairs, judged.detector[side], strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", default=",".join(ROWS), help="by commas; all by default")
    parser.add_argument("--detector", default="auricle", help="a name or a folder")
    options = parser.parse_args()
    wanted = options.metrics.split(",")
    if unknown := set(wanted) - set(ROWS):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(ROWS)}")
    if not DATA.is_dir():
        parser.error(f"{DATA} is not there")
    detector = load_detector(options.detector)
    sets = {title: Judged.read(name) for name, title in SETS.items()}
    for number, (title, judged) in enumerate(sets.items()):
        print(f"\n{title}: {len(judged.pairs)} pairs; accuracy, %\n")
        print(f"| metric | {' | '.join(FACETS)} | all | published |\n|---|{'---|' * 6}")
        scores = Scores(judged, detector)
        for key in wanted:
            name, of = ROWS[key]
            found = " | ".join(f"{value:.1f}" for value in judged.accuracies(of(scores)))
            print(f"| {name} | {found} | {_published(key, number)} |", flush=True)
        print(f"| MACE | {'| ' * 5}| {_published('MACE', number)} |")
    print()
    print("\n".join(verdict_lines(detector, list(sets.values()))))


def _published(key: str, number: int) -> str:
    value = PUBLISHED.get(key, (None, None))[number]
    return "" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    main()
