"""A generation of mix-ups on stderr: what it costs, how far it is, what it did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.cli.console import say
from auricle.cli.progress import Lines, duration, short

if TYPE_CHECKING:
    from auricle.mixup.client import ClientConfig
    from auricle.mixup.cost import GenerationStatus as Generation
    from auricle.mixup.cost import OnProgress, Price, Summary, TokenCount
    from auricle.mixup.pairs import CaptionPairs


class GenerationProgress:
    """``with GenerationProgress(price) as progress``: first what the run will cost; then what is
    done, how fast, how long the rest takes, and what it has cost so far."""

    def __init__(self, price: Price | None) -> None:
        self._price, self._lines, self._expected = price, Lines(), False

    def __enter__(self) -> OnProgress:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._lines.stop()

    def _show(self, now: Generation) -> None:
        if not self._expected:
            self._expected = True
            if now.expected.prompt:
                say(
                    "note",
                    f"{now.total - now.done:,} to ask for: about {self._spent(now.expected)}",
                )
        count = [f"{now.done}/{now.total}"]
        last = now.done + now.failed == now.total
        if now.seconds_left is not None and not last:
            count.append(f"{duration(now.seconds_left)} left")
        detail = [f"{short(now.per_s)}/s"] if now.made else []
        if now.tokens.prompt:
            detail.append(f"{self._spent(now.tokens)} of about {self._spent(now.expected)}")
        detail += [f"{now.retries} tried again"] * bool(now.retries)
        detail += [f"{now.failed} failed"] * bool(now.failed)
        self._lines.show("asking", "mix-ups", now.done, now.total, count, detail, last)

    def _spent(self, tokens: TokenCount) -> str:
        return _spent(tokens, self._price)


def _spent(tokens: TokenCount, price: Price | None) -> str:
    """ "1,234 tokens" or, where prices are known, "1,234 tokens (0.0012)"."""
    cost = tokens.cost(price)
    number = f"{round(tokens.prompt + tokens.completion):,} tokens"
    return number if cost is None else f"{number} (costs {cost:.2g})"


def tell(output: Path, done: Summary, price: Price | None) -> None:
    spent = f", {_spent(done.tokens, price)}" if done.tokens.prompt else ""
    say("note", f"{output}: {done.found + done.made:,} mix-ups, {done.made:,} of them new{spent}")
    reasons("cannot be mixed", done.skipped)
    reasons("failed", done.failed)
    if done.failed:
        say("note", "the same command asks for those again")


def batches(
    output: Path,
    pairs: CaptionPairs,
    count: int,
    config: ClientConfig,
    results: list[Path],
    write: bool,
) -> bool:
    """Read ``results``, then write what is left to request; whether pairs failed."""
    from auricle.mixup.batchfile import read_results, write_requests

    failed = False
    for path in results:
        read = read_results(path, output, pairs, count, config)
        say("note", f"{path}: {read.made:,} new mix-ups, {read.left:,} still to come")
        reasons("failed", read.failed)
        failed = failed or bool(read.failed)
    if write:
        target = output.with_suffix(".requests.jsonl")
        written = write_requests(target, output, pairs, count, config)
        for path, number in written:
            say("note", f"{path}: {number:,} requests; what is returned for them goes to --results")
        if not written:
            say("note", f"{output}: has all {count:,} mix-ups; there is nothing to request")
    return failed


def reasons(what: str, reasons: Counter[str]) -> None:
    for reason, number in reasons.most_common():
        say("note", f"{what}, {reason}: {number:,}")
