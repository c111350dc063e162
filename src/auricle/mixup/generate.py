"""Generation of mix-ups from a manifest's captions, row by row into a file that a later run can
continue."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from auricle.errors import DataError
from auricle.mixup.answers import Provider, appending, read_rows
from auricle.mixup.client import Answer, Client, ClientConfig, GivenUp
from auricle.mixup.cost import Meter, OnProgress, Summary, TokenCount
from auricle.mixup.grammar import VERSION, NotMixed, mix_captions
from auricle.mixup.pairs import CaptionPairs
from auricle.mixup.prompts import MAX_WORDS, PAPER, Prompt
from auricle.watch import silent

CHARACTERS_PER_TOKEN = 4.0  # OpenAI's rule of thumb for English text
MESSAGE_TOKENS = 8  # besides the text of a chat with one message
ANSWER_TOKENS = round(MAX_WORDS * 4 / 3)  # the same rule: 75 words are 100 tokens
SAMPLE = 500  # pairs in an estimate


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
        DataError: ``output`` has other pairs, another model or prompt, or the manifest has fewer
            pairs.
        ProviderError: the server cannot be used (see `auricle.mixup.client`).
    """
    output = Path(output)
    numbers = missing(output, pairs, count, prompt.version, config.model, "openai")
    meter = Meter(count, count - len(numbers), estimate(pairs, numbers, prompt), progress)

    async def run() -> None:
        left = iter(numbers)
        async with Client(config) as client, asyncio.TaskGroup() as group:
            for _ in range(min(config.concurrency, len(numbers))):
                group.create_task(work(client, left))

    async def work(client: Client, left: Iterator[int]) -> None:
        for number in left:  # shared by the workers
            pair = pairs[number]
            messages = prompt.messages(pair.captions)
            try:
                answer = await client.answer(messages)
            except GivenUp as error:
                meter.gave_up(str(error), client.retries)
                continue
            append(
                pair.row(answer.text, prompt=prompt.version, model=config.model, provider="openai")
            )
            meter.made_row(_billed(answer, messages), client.retries)

    with appending(output) as append:
        try:
            asyncio.run(run())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
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
        asked = _tokens(prompt.messages(pairs[number].captions))
        total = total.plus(TokenCount(asked, ANSWER_TOKENS))
    return TokenCount().plus(total, len(numbers) / len(sample)) if sample else total


def _tokens(messages: list[dict[str, str]]) -> float:
    text = sum(len(message["content"]) for message in messages)
    return MESSAGE_TOKENS + text / CHARACTERS_PER_TOKEN


def _billed(answer: Answer, messages: list[dict[str, str]]) -> TokenCount:
    """Tokens as counted by the server, else by rule of thumb."""
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    return TokenCount(
        _tokens(messages) if prompt is None else prompt,
        len(answer.text) / CHARACTERS_PER_TOKEN if completion is None else completion,
    )
