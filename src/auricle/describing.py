"""Describing: audio memories -> candidates -> the record of a caption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from auricle.decoding.candidates import find_candidates, score_again
from auricle.decoding.confidence import NO_SOUND, confidence, declined
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import choose
from auricle.hub.ensemble import Ensemble
from auricle.model.captioner import AudioMemory
from auricle.records import Candidate, Caption
from auricle.settings import Decoding

MOST = 120  # candidates of a long recording
OF_PART = 10  # … that are kept of each part
HEARD, CLASSES = 0.3, 8  # probability of a class that is heard, and how many of these count


class Describer:
    """The captions of one call: those of ``ensemble`` by its ``scorers``, decoded as ``decoding``
    says."""

    def __init__(self, ensemble: Ensemble, scorers: Sequence[Scorer], decoding: Decoding) -> None:
        self.ensemble, self.scorers, self.decoding = ensemble, scorers, decoding
        self.calibrated = is_calibrated(ensemble, decoding.options)
        self._every_term = decoding.every_term or self.calibrated

    @torch.inference_mode()
    def candidates(self, memories: Sequence[AudioMemory]) -> list[list[Candidate]]:
        """The candidates of B clips, best first, from their memories, one per model."""
        return find_candidates(
            self.scorers,
            memories,
            self.decoding.options,
            self.decoding.seed,
            self.ensemble.config.pool,
            self._every_term,
        )

    def of_parts(self, memories: Sequence[AudioMemory]) -> list[list[Candidate]]:
        """The best candidates of some parts of a long recording, which may have very many."""
        return [found[:OF_PART] for found in self.candidates(memories)]

    @torch.inference_mode()
    def again(
        self, memories: Sequence[AudioMemory], parts: Sequence[Sequence[Candidate]]
    ) -> list[Candidate]:
        """The best candidates of the parts of a recording, scored by the memory of the whole."""
        return score_again(
            self.scorers,
            memories,
            _best(parts),
            self.decoding.options,
            self.ensemble.config.pool,
            self._every_term,
        )

    def classes(self, memories: Sequence[AudioMemory]) -> list[tuple[str, ...]]:
        """The classes that the encoder hears in each of B clips, best first; none where it has no
        classes."""
        for model, memory in zip(self.ensemble.models, memories, strict=True):
            if memory.peaks is not None:
                return model.encoder.heard(memory.peaks, HEARD, CLASSES)
        return [()] * len(memories[0])

    def confidence(self, candidates: Sequence[Candidate]) -> float | None:
        """The confidence of the chosen candidate; None if the model has no calibration for it."""
        calibration = self.ensemble.calibration
        if not (candidates and self.calibrated and calibration):
            return None
        return confidence(calibration, choose(candidates))

    def caption(
        self, name: str, start_s: float, end_s: float, candidates: Sequence[Candidate]
    ) -> Caption:
        """The record of a recording or a part of it; silence has no candidates."""
        best = choose(candidates) if candidates else None
        text = best.text if best else NO_SOUND
        sure = self.confidence(candidates)
        if best and sure is not None and sure < self.decoding.min_confidence:
            text = NO_SOUND
            unsure = declined(best, sure, self.decoding.min_confidence)
            candidates = [unsure if one is best else one for one in candidates]
        return Caption(
            audio=name,
            start_s=round(start_s, 3),
            end_s=round(end_s, 3),
            caption=text,
            score=best.score if best else None,
            candidates=tuple(candidates),
            model=self.ensemble.name,
            decode=self.decoding.options.method,
            seed=self.decoding.seed,
            confidence=sure,
        )


def _best(parts: Sequence[Sequence[Candidate]]) -> list[list[Candidate]]:
    """As many of each part's candidates, best first, that there are about `MOST` texts at most; of
    very many parts, the texts that most parts have."""
    share = max(1, MOST // len(parts))
    kept = [list(part[:share]) for part in parts]
    texts = Counter(one.text for part in kept for one in part)
    most = {text for text, _ in texts.most_common(MOST)}
    return [[one for one in part if one.text in most] for part in kept]


def is_calibrated(ensemble: Ensemble, options: DecodeOptions) -> bool:
    """Whether captions decoded with ``options`` have a calibrated confidence."""
    calibration = ensemble.calibration
    return calibration is not None and calibration.method == options.method
