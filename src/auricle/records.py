"""Records of every output: one Caption per recording, with its Candidates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """One decoded caption with its reranking terms.

    Attributes:
        log_likelihood: mean log-probability per token in nats, with the end token.
        similarity: cosine in [-1, 1] between the clip's audio embedding and the caption's text
            embedding; None if the model has no text embedder.
        score: the score that ranks candidates.
        fluent: the verdict of the fluency detector; None if it was not judged.
        summed_log_likelihood: log-probability of the whole caption in nats.
        fluency: probability that the fluency detector finds no error.
        agreement: mean cosine with the clip's other draws; None for a single draw.
        count: how often it was drawn.
        model: the ensemble member that found it.
        reason: why it was not chosen; None for the chosen caption.
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
    """The caption of one recording.

    ``audio`` names the recording; ``start_s`` and ``end_s`` (seconds) say which part was heard;
    ``candidates`` holds all candidates, the chosen one too, best first; ``decode`` is the decoding
    method and ``seed`` reproduces it; ``confidence`` is the calibrated probability in [0, 1] that
    the caption is right, None if the model has no calibration.
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
