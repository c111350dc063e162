"""Stretches: the parts of a recording with sound, each no longer than the model hears at once.

    recording ─► band powers ─► activity ─► regions ─► stretches
    pieces       every 20 ms    states      of sound   of at most window_s

Only the sound that no stretch holds yet is kept, so the memory does not depend on the length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from auricle.timeline.activity import EVENT, NOTHING, Activity
from auricle.timeline.levels import BANDS, STEP_S, BandPower, decibels
from auricle.timeline.options import TimelineOptions

OVERLAP_S = 5.0  # of the windows in which a long sound is heard
BESIDE_S = 1.0  # of sound beyond a cut that is heard with a stretch, but is not a part of it
CHANGE_S = 1.0  # before and after a place, for the change of its spectrum
STATE_S = 2.0  # that a steady sound and an event must last for a cut between them


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of a recording, from ``start_s`` to ``end_s``, with sound all the time.

    Attributes:
        waveform: float32 [L] from ``from_s`` on; it may reach beyond the stretch.
        levels: [n, `BANDS`] dB every `STEP_S` from ``start_s`` on.
        cuts_s: moments in which a steady sound gives way to an event, or an event to it.
        goes_on: the sound goes on after the end.
    """

    start_s: float
    end_s: float
    from_s: float
    waveform: np.ndarray
    levels: np.ndarray
    cuts_s: tuple[float, ...] = ()
    goes_on: bool = False


class Stretches:
    """The stretches of consecutive pieces of a recording.

    ``window_s``: the longest stretch.
    """

    def __init__(self, options: TimelineOptions, rate_hz: int, window_s: float) -> None:
        self._options, self._rate_hz = options, rate_hz
        self._window = _frames(window_s)
        hop_s = options.hop_s or max(window_s - OVERLAP_S, window_s / 2)
        self._hop = max(1, min(_frames(hop_s), self._window - 1))
        self._power = BandPower(rate_hz)
        self._activity = Activity(options.sensitivity, options.ahead_s)
        self._samples = np.zeros(0, np.float32)
        self._powers = np.zeros((0, BANDS), np.float32)
        self._states = np.zeros(0, np.uint8)
        self._first = 0  # the number of the first frame that is kept
        self._beside = 0  # frames of sound that is kept before it, of the same region

    def of(self, pieces: Iterable[np.ndarray]) -> Iterator[Stretch]:
        """``pieces``: float32 [n], mono, at ``rate_hz``."""
        for piece in pieces:
            yield from self.add(piece)
        yield from self.end()

    def add(self, piece: np.ndarray) -> Iterator[Stretch]:
        self._samples = np.concatenate([self._samples, piece])
        yield from self._judge(self._power.add(piece))

    def end(self) -> Iterator[Stretch]:
        yield from self._judge(self._power.end(), last=True)

    def _judge(self, powers: np.ndarray, last: bool = False) -> Iterator[Stretch]:
        self._powers = np.concatenate([self._powers, powers])
        self._states = np.concatenate([self._states, self._activity.add(powers, last)])
        while True:
            active = np.flatnonzero(self._states != NOTHING)
            if not len(active):
                self._drop(len(self._states))
                return
            begin = int(active[0])
            pauses = np.flatnonzero(np.diff(active) > _frames(self._options.pause_s))
            end = int(active[pauses[0]] if len(pauses) else active[-1]) + 1
            ended = last or len(self._states) - end > _frames(self._options.pause_s)
            if end - begin > self._window:
                end = self._cut(begin)
                yield self._stretch(begin, end, goes_on=True)
                self._drop(end, beside=True)
            elif ended:
                if self._lasts(begin, end):
                    yield self._stretch(begin, end)
                self._drop(end)
            else:
                self._drop(begin, beside=self._beside > 0 and begin == 0)
                return

    def so_far(self) -> Stretch | None:
        """The sound that goes on, as far as it is known; None where there is none."""
        active = np.flatnonzero(self._states != NOTHING)
        if not len(active) or not self._lasts(int(active[0]), int(active[-1]) + 1):
            return None
        return self._stretch(int(active[0]), int(active[-1]) + 1, goes_on=True)

    def begin_at(self, moment_s: float) -> None:
        """Let the sound that goes on begin at a later moment; what was before is in no stretch."""
        self._drop(max(0, _frames(moment_s) - self._first), beside=True)

    def _lasts(self, begin: int, end: int) -> bool:
        """Whether there is sound for long enough between two frames."""
        audible_s = (self._states[begin:end] != NOTHING).sum() * STEP_S
        return bool(audible_s >= self._options.min_duration_s)

    def _cut(self, begin: int) -> int:
        """The frame of the strongest change where the next window may begin."""
        side = _frames(CHANGE_S)
        low, high = begin + self._hop, begin + self._window
        changes = spectral_change(decibels(self._powers[max(0, low - side) : high + side]), side)
        place = low - max(0, low - side)
        return low + int(np.argmax(changes[place : place + high - low + 1]))

    def _stretch(self, begin: int, end: int, goes_on: bool = False) -> Stretch:
        beside = _frames(BESIDE_S)
        before = min(self._beside, beside) if begin == 0 else 0
        after = min(beside, len(self._powers) - end) if goes_on else 0
        first, stop = (self._sample(frame) for frame in (begin - before, end + after))
        start_s = (self._first + begin) * STEP_S
        return Stretch(
            start_s=start_s,
            end_s=(self._first + end) * STEP_S,
            from_s=start_s - before * STEP_S,
            waveform=self._samples[first:stop].copy(),
            levels=decibels(self._powers[begin:end]),
            cuts_s=tuple(start_s + place * STEP_S for place in _turns(self._states[begin:end])),
            goes_on=goes_on,
        )

    def _sample(self, frame: int) -> int:
        """The place in ``_samples`` of a frame, counted from ``_first``."""
        return round((frame + self._beside) * STEP_S * self._rate_hz)

    def _drop(self, frames: int, beside: bool = False) -> None:
        """Forget the frames before number ``frames``; ``beside``: keep the sound just before."""
        kept = min(frames + self._beside, _frames(BESIDE_S)) if beside else 0
        self._samples = self._samples[self._sample(frames - kept) :]
        self._powers, self._states = self._powers[frames:], self._states[frames:]
        self._first += frames
        self._beside = kept


def spectral_change(levels: np.ndarray, side: int) -> np.ndarray:
    """[n, bands] dB -> [n]: how much the mean level of the ``side`` frames before a frame differs
    from that of the ``side`` frames after it, in standard deviations, averaged over bands; 0 where
    there are not half as many."""
    sums = np.cumsum(np.concatenate([np.zeros((1, levels.shape[1])), levels]), axis=0)
    squares = np.cumsum(np.concatenate([np.zeros((1, levels.shape[1])), levels**2]), axis=0)
    place = np.arange(len(levels))
    low, high = np.maximum(0, place - side), np.minimum(len(levels), place + side)
    before, after = np.maximum(1, place - low)[:, None], np.maximum(1, high - place)[:, None]
    means = (sums[place] - sums[low]) / before, (sums[high] - sums[place]) / after
    variances = (
        (squares[place] - squares[low]) / before - means[0] ** 2,
        (squares[high] - squares[place]) / after - means[1] ** 2,
    )
    spread = np.sqrt(np.maximum(1.0, (variances[0] + variances[1]) / 2))
    change = (np.abs(means[0] - means[1]) / spread).mean(axis=1)
    return np.where(np.minimum(before, after)[:, 0] >= side / 2, change, 0.0)


def _turns(states: np.ndarray) -> list[int]:
    """Frames at which events give way to a steady sound, or the reverse, for `STATE_S` each."""
    least = _frames(STATE_S)
    edges = np.flatnonzero(np.diff((states == EVENT).astype(np.int8))) + 1
    bounds = [0, *edges.tolist(), len(states)]
    return [
        here
        for before, here, after in zip(bounds, bounds[1:], bounds[2:], strict=False)
        if here - before >= least and after - here >= least
    ]


def _frames(seconds: float) -> int:
    return round(seconds / STEP_S)
