"""The records every output is written from: one Caption per recording, its Candidates inside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """One decoded caption and what the reranker knows of it.

    Attributes:
        log_likelihood: mean log-probability per token in nats, the end token included.
        similarity: cosine in [-1, 1] between the clip's audio embedding and the caption's text
            embedding; None when the model has no text embedder.
        score: what candidates are ranked by.
        fluent: the fluency verdict; None when nobody judged it.
        summed_log_likelihood: log-probability of the whole caption in nats.
        fluency: probability that the fluency detector finds no error.
        agreement: mean cosine with the clip's other draws; None for a draw alone.
        count: how often it was drawn.
        model: the member of an ensemble that found it.
        reason: why it was not chosen; None for the caption.
    """

    text: str
    log_likelihood: float
    similarity: float | None
    score: float
    fluent: bool | None
    summed_log_likelihood: float | None = None
    fluency: float | None = None
    agreement: float | None = None
    count: int = 1
    model: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    """What was heard in one recording.

    ``audio`` names the recording; ``start_s`` and ``end_s`` (seconds) say which part was heard;
    ``candidates`` hold the chosen caption and its rivals, best first; ``decode`` is the decoding
    method and ``seed`` the seed that reproduces it; ``confidence`` the calibrated probability in
    [0, 1] that the caption is right, None where a model has no calibration.
    """

    audio: str
    start_s: float
    end_s: float
    caption: str
    score: float | None
    candidates: tuple[Candidate, ...]
    model: str
    decode: str
    seed: int
    confidence: float | None = None
