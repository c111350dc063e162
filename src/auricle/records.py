"""The records every output is written from: one Caption per recording, its Candidates inside."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """One decoded caption and what the reranker knows of it.

    ``log_likelihood`` is the teacher-forced mean log-probability per token in nats, the end token
    included; ``similarity`` the cosine in [-1, 1] between the clip's audio embedding and the text
    embedding (None when the model has no text embedder); ``score`` what candidates are ranked by;
    ``fluent`` the fluency verdict (None when nobody judged it).
    """

    text: str
    log_likelihood: float
    similarity: float | None
    score: float
    fluent: bool | None


@dataclass(frozen=True, slots=True)
class Caption:
    """What was heard in one recording.

    ``audio`` names the recording; ``start_s`` and ``end_s`` (seconds) say which part was heard;
    ``candidates`` hold the chosen caption and its rivals, best first; ``decode`` is the decoding
    method and ``seed`` the seed that reproduces it.
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
