"""Autoregressive decoding of all clips of a batch together: greedy, nucleus sampling, beam search.

Every function takes the clips' `CrossMemory` and returns, per clip, its sequences best first
(samples in the order drawn).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auricle.decoding.options import DecodeOptions
from auricle.decoding.processors import constrain, nucleus
from auricle.model.bart import BartDecoder, CrossMemory, DecoderCache


@dataclass(frozen=True)
class Sequence:
    """Token ids between the start and the end token; ``score`` only from beam search."""

    ids: list[int]
    score: float | None = None


def decode(
    decoder: BartDecoder, cross: CrossMemory, options: DecodeOptions, seed: int = 0
) -> list[list[Sequence]]:
    """Decode by ``options.method``; ``seed`` fixes sampling whatever the batch holds."""
    if options.method == "beam":
        return beam_search(decoder, cross, options)
    return sample(decoder, cross, options, seed)


@torch.inference_mode()
def sample(
    decoder: BartDecoder, cross: CrossMemory, options: DecodeOptions, seed: int
) -> list[list[Sequence]]:
    """``options.candidates`` nucleus samples of each clip, or its one greedy sequence.

    Each clip draws from its own generator, so its samples depend on neither the batch nor its
    place in it.
    """
    config = decoder.config
    clips = cross.mask.shape[0]
    greedy = options.method == "greedy"
    per_clip = 1 if greedy else options.candidates
    rows, limit = clips * per_clip, min(options.max_length, config.max_positions)
    device = cross.mask.device
    generators = [torch.Generator().manual_seed(seed) for _ in range(clips)]
    tokens = torch.full((rows, 1), config.start_id, device=device)
    finished = torch.zeros(rows, dtype=torch.bool, device=device)
    cache = DecoderCache(config, rows, limit, like=cross.keys[0])
    while tokens.shape[1] < limit and not finished.all():
        logits = decoder(tokens[:, -1:], cross, cache)[:, -1].float()
        scores = constrain(logits, tokens, config.eos_id, options)
        if greedy:
            chosen = scores.argmax(dim=-1)
        else:
            draws = torch.stack([torch.rand(per_clip, generator=g) for g in generators])
            chosen = _draw(*nucleus(scores, options), draws.flatten().to(device))
        chosen = chosen.masked_fill(finished, config.pad_id)
        tokens = torch.cat([tokens, chosen.unsqueeze(1)], dim=1)
        finished |= chosen == config.eos_id
    found = [Sequence(_until_end(ids, config.eos_id)) for ids in tokens[:, 1:].tolist()]
    return [found[i : i + per_clip] for i in range(0, rows, per_clip)]


@torch.inference_mode()
def beam_search(
    decoder: BartDecoder, cross: CrossMemory, options: DecodeOptions
) -> list[list[Sequence]]:
    """Beam search with early stopping: a clip is done once it has as many ended beams as beams.

    Scores are log-probability / length ** length_penalty, the length counting the start token and
    not the end (as transformers 4.22.2 does).
    """
    config = decoder.config
    clips, beams = cross.mask.shape[0], options.candidates
    rows, limit = clips * beams, min(options.max_length, config.max_positions)
    device = cross.mask.device
    tokens = torch.full((rows, 1), config.start_id, device=device)
    totals = torch.full((clips, beams), -1e9, device=device)  # all but the first are copies of it
    totals[:, 0] = 0.0
    ended: list[list[Sequence]] = [[] for _ in range(clips)]
    done = [False] * clips
    cache = DecoderCache(config, rows, limit, like=cross.keys[0])
    while tokens.shape[1] < limit and not all(done):
        length = tokens.shape[1]
        logits = decoder(tokens[:, -1:], cross, cache)[:, -1].float()
        scores = constrain(logits.log_softmax(dim=-1), tokens, config.eos_id, options)
        totals = (totals.view(rows, 1) + scores).view(clips, -1)  # [B, beams * V]
        # Twice as many as beams, so that enough remain when half of them end.
        best, index = totals.topk(2 * beams, dim=-1)
        parent, token = index // config.vocab_size, index % config.vocab_size
        is_end = token == config.eos_id
        for clip in range(clips):
            if done[clip]:
                continue
            for rank in is_end[clip, :beams].nonzero().flatten().tolist():
                row = clip * beams + int(parent[clip, rank])
                score = float(best[clip, rank]) / length**options.length_penalty
                ended[clip].append(Sequence(tokens[row, 1:].tolist(), score))
            ended[clip] = sorted(ended[clip], key=_score, reverse=True)[:beams]
            done[clip] = len(ended[clip]) >= beams
        going_on = torch.argsort(is_end.int(), dim=-1, stable=True)[:, :beams]  # best first
        totals = best.gather(1, going_on)
        offset = torch.arange(clips, device=device).unsqueeze(1) * beams
        source = (parent.gather(1, going_on) + offset).flatten()
        tokens = torch.cat([tokens[source], token.gather(1, going_on).view(rows, 1)], dim=1)
        cache.select(source)
    for clip in range(clips):
        if not done[clip]:
            ended[clip] += _unfinished(tokens, totals, clip, options)
        ended[clip] = sorted(ended[clip], key=_score, reverse=True)[:beams]
    return ended


def _unfinished(
    tokens: Tensor, totals: Tensor, clip: int, options: DecodeOptions
) -> list[Sequence]:
    """The beams of a clip that ran into the length limit."""
    first, length = clip * options.candidates, tokens.shape[1]
    return [
        Sequence(tokens[first + beam, 1:].tolist(), float(total) / length**options.length_penalty)
        for beam, total in enumerate(totals[clip])
    ]


def _draw(probabilities: Tensor, ids: Tensor, draws: Tensor) -> Tensor:
    """The id at which each row's cumulative probability passes its uniform draw, [R]."""
    passed = probabilities.cumsum(dim=-1) <= draws.unsqueeze(1)
    last = (probabilities > 0).sum(dim=-1) - 1  # rounding may leave the sum below 1
    return ids.gather(1, torch.minimum(passed.sum(dim=-1), last).unsqueeze(1)).squeeze(1)


def _until_end(ids: list[int], eos_id: int) -> list[int]:
    return ids[: ids.index(eos_id)] if eos_id in ids else ids


def _score(sequence: Sequence) -> float:
    assert sequence.score is not None
    return sequence.score
