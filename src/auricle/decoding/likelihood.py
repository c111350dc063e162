"""How probable a model finds captions: of the tokens it drew, or by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from auricle.decoding.voice import Draft, Voice
from auricle.model.bart import BartDecoder, CrossMemory
from auricle.model.likelihood import IGNORE_ID, decoder_inputs, token_nll
from auricle.text.tokenizer import CaptionTokenizer


class Likelihood(NamedTuple):
    """Log-probability of a caption in nats, the end token included: per token, and of all."""

    mean: float
    total: float


def draft_likelihoods(
    voice: Voice, index: int, cross: CrossMemory, drafts: Sequence[Sequence[Draft]]
) -> list[list[Likelihood]]:
    """What ``voice``, number ``index``, thinks of each clip's drafts."""
    texts = [[draft.text for draft in clip] for clip in drafts]
    return log_likelihoods(voice.decoder, cross, texts, voice.tokenizer)


@torch.inference_mode()
def log_likelihoods(
    decoder: BartDecoder,
    cross: CrossMemory,
    texts: Sequence[Sequence[str]],
    tokenizer: CaptionTokenizer,
) -> list[list[Likelihood]]:
    """The likelihoods of each clip's captions, re-tokenised and teacher-forced.

    No smoothing, no temperature, the end token counted (published section 2.4; the paper writes
    the sum, the released code takes the mean).
    """
    config = decoder.config
    most = max(len(clip) for clip in texts)
    limit = config.max_positions - 1
    rows = [
        torch.tensor([*tokenizer.encode(text)[:limit], config.eos_id])
        for clip in texts
        for text in [*clip, *[""] * (most - len(clip))]  # every clip the same number of rows
    ]
    labels = pad_sequence(rows, batch_first=True, padding_value=IGNORE_ID).to(cross.mask.device)
    inputs = decoder_inputs(labels, config.start_id, config.pad_id)
    means = -token_nll(decoder(inputs, cross).float(), labels)
    totals = means * (labels != IGNORE_ID).sum(dim=1)
    pairs = list(map(Likelihood, means.tolist(), totals.tolist()))
    return [pairs[i * most : i * most + len(clip)] for i, clip in enumerate(texts)]
