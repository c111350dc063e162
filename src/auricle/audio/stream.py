"""Streaming: a recording of any length as consecutive pieces, read ahead in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from auricle.audio.kinds import AudioInput
from auricle.audio.load import open_window
from auricle.audio.lookahead import ahead

if TYPE_CHECKING:
    import numpy as np

PIECE_S = 10.0
AHEAD = 2  # pieces


class SoundStream(Protocol):
    """Consecutive pieces of sound, float32 [n], mono, in [-1, 1].

    Attributes:
        name: of the recording.
        heard_s: seconds of the pieces that have been given.
        duration_s: of the whole; 0 if that is not known.
        missing_s: seconds that the header declares beyond what can be decoded.
    """

    name: str
    heard_s: float
    duration_s: float
    missing_s: float

    def __iter__(self) -> Iterator[np.ndarray]: ...


class RecordingStream:
    """The pieces of a recording at ``rate_hz``, of at most `PIECE_S`; see `SoundStream`.

    ``start_s``: where the pieces begin in the file that is named.

    A peak above 1 scales down what follows it. Iterating raises AudioError: the recording cannot be
    read.
    """

    def __init__(
        self, source: AudioInput, rate_hz: int, name: str = "", start_s: float = 0.0
    ) -> None:
        self.name, self.heard_s, self.duration_s, self.missing_s = name, 0.0, 0.0, 0.0
        self.start_s, self._source, self._rate_hz = start_s, source, rate_hz

    def __iter__(self) -> Iterator[np.ndarray]:
        with open_window(self._source) as window:
            self.name = self.name or window.name
            peak = 1.0
            for piece in ahead(window.pieces(0.0, None, self._rate_hz, PIECE_S), AHEAD):
                self.duration_s = window.duration_s()
                peak = max(peak, float(piece.max(initial=0.0)), -float(piece.min(initial=0.0)))
                piece = piece / peak if peak > 1 else piece
                self.heard_s += len(piece) / self._rate_hz
                yield piece
            self.duration_s, self.missing_s = self.heard_s, window.missing_s()
