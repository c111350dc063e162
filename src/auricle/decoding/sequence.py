"""What a search finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sequence:
    """Token ids between the start and the end token.

    Attributes:
        log_probability: of the ids and the end token under the raw distribution (no temperature,
            nothing ruled out), summed, in nats; None where no end token was reached.
        score: what beam search ranks by; None from other searches.
    """

    ids: list[int]
    log_probability: float | None = None
    score: float | None = None
