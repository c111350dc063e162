"""Candidate captions of clips, from their memory: search, likelihood, scores; best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from auricle.decoding.ensemble import AveragedSteps, stepped_likelihoods
from auricle.decoding.forbidden import ForbiddenWords, forbidden_words
from auricle.decoding.hypothesis import Hypothesis, Scorer, TokenSequence
from auricle.decoding.likelihood import Likelihood, hypothesis_likelihoods
from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import score_candidates
from auricle.decoding.search import search
from auricle.decoding.steps import DecoderSteps, Steps
from auricle.errors import ModelError
from auricle.model.bart import CrossMemory
from auricle.model.captioner import AudioMemory
from auricle.records import Candidate
from auricle.text.normalise import strip_punctuation
from auricle.text.tokenizer import CaptionTokenizer

Pool = Literal["candidates", "tokens"]  # what an ensemble combines


def find_candidates(
    scorers: Sequence[Scorer],
    memories: Sequence[AudioMemory],
    options: DecodeOptions,
    seed: int = 0,
    pool: Pool = "candidates",
    every_term: bool = False,
) -> list[list[Candidate]]:
    """Distinct candidates of B clips, best score first; one beam or greedy search keeps its order.

    ``memories`` holds one memory of the same clips per scorer, for search, likelihood and
    similarity. ``seed`` fixes the samples, whatever the batch. ``pool``: each scorer searches
    ("candidates"), or all search together by the average of their token probabilities ("tokens").
    ``every_term``: compute also the reranking terms that have no weight.
    """
    crosses = _read(scorers, memories)
    hypotheses = find_hypotheses(scorers, crosses, options, seed, pool)
    likelihoods = judge_hypotheses(scorers, crosses, hypotheses, pool)
    embeddings = [memory.embedding for memory in memories]
    return score_candidates(scorers, embeddings, hypotheses, likelihoods, options, every_term)


def score_again(
    scorers: Sequence[Scorer],
    memories: Sequence[AudioMemory],
    parts: Sequence[Sequence[Candidate]],
    options: DecodeOptions,
    pool: Pool = "candidates",
    every_term: bool = False,
) -> list[Candidate]:
    """The candidates of the parts of a recording, scored by the memory of the whole, best first.

    ``memories``: of the whole, one per scorer, [1, T, D]. The other arguments are those of
    `find_candidates`.
    """
    number = {scorer.name: place for place, scorer in enumerate(scorers)}
    found: dict[str, Hypothesis] = {}
    for candidate in (candidate for part in parts for candidate in part):
        scorer = number.get(candidate.model or "", 0)
        ids = tuple(scorers[scorer].tokenizer.encode(candidate.text))
        count = candidate.count + (found[candidate.text].count if candidate.text in found else 0)
        found[candidate.text] = Hypothesis(candidate.text, ids, None, count, scorer)
    hypotheses = [list(found.values())]
    likelihoods = judge_hypotheses(scorers, _read(scorers, memories), hypotheses, pool)
    embeddings = [memory.embedding for memory in memories]
    by_score = replace(options, method="nucleus")  # the parts' orders are of no use for the whole
    return score_candidates(scorers, embeddings, hypotheses, likelihoods, by_score, every_term)[0]


def judge_hypotheses(
    scorers: Sequence[Scorer],
    crosses: Sequence[CrossMemory],
    hypotheses: Sequence[Sequence[Hypothesis]],
    pool: Pool = "candidates",
) -> list[list[list[Likelihood]]]:
    """The likelihood of each hypothesis of each clip, per scorer; of all together for pool
    "tokens"."""
    if pool == "tokens":
        return [stepped_likelihoods(_averaged(scorers, crosses), hypotheses, scorers[0].tokenizer)]
    return [
        hypothesis_likelihoods(scorer, index, cross, hypotheses)
        for index, (scorer, cross) in enumerate(zip(scorers, crosses, strict=True))
    ]


def find_hypotheses(
    scorers: Sequence[Scorer],
    crosses: Sequence[CrossMemory],
    options: DecodeOptions,
    seed: int,
    pool: Pool = "candidates",
) -> list[list[Hypothesis]]:
    """The distinct captions of each clip, in the order in which the scorers found them.

    Scorer i samples with ``seed`` + i: with one seed, equal scorers would draw equal samples.
    """
    steps: list[Steps] = (
        [_averaged(scorers, crosses)] if pool == "tokens" else _steps(scorers, crosses)
    )
    found: list[dict[str, Hypothesis]] = [{} for _ in range(crosses[0].clips)]
    for index, (scorer, its_steps) in enumerate(zip(scorers, steps, strict=False)):
        forbidden = forbidden_words(options.forbidden_words, scorer.tokenizer)
        searched = search(its_steps, options, seed + index, forbidden)
        for clip, sequences in zip(found, searched, strict=True):
            for sequence in sequences:
                hypothesis = _hypothesis(sequence, scorer.tokenizer, forbidden, index)
                clip[hypothesis.text] = _merge(clip.get(hypothesis.text), hypothesis)
    return [list(clip.values()) for clip in found]


def joint_steps(
    scorers: Sequence[Scorer], memories: Sequence[AudioMemory], pool: Pool = "candidates"
) -> Steps:
    """The steps of the only search: of a single scorer, or of all scorers together.

    Raises:
        ModelError: several scorers search one after the other.
    """
    crosses = _read(scorers, memories)
    if pool == "tokens":
        return _averaged(scorers, crosses)
    if len(scorers) > 1:
        raise ModelError(
            f"members {', '.join(scorer.name for scorer in scorers)} search one after the other; "
            "stream a single model, or an ensemble that pools tokens"
        )
    return _steps(scorers, crosses)[0]


def _read(scorers: Sequence[Scorer], memories: Sequence[AudioMemory]) -> list[CrossMemory]:
    return [
        scorer.decoder.read_memory(memory.memory, memory.lengths)
        for scorer, memory in zip(scorers, memories, strict=True)
    ]


def _steps(scorers: Sequence[Scorer], crosses: Sequence[CrossMemory]) -> list[Steps]:
    pairs = zip(scorers, crosses, strict=True)
    return [DecoderSteps(scorer.decoder, cross) for scorer, cross in pairs]


def _averaged(scorers: Sequence[Scorer], crosses: Sequence[CrossMemory]) -> AveragedSteps:
    weights = [scorer.likelihood_weight for scorer in scorers]
    return AveragedSteps(_steps(scorers, crosses), weights)


def _hypothesis(
    sequence: TokenSequence,
    tokenizer: CaptionTokenizer,
    forbidden: ForbiddenWords | None,
    scorer: int,
) -> Hypothesis:
    """The log-probability is known only if the text re-tokenises to the tokens drawn."""
    text = strip_punctuation(tokenizer.decode(sequence.ids))
    if forbidden:
        text = forbidden.erase(text)
    same = tokenizer.encode(text) == sequence.ids
    return Hypothesis(
        text, tuple(sequence.ids), sequence.log_probability if same else None, scorer=scorer
    )


def _merge(first: Hypothesis | None, hypothesis: Hypothesis) -> Hypothesis:
    """Count a second hypothesis of the same text; take its tokens if they have the probability."""
    if first is None:
        return hypothesis
    known = first.log_probability is not None or hypothesis.scorer != first.scorer
    ids, log_probability = (
        (first.ids, first.log_probability)
        if known
        else (hypothesis.ids, hypothesis.log_probability)
    )
    return replace(first, ids=ids, log_probability=log_probability, count=first.count + 1)
