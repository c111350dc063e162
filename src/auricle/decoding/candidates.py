"""The memory of clips -> their candidate captions, best first: search, likelihood, scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from auricle.decoding.ensemble import AveragedSteps, stepped_likelihoods
from auricle.decoding.forbidden import ForbiddenWords, forbidden_words
from auricle.decoding.hypothesis import Draft, Voice
from auricle.decoding.hypothesis import Sequence as Found
from auricle.decoding.likelihood import Likelihood, draft_likelihoods
from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import score_candidates
from auricle.decoding.search import search
from auricle.decoding.steps import DecoderSteps, Steps
from auricle.errors import ModelError
from auricle.model.bart import CrossMemory
from auricle.model.captioner import AudioMemory
from auricle.records import Candidate
from auricle.text.tokenizer import CaptionTokenizer, strip_punctuation

Pool = Literal["candidates", "tokens"]  # what the voices of an ensemble bring together


def find_candidates(
    voices: Sequence[Voice],
    memories: Sequence[AudioMemory],
    options: DecodeOptions,
    seed: int = 0,
    pool: Pool = "candidates",
    every_term: bool = False,
) -> list[list[Candidate]]:
    """Distinct candidates of B clips: by score, but what one search found in its own order.

    ``memories`` are one per voice, of the same clips. Each serves search, likelihood and
    similarity. ``seed`` fixes sampling whatever the batch holds. ``pool``: every voice searches
    ("candidates"), or all search as one by the average of their token probabilities ("tokens").
    ``every_term``: compute also the terms of reranking that have no weight.
    """
    crosses = _read(voices, memories)
    drafts = find_drafts(voices, crosses, options, seed, pool)
    likelihoods = judge_drafts(voices, crosses, drafts, pool)
    embeddings = [memory.embedding for memory in memories]
    return score_candidates(voices, embeddings, drafts, likelihoods, options, every_term)


def judge_drafts(
    voices: Sequence[Voice],
    crosses: Sequence[CrossMemory],
    drafts: Sequence[Sequence[Draft]],
    pool: Pool = "candidates",
) -> list[list[list[Likelihood]]]:
    """The likelihood of each draft of each clip, by each voice; by all as one for pool "tokens"."""
    if pool == "tokens":
        return [stepped_likelihoods(_averaged(voices, crosses), drafts, voices[0].tokenizer)]
    return [
        draft_likelihoods(voice, index, cross, drafts)
        for index, (voice, cross) in enumerate(zip(voices, crosses, strict=True))
    ]


def find_drafts(
    voices: Sequence[Voice],
    crosses: Sequence[CrossMemory],
    options: DecodeOptions,
    seed: int,
    pool: Pool = "candidates",
) -> list[list[Draft]]:
    """The distinct captions of each clip, in the order in which the voices found them.

    Voice number i samples by ``seed`` + i, for equal voices would draw equal samples.
    """
    steps: list[Steps] = (
        [_averaged(voices, crosses)] if pool == "tokens" else _steps(voices, crosses)
    )
    found: list[dict[str, Draft]] = [{} for _ in range(crosses[0].clips)]
    for index, (voice, its_steps) in enumerate(zip(voices, steps, strict=False)):
        forbidden = forbidden_words(options.forbidden_words, voice.tokenizer)
        searched = search(its_steps, options, seed + index, forbidden)
        for clip, sequences in zip(found, searched, strict=True):
            for sequence in sequences:
                draft = _draft(sequence, voice.tokenizer, forbidden, index)
                clip[draft.text] = _merge(clip.get(draft.text), draft)
    return [list(clip.values()) for clip in found]


def joint_steps(
    voices: Sequence[Voice], memories: Sequence[AudioMemory], pool: Pool = "candidates"
) -> Steps:
    """The one search there is: of a single voice, or of all as one.

    Raises:
        ModelError: several voices that search one after the other.
    """
    crosses = _read(voices, memories)
    if pool == "tokens":
        return _averaged(voices, crosses)
    if len(voices) > 1:
        raise ModelError(
            f"members {', '.join(voice.name for voice in voices)} search one after the other; "
            "stream a single model, or an ensemble that pools tokens"
        )
    return _steps(voices, crosses)[0]


def _read(voices: Sequence[Voice], memories: Sequence[AudioMemory]) -> list[CrossMemory]:
    return [
        voice.decoder.read_memory(memory.memory, memory.lengths)
        for voice, memory in zip(voices, memories, strict=True)
    ]


def _steps(voices: Sequence[Voice], crosses: Sequence[CrossMemory]) -> list[Steps]:
    pairs = zip(voices, crosses, strict=True)
    return [DecoderSteps(voice.decoder, cross) for voice, cross in pairs]


def _averaged(voices: Sequence[Voice], crosses: Sequence[CrossMemory]) -> AveragedSteps:
    weights = [voice.likelihood_weight for voice in voices]
    return AveragedSteps(_steps(voices, crosses), weights)


def _draft(
    sequence: Found, tokenizer: CaptionTokenizer, forbidden: ForbiddenWords | None, voice: int
) -> Draft:
    """The log-probability is known where the text re-tokenises to the tokens drawn."""
    text = strip_punctuation(tokenizer.decode(sequence.ids))
    if forbidden:
        text = forbidden.erase(text)
    same = tokenizer.encode(text) == sequence.ids
    return Draft(text, tuple(sequence.ids), sequence.log_probability if same else None, voice=voice)


def _merge(first: Draft | None, draft: Draft) -> Draft:
    """Another draft of the same text is counted; its tokens count if they tell more."""
    if first is None:
        return draft
    known = first.log_probability is not None or draft.voice != first.voice
    ids, log_probability = (
        (first.ids, first.log_probability) if known else (draft.ids, draft.log_probability)
    )
    return replace(first, ids=ids, log_probability=log_probability, count=first.count + 1)
