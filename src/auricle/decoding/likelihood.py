"""Likelihoods of captions: summed during the search, or by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from auricle.decoding.hypothesis import Hypothesis, Scorer
from auricle.model.bart import BartDecoder, CrossMemory
from auricle.model.teacher_forcing import IGNORE_ID, decoder_inputs
from auricle.text.tokenizer import CaptionTokenizer

ROWS_TOGETHER = 64  # captions; bounds the memory of hidden states
LOGITS_TOGETHER = 256  # tokens; bounds the memory of logits


class Likelihood(NamedTuple):
    """Log-probability of a caption in nats, with the end token: mean per token, and total."""

    mean: float
    total: float


def hypothesis_likelihoods(
    scorer: Scorer, index: int, cross: CrossMemory, hypotheses: Sequence[Sequence[Hypothesis]]
) -> list[list[Likelihood]]:
    """The likelihoods of each clip's hypotheses under ``scorer``, number ``index``.

    Its own search already summed some; teacher forcing computes the others.
    """
    unknown = [
        [
            hypothesis.text
            for hypothesis in clip
            if hypothesis.scorer != index or hypothesis.log_probability is None
        ]
        for clip in hypotheses
    ]
    forced = log_likelihoods(scorer.decoder, cross, unknown, scorer.tokenizer)
    return [
        [
            Likelihood(
                hypothesis.log_probability / (len(hypothesis.ids) + 1), hypothesis.log_probability
            )
            if hypothesis.scorer == index and hypothesis.log_probability is not None
            else next(found)
            for hypothesis in clip
        ]
        for clip, found in zip(hypotheses, map(iter, forced), strict=True)
    ]


@torch.inference_mode()
def log_likelihoods(
    decoder: BartDecoder,
    cross: CrossMemory,
    texts: Sequence[Sequence[str]],
    tokenizer: CaptionTokenizer,
) -> list[list[Likelihood]]:
    """The likelihoods of each clip's captions, re-tokenised and teacher-forced.

    There is no smoothing and no temperature; the end token counts (paper section 2.4: the paper
    writes the sum, the released code takes the mean).
    """
    limit, eos_id = decoder.config.max_positions - 1, decoder.config.eos_id
    labels = [
        torch.tensor([*tokenizer.encode(text)[:limit], eos_id]) for clip in texts for text in clip
    ]
    clips = torch.tensor(
        [i for i, clip in enumerate(texts) for _ in clip], device=cross.mask.device
    )
    totals: list[float] = []
    for i in range(0, len(labels), ROWS_TOGETHER):
        some = slice(i, i + ROWS_TOGETHER)
        totals += _totals(decoder, cross, clips[some], labels[some])
    pairs = (Likelihood(total / len(row), total) for row, total in zip(labels, totals, strict=True))
    return [[next(pairs) for _ in clip] for clip in texts]


def _totals(
    decoder: BartDecoder, cross: CrossMemory, clips: Tensor, labels: Sequence[Tensor]
) -> list[float]:
    """The log-probability of each row's labels; row i is of clip ``clips[i]``, in order.

    Logits are computed for a few tokens at a time: those of a whole batch would take gigabytes.
    """
    first, last = int(clips[0]), int(clips[-1])
    cross = cross.part(slice(first, last + 1)).read_by(clips - first)
    padded = pad_sequence(list(labels), batch_first=True, padding_value=IGNORE_ID).to(clips.device)
    inputs = decoder_inputs(padded, decoder.config.start_id, decoder.config.pad_id)
    counted = padded != IGNORE_ID
    hidden = decoder.hidden(inputs, cross)[counted]  # [tokens, D]
    parts = zip(hidden.split(LOGITS_TOGETHER), padded[counted].split(LOGITS_TOGETHER), strict=True)
    nll = [F.cross_entropy(decoder.logits(x).float(), ids, reduction="none") for x, ids in parts]
    table = torch.zeros(padded.shape, device=clips.device)
    table[counted] = -torch.cat(nll)
    return table.sum(dim=1).tolist()
