"""Inputs of the metrics: tokens, vectors and judgements of one set of captions, each computed
once, at its first use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from auricle.metrics.ngrams import Tokens
from auricle.metrics.scores import Missing, MissingMetricError, Score
from auricle.text.fluency.detector import CLASSES
from auricle.text.normalise import is_blank

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from auricle.data.clip import Clip
    from auricle.metrics.clair_a import Judgements, LlmJudge
    from auricle.metrics.fense import Judge, Sentences
    from auricle.metrics.space import Grounding, Space


class Tokenised(NamedTuple):
    """PTB tokens of each caption and of its references."""

    candidates: list[Tokens]
    references: list[list[Tokens]]


class Embedded(NamedTuple):
    """Unit vectors of the N captions [N, E], zeros for an empty one, and of all their references in
    order [M, E]."""

    candidates: Tensor
    references: Tensor


class Spice(NamedTuple):
    """The score of SPICE, or of spice-py with the reason that it replaces SPICE."""

    score: Score
    missing: Missing | None


class MetricInputs:
    """N captions with their references, and values that metrics share.

    Attributes:
        rivals: all candidate captions of each clip, with its caption; None if each has only one.
        training: the captioner's training captions; None if not known.
        grounding: the recordings, and the models that compare captions with them; None without.
        llm: the language model that judges; None without one.
    """

    def __init__(
        self,
        candidates: Sequence[str],
        references: Sequence[Sequence[str]],
        rivals: Sequence[Sequence[str]] | None = None,
        training: Sequence[str] | None = None,
        device: str = "cpu",
        grounding: Grounding | None = None,
        llm: LlmJudge | None = None,
    ) -> None:
        self.candidates = list(candidates)
        self.references = [list(texts) for texts in references]
        self.rivals = [list(texts) for texts in rivals] if rivals is not None else None
        self.training = training
        self.device = device
        self.grounding, self.llm = grounding, llm

    @cached_property
    def tokens(self) -> Tokenised:
        """Raises MissingMetricError: some captions need Java, and there is none."""
        from auricle.metrics.ptb import tokenize

        flat = [*self.candidates, *chain.from_iterable(self.references)]
        found = iter(tokenize(flat))
        candidates: list[Tokens] = [next(found) for _ in self.candidates]
        return Tokenised(candidates, [[next(found) for _ in texts] for texts in self.references])

    @property
    def blank(self) -> list[int]:
        """The places of empty captions."""
        return [number for number, text in enumerate(self.candidates) if is_blank(text)]

    @cached_property
    def sentences(self) -> Sentences:
        from auricle.metrics.fense import sentence_model

        return sentence_model(self.device)

    @cached_property
    def vectors(self) -> Embedded:
        """Every distinct text is embedded once, all in one batch.

        A sentence model places nothing somewhere as well, at a cosine of about 0.1 to everything;
        an empty caption is similar to none.
        """
        flat = [*self.candidates, *chain.from_iterable(self.references)]
        rows = self.sentences.embedder.embed(flat).cpu()
        rows[self.blank] = 0.0
        return Embedded(rows[: len(self.candidates)], rows[len(self.candidates) :])

    @cached_property
    def similarities(self) -> tuple[float, ...]:
        """The mean cosine of each clip's caption with its references."""
        from auricle.metrics.fense import similarities

        return similarities(*self.vectors, [len(texts) for texts in self.references])

    @cached_property
    def judge(self) -> Judge:
        from auricle.metrics.fense import fluency_judge

        return fluency_judge(self.device)

    @cached_property
    def errors(self) -> np.ndarray:
        """[N, 6] error probabilities of the captions; an empty one is broken off, whatever a
        detector that was trained on captions makes of it."""
        found = self.judge.detector.probabilities(self.candidates)
        found[self.blank] = [float(name in ("add_tail", "error")) for name in CLASSES]
        return found

    @property
    def judged(self) -> bool:
        """Whether a metric asked for `errors`."""
        return "errors" in vars(self)

    @cached_property
    def cider_d(self) -> Score:
        from auricle.metrics.cider import cider_d

        return cider_d(*self.tokens)

    @cached_property
    def spice(self) -> Spice:
        return self._spice(self.candidates, self.references)

    @cached_property
    def spider(self) -> Score:
        from auricle.metrics.spider import spider

        return spider(self.cider_d, self.spice.score)

    @cached_property
    def spider_of_rivals(self) -> Score:
        """SPIDEr of all candidates of all clips, ordered by clip."""
        from auricle.metrics.cider import cider_d
        from auricle.metrics.ptb import tokenize
        from auricle.metrics.spider import spider

        rivals = self.rivals or [[text] for text in self.candidates]
        texts = list(chain.from_iterable(rivals))
        clip = [number for number, own in enumerate(rivals) for _ in own]
        documents = self.tokens.references
        cider = cider_d(tokenize(texts), [documents[number] for number in clip], documents)
        return spider(cider, self._spice(texts, [self.references[n] for n in clip]).score)

    @cached_property
    def model_space(self) -> Space:
        """Raises ModelError: no such model, or its text embedder cannot be had."""
        from auricle.metrics.space import MODEL, ModelSpace

        given = self.grounding
        if given and given.space:
            return given.space
        return ModelSpace.load(given.model if given else MODEL, self.device)

    @cached_property
    def clap_space(self) -> Space:
        """Raises ModelError: the checkpoint cannot be had."""
        from auricle.metrics.clap import ClapSpace
        from auricle.metrics.space import CLAP

        return ClapSpace((self.grounding.clap if self.grounding else None) or CLAP, self.device)

    def recordings(self, metric: str) -> list[Clip]:
        """Raises MissingMetricError: a clip has none."""
        clips = self.grounding.recordings if self.grounding else (None,)
        found = [clip for clip in clips if clip is not None]
        if len(found) < len(clips):
            lacking = len(self.candidates) - len(found)
            raise MissingMetricError(
                Missing(
                    metric,
                    f"{lacking} of {len(self.candidates)} clips have no recording",
                    "give a manifest, or the folder of the recordings by --audio FOLDER",
                )
            )
        return found

    def sound_similarities(self, metric: str, space: Space) -> list[float]:
        """Of each clip the cosine of its caption with its sound."""
        sounds = space.sounds(self.recordings(metric)).double()
        values: list[float] = (space.texts(self.candidates).double() * sounds).sum(dim=-1).tolist()
        return values

    def text_similarities(self, space: Space) -> tuple[float, ...]:
        """As `similarities`, in another space."""
        from auricle.metrics.fense import similarities

        counts = [len(texts) for texts in self.references]
        flat = list(chain.from_iterable(self.references))
        return similarities(space.texts(self.candidates), space.texts(flat), counts)

    @cached_property
    def judgements(self) -> Judgements:
        """Raises MissingMetricError: no language model is given."""
        from auricle.metrics.clair_a import CLAIR_A, judge_captions

        if self.llm is None:
            raise MissingMetricError(
                Missing(
                    CLAIR_A,
                    "no language model is named",
                    "give --judge NAME, with the key in OPENAI_API_KEY or --base-url of a server",
                )
            )
        pairs = zip(self.candidates, self.references, strict=True)
        return judge_captions(self.llm, [(text, tuple(meant)) for text, meant in pairs])

    @staticmethod
    def _spice(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Spice:
        """The official SPICE if its parser is on this machine, else spice-py."""
        from auricle.metrics.spice import spice, spice_py

        try:
            return Spice(spice(candidates, references), None)
        except MissingMetricError as error:
            return Spice(spice_py(candidates, references), error.missing)
