"""Live sound without a microphone: as fast or as slow as a test wants it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from auricle.audio.live import BLOCK_S, Inflow, LiveSound


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class AtOnce:
    """An inlet that puts all blocks when it starts; the clock goes on by ``block_s`` for each."""

    name = "at once"

    def __init__(self, blocks, clock, rate_hz=16_000, block_s=BLOCK_S, error=None) -> None:
        self.blocks, self.clock, self.rate_hz, self.block_s = blocks, clock, rate_hz, block_s
        self.error, self.closed = error, False

    def start(self, inflow: Inflow) -> None:
        for block in self.blocks:
            self.clock.now_s += self.block_s
            inflow.put(block, self.rate_hz)
        inflow.end(self.error)

    def close(self) -> None:
        self.closed = True


class RealTime(LiveSound):
    """``sound``, float32 [L] at 16 kHz, as it would come in; its reader takes no time."""

    def __init__(self, sound: np.ndarray, rate_hz: int = 16_000) -> None:
        self.clock = Clock()
        super().__init__(AtOnce([], self.clock), rate_hz, clock=self.clock)
        self.sound = sound

    def __iter__(self) -> Iterator[np.ndarray]:
        size = round(BLOCK_S * self._rate_hz)
        for first in range(0, len(self.sound), size):
            piece = self.sound[first : first + size]
            self.heard_s += len(piece) / self._rate_hz
            self.clock.now_s += len(piece) / self._rate_hz
            self._arrivals.append((self.heard_s, self.clock.now_s))
            yield piece
