"""Rewards of captions against the references of their clip, for preference optimisation.

Each is a metric of every caption, of which nine tenths are lost where a fluency detector finds an
error, as in FENSE and SPIDEr-FL (Zhou et al., ICASSP 2022): metrics of n-grams alone are raised by
broken sentences as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain

from auricle.metrics.cider import cider_d
from auricle.metrics.scores import labelled
from auricle.metrics.spider import PENALTY
from auricle.text.normalise import as_written
from auricle.training.config import RewardName

Texts = Sequence[str]


class Reward:
    """A reward by name.

    Args:
        documents: the reference captions of every clip, whose n-grams CIDEr-D weighs by rarity.

    Attributes:
        label: the metric and what stands in for parts of it that are not on this machine.
    """

    def __init__(self, name: RewardName, documents: Sequence[Texts], device: str = "cpu") -> None:
        from auricle.metrics.fense import Judge, Sentences, fluency_judge, sentence_model
        from auricle.text.embedder import MINILM, TextEmbedder
        from auricle.text.fluency import default_detector

        self.name, self.documents, self.device = name, documents, device
        published = name in ("spider_fl", "fense")
        self._judge = fluency_judge(device) if published else Judge(default_detector(), None)
        self._sentences = (
            sentence_model(device)
            if name == "fense"
            else Sentences(TextEmbedder(MINILM, device=device), None)
        )
        standins = {self._judge.standin, self._sentences.standin} - {None}
        self.label = labelled(name, *sorted(filter(None, standins)))

    def __call__(self, captions: Sequence[Texts], references: Sequence[Texts]) -> list[list[float]]:
        """The rewards of each of N clips' captions; higher is better.

        Raises:
            AuricleError: a metric takes something that is missing.
        """
        flat = list(chain.from_iterable(captions))
        own = [texts for said, texts in zip(captions, references, strict=True) for _ in said]
        if not flat:
            return [[] for _ in captions]
        metric: dict[str, Callable[[Texts, Sequence[Texts]], Sequence[float]]] = {
            "cider_d": self._cider_d,
            "spider_fl": self._spider,
            "fense": self._similarity,
            "similarity": self._similarity,
        }
        fluent = self._judge.detector.fluent(flat)
        values = (
            value if whole else value * (1 - PENALTY)
            for value, whole in zip(metric[self.name](flat, own), fluent, strict=True)
        )
        return [[next(values) for _ in said] for said in captions]

    def _cider_d(self, captions: Texts, references: Sequence[Texts]) -> Sequence[float]:
        return cider_d(
            [_simple(text) for text in captions],
            [[_simple(text) for text in texts] for texts in references],
            self._simple_documents,
        ).items

    @cached_property
    def _simple_documents(self) -> list[list[list[str]]]:
        return [[_simple(text) for text in texts] for texts in self.documents]

    @cached_property
    def _ptb_documents(self) -> list[list[tuple[str, ...]]]:
        return _tokenised(self.documents)

    def _spider(self, captions: Texts, references: Sequence[Texts]) -> Sequence[float]:
        from auricle.metrics.ptb import tokenize
        from auricle.metrics.spice import spice
        from auricle.metrics.spider import spider

        cider = cider_d(tokenize(captions), _tokenised(references), self._ptb_documents)
        return spider(cider, spice(captions, references)).items

    def _similarity(self, captions: Texts, references: Sequence[Texts]) -> Sequence[float]:
        from auricle.metrics.fense import similarities

        embed = self._sentences.embedder.embed
        flat = list(chain.from_iterable(references))
        return similarities(embed(captions).cpu(), embed(flat).cpu(), list(map(len, references)))


def _simple(text: str) -> list[str]:
    return as_written(text).split()


def _tokenised(references: Sequence[Texts]) -> list[list[tuple[str, ...]]]:
    from auricle.metrics.ptb import tokenize

    found = iter(tokenize(list(chain.from_iterable(references))))
    return [[next(found) for _ in texts] for texts in references]
