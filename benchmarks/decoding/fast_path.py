"""The fast path: auricle's own way to a caption, by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from floor import cross_flops, encode_flops, row_flops, search_flops
from stopwatch import Stopwatch
from systems import System

from auricle.decoding import candidates
from auricle.decoding.hypothesis import Hypothesis
from auricle.model.bart import CrossMemory
from auricle.model.precision import convert
from auricle.records import Candidate


class FastPath:
    def __init__(self, system: System, precision: str = "float32") -> None:
        self.system = system
        convert(system.model, precision)  # as when a captioner is loaded

    @torch.inference_mode()
    def caption(
        self, waveforms: Sequence[np.ndarray], seed: int, watch: Stopwatch
    ) -> tuple[list[list[Candidate]], Counter[str]]:
        """The candidates of clips of one length, best first, and the arithmetic of each stage.

        All of `find_candidates`, except reading the memory and searching, is "score".
        """
        system, hypotheses = self.system, list[Sequence[Hypothesis]]()
        search, read = candidates.find_hypotheses, system.model.decoder.read_memory

        def timed_search(*arguments: Any) -> list[list[Hypothesis]]:
            with watch("search"):
                found = search(*arguments)
            hypotheses.extend(found)
            return found

        def timed_read(*arguments: Any) -> CrossMemory:
            with watch("search"):
                return read(*arguments)

        with watch("encode"):
            memory = system.model.encode(waveforms)
        with (
            patch.object(candidates, "find_hypotheses", timed_search),
            patch.object(system.model.decoder, "read_memory", timed_read),
            watch("score"),
        ):
            found = candidates.find_candidates([system.scorer], [memory], system.options, seed)
        assert len(hypotheses) == len(waveforms), "the search was not seen"
        return found, self._flops(len(waveforms[0]), memory.memory.shape[1], hypotheses)

    def _flops(
        self, samples: int, frames: int, hypotheses: Sequence[Sequence[Hypothesis]]
    ) -> Counter[str]:
        config, encode = self.system.model.config.decoder, self.system.tokenizer.encode
        rows = [[(config.start_id, *hypothesis.ids) for hypothesis in clip] for clip in hypotheses]
        searches = [search_flops(config, clip, frames) for clip in rows]
        ids = [
            (encode(hypothesis.text), list(hypothesis.ids))
            for clip in hypotheses
            for hypothesis in clip
        ]
        respelt = [len(spelt) + 1 for spelt, drawn in ids if spelt != drawn]
        return Counter(
            encode=len(hypotheses) * encode_flops(self.system.model.config, samples),
            search=len(hypotheses) * cross_flops(config, frames) + sum(searches),
            score=sum(row_flops(config, tokens, frames) for tokens in respelt),
        )
