"""CLAIR-A (Wu et al., "CLAIR-A: Leveraging large language models to judge audio captions", arXiv
2409.12962): a language model's judgement of a caption beside its references, and its reason.

The form is the published one: 0 to 100, of which 10 for grammar and detail; ties are broken by the
similarity of sentences. The prompt is in our own words and the model is the user's, so the score
carries the model's name and compares with no other's.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auricle.errors import DataError
from auricle.files import append_rows, kept_rows
from auricle.llm.client import Chat, ClientConfig, GivenUp, ask
from auricle.llm.completion import Answer
from auricle.llm.cost import TokenCount, billed
from auricle.metrics.scores import Score, labelled
from auricle.watch import silent

CLAIR_A = "CLAIR-A"
PROMPT = "auricle-1"  # another wording is another name
TIE_BREAK = 1e-4  # the share of sentence similarity in a score (released code)
ROUNDS = 3  # how often a model is asked that answers without a verdict

INSTRUCTIONS = """Judge a caption of a sound recording. You cannot hear the recording; people who \
heard it wrote the reference captions.

Give 0 to 90 points for how surely the caption tells of the same recording: the same sources, \
actions, order and places, nothing important left out and nothing invented. Another wording, or \
detail that fits, costs nothing. Then give 0 to 10 points for grammar and for plausible detail.

Caption:
{caption}

References:
{references}

Reply with one JSON object and nothing else: {{"score": the sum of the points, a whole number from \
0 to 100, "reason": one short sentence}}"""
AGAIN = 'That was no verdict. Reply with the JSON object alone: {"score": 0 to 100, "reason": "…"}'

_DECODER = json.JSONDecoder()
_SCORE = re.compile(r"""["']?score["']?\s*[:=]\s*["']?(?P<score>-?\d+(?:\.\d+)?)""", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Judgement:
    """A model's judgement; ``score`` is from 0 to 100."""

    score: float
    reason: str


@dataclass(frozen=True, eq=False)
class LlmJudge:
    """A model that judges captions.

    Attributes:
        kept: JSON Lines of verdicts; those that are there are not asked for again.
        spent: told of the tokens of a run.
    """

    config: ClientConfig
    kept: Path | None = None
    spent: Callable[[TokenCount], None] = silent


Judged = tuple[str, tuple[str, ...]]  # a caption, and its references


@dataclass(eq=False)
class Judgements:
    """Judgements of a model on captions; ``failed``: captions without one, by the reason."""

    found: dict[Judged, Judgement] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)


def chat(caption: str, references: Sequence[str]) -> Chat:
    """The chat that asks for a verdict."""
    lines = "\n".join(f"- {' '.join(text.split())}" for text in references)
    asked = INSTRUCTIONS.format(caption=f"- {' '.join(caption.split())}", references=lines)
    return [{"role": "user", "content": asked}]


def read_judgement(answer: str) -> Judgement | None:
    """The verdict in a model's answer, in prose, a code block or broken JSON as well; None if there
    is none, or its score is not between 0 and 100."""
    for start in [match.start() for match in re.finditer("{", answer)]:
        try:
            found = _DECODER.raw_decode(answer, start)[0]
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "score" in found:
            reason = found.get("reason")
            return _judgement(found["score"], reason if isinstance(reason, str) else "")
    if found := _SCORE.search(answer):
        return _judgement(found["score"], "")
    return None


def _judgement(score: Any, reason: str) -> Judgement | None:
    if isinstance(score, str) and (number := _NUMBER.match(score.strip())):  # "85/100"
        score = float(number.group())
    if isinstance(score, bool) or not isinstance(score, int | float):
        return None
    if not 0 <= score <= 100 or 0 < score < 1:  # under 1: another scale
        return None
    return Judgement(float(score), " ".join(reason.split()))


def judge_captions(judge: LlmJudge, pairs: Sequence[Judged]) -> Judgements:
    """Judgements on captions and their references; equal ones are asked for once.

    Raises:
        ProviderError: the server cannot be used: see `auricle.llm.client`.
        DataError: ``judge.kept`` cannot be read or written.
    """
    verdicts, spent = Judgements(_kept(judge)), TokenCount()
    chats = {pair: chat(*pair) for pair in dict.fromkeys(pairs) if pair not in verdicts.found}
    again: dict[Judged, Chat] = {}

    def answered(pair: Judged, asked: Chat, answer: Answer | GivenUp, _: int) -> None:
        nonlocal spent
        if isinstance(answer, GivenUp):
            verdicts.failed[str(answer)] += 1
            return
        spent = spent.plus(billed(answer, asked))
        if verdict := read_judgement(answer.text):
            verdicts.found[pair] = verdict
            _keep(judge, pair, verdict)
        else:
            said = {"role": "assistant", "content": answer.text or "-"}
            again[pair] = [*chats[pair], said, {"role": "user", "content": AGAIN}]

    wanted = chats
    try:
        for _ in range(ROUNDS):
            if wanted:
                again = {}
                ask(judge.config, wanted.items(), answered)
                wanted = again
    finally:
        if spent.prompt:
            judge.spent(spent)
    verdicts.failed["no verdict in the answer"] += len(wanted)
    verdicts.failed = +verdicts.failed
    return verdicts


def clair_a(
    verdicts: Sequence[Judgement | None], similarities: Sequence[float], model: str
) -> Score:
    """The mean of N judgements; of a caption without one the item is NaN, and it does not count.

    Args:
        similarities: [N] of each caption with its references, which break ties.
    """
    items = tuple(
        (1 - TIE_BREAK) * verdict.score / 100 + TIE_BREAK * similarity if verdict else math.nan
        for verdict, similarity in zip(verdicts, similarities, strict=True)
    )
    known = [item for item in items if not math.isnan(item)]
    reasons = tuple(verdict.reason if verdict else "" for verdict in verdicts)
    mean = sum(known) / len(known) if known else math.nan
    return Score(labelled(CLAIR_A, model), mean, items, reasons=reasons)


def _kept(judge: LlmJudge) -> dict[Judged, Judgement]:
    found: dict[Judged, Judgement] = {}
    for line, row in kept_rows(judge.kept) if judge.kept else ():
        try:
            if (row["model"], row["prompt"]) == (judge.config.model, PROMPT):
                pair = (row["caption"], tuple(row["references"]))
                found[pair] = Judgement(float(row["score"]), row["reason"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{judge.kept}:{line}: no verdict ({error!r}); give another file"
            ) from error
    return found


def _keep(judge: LlmJudge, pair: Judged, verdict: Judgement) -> None:
    if judge.kept is None:
        return
    row = {
        "model": judge.config.model,
        "prompt": PROMPT,
        "caption": pair[0],
        "references": pair[1],
        "score": verdict.score,
        "reason": verdict.reason,
    }
    append_rows(judge.kept, [row])
