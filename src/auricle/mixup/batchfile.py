"""Files of batch interfaces: requests to upload and results to read. A provider answers within a
day, at a lower price.

    request: {"custom_id", "method": "POST", "url": "/v1/chat/completions", "body"}
    result:  {"custom_id", "response": {"status_code", "body": chat completion}, "error"}
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.errors import DataError
from auricle.files import atomic_writer, parse_json, raw_lines
from auricle.llm.client import ClientConfig
from auricle.llm.completion import NoAnswer, read_completion
from auricle.mixup.answers import appending
from auricle.mixup.generate import missing
from auricle.mixup.pairs import CaptionPairs
from auricle.mixup.prompts import PAPER, Prompt

ENDPOINT = "/v1/chat/completions"
_CODE = re.compile(r"\w{1,40}", re.ASCII)  # of an error: "batch_expired"; or a status: 500
MOST_REQUESTS, MOST_BYTES = 50_000, 200_000_000  # per file: OpenAI's batch reference


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """Counts of results: rows ``made``, results of pairs whose row was already ``found`` in the
    file, pairs that ``failed`` by reason; ``left``: pairs still without a row."""

    made: int
    found: int
    failed: Counter[str]
    left: int


def write_requests(
    requests: str | os.PathLike[str],
    output: str | os.PathLike[str],
    pairs: CaptionPairs,
    count: int,
    config: ClientConfig,
    prompt: Prompt = PAPER,
) -> list[tuple[Path, int]]:
    """Write requests for the pairs 0 to ``count`` - 1 that ``output`` lacks; return (file, number).

    They go to the file ``requests``; if a batch cannot hold all, also to "requests.2.jsonl" and so
    on beside it. Raises DataError as `auricle.mixup.generate.missing`.
    """
    numbers = missing(Path(output), pairs, count, prompt.version, config.model, "openai")
    lines = (_request(pairs, number, config, prompt) for number in numbers)
    path = Path(requests)
    written: list[tuple[Path, int]] = []
    line = next(lines, None)
    while line is not None:
        part = path.with_suffix(f".{len(written) + 1}{path.suffix}") if written else path
        held, size = 0, 0
        with atomic_writer(part) as file:
            while line is not None and held < MOST_REQUESTS:
                if held and size + len(line) > MOST_BYTES:
                    break
                file.write(line)
                held, size = held + 1, size + len(line)
                line = next(lines, None)
        written.append((part, held))
    return written


def read_results(
    results: str | os.PathLike[str],
    output: str | os.PathLike[str],
    pairs: CaptionPairs,
    count: int,
    config: ClientConfig,
    prompt: Prompt = PAPER,
) -> BatchSummary:
    """Add the answers of the file ``results`` to ``output``, and sort it.

    A file may be read twice, and several files in turn: the first answer to a pair counts. A pair
    without an answer is counted by reason, and the next `write_requests` requests it again.

    Raises:
        DataError: ``results`` is not a result file of a batch, or has other pairs.
    """
    results, output = Path(results), Path(output)
    lacking = set(missing(output, pairs, count, prompt.version, config.model, "openai"))
    made, found, failed = 0, 0, Counter[str]()
    with appending(output) as append:
        for number, result in _results(results, pairs):
            if number not in lacking:
                found += 1
                continue
            try:
                answer = _answer(result)
            except NoAnswer as reason:
                failed[str(reason)] += 1
                continue
            append(
                pairs[number].row(
                    answer, prompt=prompt.version, model=config.model, provider="openai"
                )
            )
            lacking.remove(number)
            made += 1
    return BatchSummary(made, found, failed, len(lacking))


def _request(pairs: CaptionPairs, number: int, config: ClientConfig, prompt: Prompt) -> str:
    """A line in ASCII, so its length in characters is its length in bytes."""
    body: dict[str, Any] = {
        "model": config.model,
        "messages": prompt.messages(pairs[number].captions),
    }
    options = {"temperature": config.temperature, "max_tokens": config.max_tokens}
    body |= {name: value for name, value in options.items() if value is not None}
    request = {
        "custom_id": f"mixup-{pairs.seed}-{number}",
        "method": "POST",
        "url": ENDPOINT,
        "body": body,
    }
    return json.dumps(request) + "\n"


def _results(path: Path, pairs: CaptionPairs) -> Iterator[tuple[int, dict[str, Any]]]:
    """(pair, result) of each line; DataError: a line is no result of these pairs."""
    for line in raw_lines(path, "results"):
        result: dict[str, Any] = {}
        with contextlib.suppress(DataError):
            result = parse_json(line.content)
        name = result.get("custom_id")
        found = (
            re.fullmatch(r"mixup-(-?\d{1,18})-(\d{1,18})", name) if isinstance(name, str) else None
        )
        if not found:
            raise DataError(
                f"{path}:{line.number}: not a result of a batch of mix-ups; give the file that the"
                " provider returns for the requests"
            )
        seed, number = map(int, found.groups())
        if seed != pairs.seed or number >= len(pairs):
            raise DataError(
                f"{path}:{line.number}: {name} is of seed {seed}; give --seed {seed} and the"
                " manifest that the requests were made of"
            )
        yield number, result


def _answer(result: dict[str, Any]) -> str:
    """The text of the answer. Raises NoAnswer: there is none that can be used."""
    response, error = result.get("response"), result.get("error")
    response = response if isinstance(response, dict) else {}
    status = response.get("status_code")
    if status == 200:
        return read_completion(response.get("body")).text
    code = error.get("code") if isinstance(error, dict) else None
    for name in (code, status):
        if isinstance(name, int | str) and _CODE.fullmatch(str(name)):
            raise NoAnswer(str(name))
    raise NoAnswer("no response")
