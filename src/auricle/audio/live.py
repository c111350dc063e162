"""Live sound: what a microphone or a pipe gives, as a stream that stays near the present.

    inlet ────────► Inflow ──────────► LiveSound
    its own thread  waiting blocks     pieces at the model's rate

At most `WAITING_S` of sound wait. When the reader is slower than the sound, the oldest is skipped,
and everything knows when it was heard all the same. An inlet that is faster, such as a file in a
pipe, waits instead.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Protocol

from auricle.audio.load import check_samples, checked_rate, downmix, resampled
from auricle.errors import AudioError
from auricle.watch import Note, silent

if TYPE_CHECKING:
    import numpy as np

BLOCK_S = 0.1  # of sound that comes in at once
WAITING_S = 10.0  # of sound that waits for its reader
FASTER_S, FASTER_SHARE = 5.0, 0.01  # ahead of the clock: no live sound, even with a bad clock
STALL_S = 5.0  # without a block; or at the start, with digital silence alone
NOTES_S = 30.0  # between notes on skipped sound
REMEMBERED = 3000  # blocks whose arrival is known
LOOK_S = 0.1  # between two looks whether to stop


@dataclass(frozen=True, eq=False)
class Block:
    """Samples [n, channels], float in [-1, 1], from ``place_s`` on; they had arrived at
    ``arrived_s`` of the clock."""

    samples: np.ndarray
    place_s: float
    arrived_s: float


class Inlet(Protocol):
    """Where live sound comes from; ``rate_hz`` is known from the first block on."""

    name: str
    rate_hz: int

    def start(self, inflow: Inflow) -> None:
        """Begin to put blocks of about `BLOCK_S`, in a thread of its own.

        Raises AudioError: the sound cannot be had.
        """
        ...

    def close(self) -> None: ...


class Inflow:
    """Blocks on their way from an inlet's thread to the reader.

    ``overruns``: how often the system lost sound before the inlet got it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.overruns, self.stopped = clock, 0, False
        self._waiting: Queue[Block | AudioError | None] = Queue(round(WAITING_S / BLOCK_S))
        self._frames, self._begun_s, self._live = 0, 0.0, True

    def put(self, samples: np.ndarray, rate_hz: int) -> None:
        """Add the next samples, [n, channels]. In live sound, this never waits."""
        now_s = self.clock()
        if not self._frames:
            self._begun_s = now_s
        block = Block(samples, self._frames / rate_hz, now_s)
        self._frames += len(samples)
        passed_s = now_s - self._begun_s
        if self._frames / rate_hz - passed_s > FASTER_S + FASTER_SHARE * passed_s:
            self._live = False
        self._add(block)

    def end(self, error: AudioError | None = None) -> None:
        """No more blocks come; because of ``error``, if it is given."""
        self._add(error)

    def get(self) -> Block | None:
        """The next block; None at the end, and while nothing comes for `LOOK_S`.

        Raises EOFError: there is no other. AudioError: as ``end`` was given.
        """
        try:
            found = self._waiting.get(timeout=0 if self.stopped else LOOK_S)
        except Empty:
            if self.stopped:
                raise EOFError from None
            return None
        if isinstance(found, AudioError):
            raise found
        if found is None:
            raise EOFError
        return found

    def _add(self, item: Block | AudioError | None) -> None:
        while not self.stopped:
            with suppress(Full):
                self._waiting.put(item, block=not self._live, timeout=LOOK_S)
                return
            if self._live:
                with suppress(Empty):
                    self._waiting.get_nowait()


class LiveSound:
    """The pieces of an inlet's sound at ``rate_hz``, of about `BLOCK_S`; see `SoundStream`.

    Digital silence at the start, which sound cards give, is not a piece. Iterating raises
    AudioError: the sound cannot be had, or no longer.

    Args:
        most_s: seconds after which it ends.
        on_note: gets a line for the user, such as that sound was skipped.

    Attributes:
        waited_s: seconds that the reader waited for sound.
        skipped_s: seconds of sound that were not given because the reader was too slow.
    """

    def __init__(
        self,
        inlet: Inlet,
        rate_hz: int,
        most_s: float | None = None,
        on_note: Note = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.heard_s, self.duration_s, self.missing_s = inlet.name, 0.0, 0.0, 0.0
        self.waited_s = self.skipped_s = 0.0
        self._inlet, self._rate_hz, self._most_s = inlet, rate_hz, most_s
        self._note, self._clock = on_note, clock
        self._inflow = Inflow(clock)
        self._before_s = [(0.0, 0.0)]  # (seconds given, seconds of the sound that were not before)
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)  # (end, clock)

    @property
    def overruns(self) -> int:
        return self._inflow.overruns

    def stop(self) -> None:
        """End after the sound that has come in; a signal's handler may call it."""
        self._inflow.stopped = True

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            self._inlet.start(self._inflow)
            blocks = self._mono()
            first = next(blocks, None)
            if first is None:
                return
            rate_hz = checked_rate(self._inlet.rate_hz, self.name)
            for piece in resampled(chain([first], blocks), rate_hz, self._rate_hz):
                if len(piece):
                    self.heard_s += len(piece) / self._rate_hz
                    yield piece.clip(-1.0, 1.0)
        finally:
            self.stop()
            self._inlet.close()

    def place_s(self, heard_s: float) -> float:
        """Where the sound is that was given as second ``heard_s``, in seconds from the start."""
        return heard_s + next(gap for given, gap in reversed(self._before_s) if given <= heard_s)

    def since_s(self, place_s: float) -> float:
        """Seconds since the sound at ``place_s`` could be heard."""
        known = list(self._arrivals) or [(0.0, self._clock())]
        end_s, arrived_s = next((one for one in known if one[0] >= place_s), known[-1])
        return self._clock() - arrived_s + end_s - place_s

    def time_at(self, place_s: float) -> str:
        """Local date and time at which the sound at ``place_s`` could be heard, as in ISO 8601."""
        moment = datetime.fromtimestamp(time.time() - self.since_s(place_s))
        return moment.astimezone().isoformat(timespec="milliseconds")

    def _mono(self) -> Iterator[np.ndarray]:
        """Blocks at the inlet's rate: float32 [n]."""
        given = 0
        told_s, told = -NOTES_S, 0.0
        for block in self._blocks():
            rate_hz = self._inlet.rate_hz
            if self._most_s is not None and block.place_s >= self._most_s - 1e-6:
                return
            samples = downmix(block.samples)
            check_samples(samples, self.name)
            self._arrivals.append((block.place_s + len(samples) / rate_hz, block.arrived_s))
            if not given and not samples.any():
                if block.place_s <= STALL_S < block.place_s + len(samples) / rate_hz:
                    self._note(
                        f"{self.name}: {STALL_S:g} s of digital silence; a microphone may be muted,"
                        " or this program not allowed to hear it"
                    )
                self._before_s = [(0.0, block.place_s + len(samples) / rate_hz)]
                continue
            skipped_s = block.place_s - given / rate_hz - self._before_s[-1][1]
            if skipped_s > 1e-6:
                self._before_s.append((given / rate_hz, block.place_s - given / rate_hz))
                self.skipped_s += skipped_s
            if self.skipped_s > told and block.arrived_s - told_s >= NOTES_S:
                self._note(
                    f"{self.name}: this computer is too slow; skipped {self.skipped_s - told:.1f} s"
                    f" of sound before second {block.place_s:.0f}"
                )
                told_s, told = block.arrived_s, self.skipped_s
            given += len(samples)
            yield samples

    def _blocks(self) -> Iterator[Block]:
        silent_s = 0.0
        while True:
            begun_s = self._clock()
            try:
                block = self._inflow.get()
            except EOFError:
                return
            passed_s = self._clock() - begun_s
            self.waited_s += passed_s
            if block:
                silent_s = 0.0
                yield block
                continue
            if silent_s < STALL_S <= silent_s + passed_s:
                self._note(f"{self.name}: nothing has come in for {STALL_S:g} s")
            silent_s += passed_s
