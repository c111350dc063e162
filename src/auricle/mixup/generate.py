"""Generation of mix-ups from a manifest's captions, row by row into a file that a later run can
continue."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from auricle.errors import DataError
from auricle.llm.client import Chat, ClientConfig, GivenUp, ask
from auricle.llm.completion import Answer
from auricle.llm.cost import TokenCount, billed, chat_tokens
from auricle.mixup.answers import Provider, appending, read_rows
from auricle.mixup.grammar import VERSION, NotMixed, mix_captions
from auricle.mixup.pairs import CaptionPairs
from auricle.mixup.prompts import MAX_WORDS, PAPER, Prompt
from auricle.mixup.status import Meter, OnProgress, Summary
from auricle.watch import silent

ANSWER_TOKENS = round(MAX_WORDS * 4 / 3)  # OpenAI's rule of thumb: 75 words are 100 tokens
SAMPLE = 500  # pairs that an estimate looks at


def generate(
    output: str | os.PathLike[str],
    pairs: CaptionPairs,
    count: int,
    config: ClientConfig,
    prompt: Prompt = PAPER,
    progress: OnProgress = silent,
) -> Summary:
    """Let a model mix the pairs 0 to ``count`` - 1 that ``output`` lacks (`auricle.mixup.answers`).

    A row is written as soon as its answer arrives. At the end the file is sorted. If the request of
    a pair keeps failing, the pair is counted and left for the next run.

    Raises:
        DataError: ``output`` was made from other pairs, or by another model or prompt, or the
            manifest has fewer pairs.
        ProviderError: the server cannot be used: see `auricle.llm.client`.
    """
    output = Path(output)
    numbers = missing(output, pairs, count, prompt.version, config.model, "openai")
    meter = Meter(count, count - len(numbers), estimate(pairs, numbers, prompt), progress)

    def answered(number: int, chat: Chat, answer: Answer | GivenUp, retries: int) -> None:
        if isinstance(answer, GivenUp):
            meter.gave_up(str(answer), retries)
            return
        row = pairs[number].row(
            answer.text, prompt=prompt.version, model=config.model, provider="openai"
        )
        append(row)
        meter.made_row(billed(answer, chat), retries)

    with appending(output) as append:
        ask(config, ((n, prompt.messages(pairs[n].captions)) for n in numbers), answered)
    return meter.summary()


def generate_by_grammar(
    output: str | os.PathLike[str],
    pairs: CaptionPairs,
    count: int,
    progress: OnProgress = silent,
) -> Summary:
    """`generate` without a model: ``count`` rows of the first pairs that grammar can mix.

    The other pairs are skipped and counted by reason; the rows are fewer than ``count`` if the
    manifest has no more pairs. Raises DataError as `generate`.
    """
    output = Path(output)
    there = _found(output, pairs, VERSION, VERSION, "local")
    meter = Meter(count, min(count, len(there)), TokenCount(), progress)
    skipped: Counter[str] = Counter()
    with appending(output) as append:
        for number in range(len(pairs)):
            if meter.done >= count:
                break
            if number in there:
                continue
            pair = pairs[number]
            try:
                mixture = mix_captions(pair.captions, pairs.seed, number)
            except NotMixed as error:
                skipped[str(error)] += 1
                continue
            append(
                pair.row(
                    mixture.text,
                    prompt=VERSION,
                    model=VERSION,
                    provider="local",
                    relation=mixture.relation,
                )
            )
            meter.made_row(TokenCount(), 0)
    return meter.summary(skipped)


def missing(
    output: Path, pairs: CaptionPairs, count: int, prompt: str, model: str, provider: Provider
) -> list[int]:
    """The numbers below ``count`` of pairs without a row in ``output``, in order.

    Raises DataError: ``output`` has rows of another run, or there are fewer pairs.
    """
    if count > len(pairs):
        raise DataError(
            f"{pairs.manifest}: has {len(pairs)} pairs of captions of different recordings, fewer"
            f" than {count}; give a lower --count"
        )
    there = _found(output, pairs, prompt, model, provider)
    return [number for number in range(count) if number not in there]


def _found(
    output: Path, pairs: CaptionPairs, prompt: str, model: str, provider: Provider
) -> set[int]:
    """The numbers of the pairs with rows in ``output``; DataError if another run made them."""
    there: set[int] = set()
    if not output.exists():
        return there
    for row in read_rows(output):
        made_by = (row.prompt, row.model, row.provider, row.seed)
        if made_by != (prompt, model, provider, pairs.seed) or not pairs.made(row):
            raise DataError(
                f"{output}: pair {row.pair} was made by {row.provider} {row.model}, prompt"
                f" {row.prompt}, seed {row.seed}, or of another manifest; go on with the same, or"
                " give another --output"
            )
        there.add(row.pair)
    return there


def estimate(pairs: CaptionPairs, numbers: Sequence[int], prompt: Prompt = PAPER) -> TokenCount:
    """The expected tokens of the pairs ``numbers``, from the length of some of them."""
    sample = numbers[:: max(1, len(numbers) // SAMPLE)]
    total = TokenCount()
    for number in sample:
        asked = chat_tokens(prompt.messages(pairs[number].captions))
        total = total.plus(TokenCount(asked, ANSWER_TOKENS))
    return TokenCount().plus(total, len(numbers) / len(sample)) if sample else total
