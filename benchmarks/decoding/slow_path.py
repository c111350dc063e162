"""The slow path: the published pipeline with our weights: three encodes, no cache, 50 copies.

Every step of the search recomputes the whole prefix, and the cross-attention keys and values of one
copy of the memory per sample. Teacher forcing over those copies scores the candidates (quirk 6 of
the published system). Samples draw as ours do, so the captions are the same: this is the obvious
version that the fast path is tested against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from baseline import Baseline, score, until_end
from floor import cross_flops, encode_flops, row_flops
from stopwatch import Stopwatch
from systems import System

from auricle.decoding.processors import constrain, nucleus
from auricle.model.captioner import AudioMemory
from auricle.records import Candidate

ENCODES = 3  # for the search, for the likelihood and for the similarity


class SlowPath(Baseline):
    def caption_clip(
        self, waveform: np.ndarray, seed: int, watch: Stopwatch
    ) -> tuple[list[Candidate], Counter[str]]:
        model, copies = self.system.model, self.system.options.candidates
        with watch("encode"):
            for _ in range(ENCODES):
                memory = model.encode([waveform])
        with watch("search"):
            copied = AudioMemory(
                memory.memory.repeat_interleave(copies, dim=0),
                memory.lengths.repeat_interleave(copies),
                memory.embedding,
            )
            rows = sample(self.system, copied, seed)
        with watch("score"):
            found = score(self.system, memory, rows, lambda ids: model.logits(copied, ids))
        return found, self._flops(len(waveform), memory.memory.shape[1], rows)

    def _flops(self, samples: int, frames: int, rows: Sequence[Sequence[int]]) -> Counter[str]:
        config = self.system.model.config
        steps = min(max(map(len, rows)) + 1, self.system.options.max_length - 1)

        def forward(tokens: int) -> int:
            read = row_flops(config.decoder, tokens, frames)
            return len(rows) * (cross_flops(config.decoder, frames) + read)

        return Counter(
            encode=ENCODES * encode_flops(config, samples),
            search=sum(forward(tokens) for tokens in range(1, steps + 1)),
            score=forward(steps),
        )


def sample(system: System, copied: AudioMemory, seed: int) -> list[list[int]]:
    """Token ids of one sample per copy, between the start and the end token."""
    config, options = system.model.config.decoder, system.options
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.full((len(copied), 1), config.start_id)
    ended = torch.zeros(len(copied), 1, dtype=torch.bool)
    while tokens.shape[1] < options.max_length and not ended.all():
        logits = system.model.logits(copied, tokens)[:, -1].float()
        probabilities, ids = nucleus(constrain(logits, tokens, config.eos_id, options), options)
        draws = torch.rand(len(copied), 1, generator=generator)
        passed = (probabilities.cumsum(dim=-1) <= draws).sum(dim=-1, keepdim=True)
        last = (probabilities > 0).sum(dim=-1, keepdim=True) - 1  # rounding may leave a sum below 1
        chosen = ids.gather(1, torch.minimum(passed, last)).masked_fill(ended, config.pad_id)
        tokens = torch.cat([tokens, chosen], dim=1)
        ended |= chosen == config.eos_id
    return until_end(tokens, config.eos_id)
