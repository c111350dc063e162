"""The base of the baselines: clips one after another, and scores by teacher forcing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from stopwatch import Stopwatch
from systems import System
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auricle.decoding.hypothesis import Hypothesis
from auricle.decoding.likelihood import Likelihood
from auricle.decoding.rerank import rank, score_candidates
from auricle.model.captioner import AudioMemory
from auricle.model.teacher_forcing import IGNORE_ID, decoder_inputs, token_nll
from auricle.records import Candidate
from auricle.text.normalise import strip_punctuation


class Baseline(ABC):
    """Another way from sound to captions with a system's weights."""

    def __init__(self, system: System) -> None:
        self.system = system

    @torch.inference_mode()
    def caption(
        self, waveforms: Sequence[np.ndarray], seed: int, watch: Stopwatch
    ) -> tuple[list[list[Candidate]], Counter[str]]:
        """Each clip's candidates, best first, and the arithmetic of each stage."""
        pairs = [self.caption_clip(waveform, seed, watch) for waveform in waveforms]
        spent = sum((flops for _, flops in pairs), Counter[str]())
        return [found for found, _ in pairs], spent

    @abstractmethod
    def caption_clip(
        self, waveform: np.ndarray, seed: int, watch: Stopwatch
    ) -> tuple[list[Candidate], Counter[str]]:
        """`caption` of one clip, in the stages encode, search and score."""


def until_end(tokens: Tensor, eos_id: int) -> list[list[int]]:
    """[R, L] ids after a start token -> the ids of each row before its end token."""
    rows = tokens[:, 1:].tolist()
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


def score(
    system: System,
    memory: AudioMemory,
    rows: Sequence[Sequence[int]],
    logits: Callable[[Tensor], Tensor],
) -> list[Candidate]:
    """Every sample of one clip, re-tokenised and teacher-forced with ``logits`` of decoder inputs
    [R, L]; duplicates are merged, and the rest ranked."""
    config = system.model.config.decoder
    texts = [strip_punctuation(system.tokenizer.decode(row)) for row in rows]
    ids = [torch.tensor([*system.tokenizer.encode(text), config.eos_id]) for text in texts]
    labels = pad_sequence(ids, batch_first=True, padding_value=IGNORE_ID)
    means = -token_nll(logits(decoder_inputs(labels, config.start_id, config.pad_id)), labels)
    totals = means * (labels != IGNORE_ID).sum(dim=1)
    by_text = dict(zip(texts, map(Likelihood, means.tolist(), totals.tolist()), strict=True))
    hypotheses = [
        Hypothesis(text, tuple(rows[texts.index(text)]), None, texts.count(text))
        for text in by_text
    ]
    likelihoods = [[list(by_text.values())]]
    embeddings = [memory.embedding]
    scored = score_candidates(
        [system.scorer], embeddings, [hypotheses], likelihoods, system.options
    )
    return rank(scored[0])
