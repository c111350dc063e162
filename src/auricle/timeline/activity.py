"""Activity: which moments of a recording hold an event, which a steady sound, which nothing.

An event stands above the local noise floor, the level that each band of frequency falls to from
time to time within `NEAR_S`. A steady sound does not, but is loud enough to be heard by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auricle.timeline.levels import BANDS, SMOOTHED, STEP_S, decibels

NOTHING, STEADY, EVENT = 0, 1, 2

NEAR_S = 20.0  # before and after a moment, for its noise floor
FLOOR_SHARE = 0.1  # of that time, a band is below the floor
FLOOR_STEP = 5  # frames, 0.1 s, that make one value of the floor's window
BLOCK = 25  # frames, 0.5 s, with one floor
LOUDEST = 3  # bands: a narrow sound, such as a bird's, stands out in few
FAINT_DBFS = -66.0  # no event is fainter, in all bands together
AUDIBLE_DBFS = -45.0  # a steady sound from here on is a sound, below it a background
STEADY_FRAMES = 10  # 0.2 s, over which the level of a steady sound is averaged


@dataclass(frozen=True)
class Thresholds:
    """Decibels above the noise floor: of the mean over all bands, and of the `LOUDEST`."""

    mean: float
    loudest: float

    def passed(self, excess: np.ndarray) -> np.ndarray:
        """[n, `BANDS`] dB above the floor -> bool [n]."""
        loudest = np.partition(excess, BANDS - LOUDEST, axis=1)[:, -LOUDEST:].mean(axis=1)
        return (excess.mean(axis=1) > self.mean) | (loudest > self.loudest)


ON, OFF = Thresholds(5.0, 13.0), Thresholds(3.5, 10.0)  # an event begins; it ends


class Activity:
    """The states of consecutive frames, from their band powers.

    ``ahead_s``: a frame is judged when so much after it is known.
    """

    def __init__(self, sensitivity: float = 0.5, ahead_s: float = NEAR_S) -> None:
        scale = 2.0 ** (1 - 2 * sensitivity)
        self._on = Thresholds(ON.mean * scale, ON.loudest * scale)
        self._off = Thresholds(OFF.mean * scale, OFF.loudest * scale)
        self._faint_dbfs = FAINT_DBFS + 10 * (1 - 2 * sensitivity)
        self._ahead = round(min(ahead_s, NEAR_S) / STEP_S)
        self._waiting = np.zeros((0, BANDS), np.float32)  # powers of frames that are not judged
        self._near = np.zeros((0, BANDS), np.float32)  # dB of the floor's window, every 0.1 s
        self._sum = np.zeros((0, BANDS), np.float32)  # powers that do not fill such a step
        self._before = np.zeros((0, BANDS), np.float32)  # the last frames, for smoothing
        self._past = 0  # values of `_near` before the frames that wait
        self._level = np.zeros(0)  # of the last frames, for the mean of a steady sound
        self._active = False

    def add(self, powers: np.ndarray, last: bool = False) -> np.ndarray:
        """[n, `BANDS`] -> the states of the next frames, uint8 [m]."""
        self._waiting = np.concatenate([self._waiting, powers])
        self._sum = np.concatenate([self._sum, powers])
        whole = len(self._sum) // FLOOR_STEP * FLOOR_STEP
        steps = self._sum[:whole].reshape(-1, FLOOR_STEP, BANDS).mean(axis=1)
        self._sum = self._sum[whole:]
        self._near = np.concatenate([self._near, decibels(steps)])
        states = [np.zeros(0, np.uint8)]
        while len(self._waiting) >= BLOCK + self._ahead or (last and len(self._waiting)):
            states.append(self._judge(self._waiting[:BLOCK]))
            self._waiting = self._waiting[BLOCK:]
        return np.concatenate(states)

    def _judge(self, powers: np.ndarray) -> np.ndarray:
        near = round(NEAR_S / STEP_S / FLOOR_STEP)
        ahead = self._ahead // FLOOR_STEP + BLOCK // FLOOR_STEP
        window = self._near[max(0, self._past - near) : self._past + max(ahead, 1)]
        if not len(window):
            window = decibels(powers)
        count = max(0, min(len(window) - 1, int(FLOOR_SHARE * len(window))))
        floor = np.partition(window, count, axis=0)[count]
        self._past += len(powers) // FLOOR_STEP
        if self._past > 2 * near:
            self._near, self._past = self._near[self._past - near :], near

        joined = np.concatenate([self._before, powers])
        sums = np.cumsum(np.concatenate([np.zeros((1, BANDS)), joined]), axis=0)
        first = len(self._before)
        ends = np.arange(first + 1, len(joined) + 1)
        begins = np.maximum(0, ends - SMOOTHED)
        smooth = (sums[ends] - sums[begins]) / (ends - begins)[:, None]
        self._before = joined[-(SMOOTHED - 1) :]

        excess = np.maximum(0, decibels(smooth) - floor)
        total = smooth.sum(axis=1)
        loud = decibels(total) > self._faint_dbfs
        on, off = self._on.passed(excess) & loud, ~(self._off.passed(excess) & loud)
        events = self._with_hysteresis(on, off)
        return np.where(events, EVENT, np.where(self._steady(total), STEADY, NOTHING)).astype(
            np.uint8
        )

    def _with_hysteresis(self, on: np.ndarray, off: np.ndarray) -> np.ndarray:
        """Whether an event goes on: from a frame of ``on`` to the next of ``off``."""
        change = np.where(on, 1, np.where(off, 0, -1))
        places = np.where(change >= 0, np.arange(len(change)), -1)
        latest = np.maximum.accumulate(places)
        active = np.where(latest >= 0, change[latest] == 1, self._active)
        self._active = bool(active[-1])
        return active

    def _steady(self, total: np.ndarray) -> np.ndarray:
        """Whether the sound is audible by itself, now and over the last `STEADY_FRAMES`."""
        joined = np.concatenate([self._level, total])
        sums = np.cumsum(np.concatenate([[0.0], joined]))
        ends = np.arange(len(self._level) + 1, len(joined) + 1)
        begins = np.maximum(0, ends - STEADY_FRAMES)
        self._level = joined[-(STEADY_FRAMES - 1) :]
        means = (sums[ends] - sums[begins]) / (ends - begins)
        return decibels(np.minimum(means, total)) > AUDIBLE_DBFS
