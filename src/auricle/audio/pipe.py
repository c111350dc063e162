"""Pipes: a WAV stream or raw samples that another program writes, read as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, TypeAlias, get_args

from auricle.audio.chunks import LAYOUTS, MOST_CHUNKS, is_open
from auricle.audio.damage import SAMPLE_RATES_HZ
from auricle.audio.kinds import source_name
from auricle.audio.live import BLOCK_S, LOOK_S, Inflow
from auricle.audio.readers import MAX_CHANNELS
from auricle.errors import AudioError, reason
from auricle.schema import Range, check

if TYPE_CHECKING:
    import numpy as np

SampleFormat: TypeAlias = Literal["s16le", "s32le", "f32le", "u8", "s24le", "f64le"]
BITS = {"u8": 8, "s16le": 16, "s24le": 24, "s32le": 32, "f32le": 32, "f64le": 64}
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE  # kinds of samples in the header of a WAV
CONVERT = "ffmpeg -i INPUT -f wav - | auricle listen -"


@dataclass(frozen=True)
class PcmFormat:
    """How samples follow each other, channel by channel.

    Raises ValueError: a value is out of range.
    """

    rate_hz: Annotated[int, Range(*SAMPLE_RATES_HZ)] = 16_000
    channels: Annotated[int, Range(1, MAX_CHANNELS)] = 1
    samples: SampleFormat = "s16le"

    def __post_init__(self) -> None:
        known = get_args(SampleFormat)
        check(self, {"samples": (self.samples in known, ", ".join(known))})

    @property
    def frame_bytes(self) -> int:
        return self.channels * BITS[self.samples] // 8

    def decoded(self, data: bytes) -> np.ndarray:
        """Whole frames -> float32 [n, channels], integers scaled to [-1, 1]."""
        import numpy as np

        values: np.ndarray
        if self.samples.startswith("f"):
            values = np.frombuffer(data, f"<f{BITS[self.samples] // 8}").astype(np.float32)
        elif self.samples == "u8":
            values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
        else:
            width = BITS[self.samples] // 8
            size = 2 if width == 2 else 4
            wide = np.zeros((len(data) // width, size), np.uint8)
            wide[:, size - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
            values = wide.view(f"<i{size}")[:, 0].astype(np.float32) / 2.0 ** (8 * size - 1)
        return values.reshape(-1, self.channels)


class Pipe:
    """An inlet of live sound: what another program writes, to ``file``.

    A WAV says how its samples are stored; ``raw`` says it for samples without a header.
    """

    def __init__(self, file: BinaryIO, raw: PcmFormat | None = None, name: str = "") -> None:
        self.name, self.rate_hz = name or source_name(file), 0
        self._raw = raw
        # A part of what was asked for is enough: `read` of a buffered file waits for all of it.
        self._some: Callable[[int], bytes | None] = getattr(file, "read1", file.read)

    def start(self, inflow: Inflow) -> None:
        Thread(target=self._run, args=(inflow,), daemon=True).start()

    def close(self) -> None:
        """Leave the file to its owner; the thread ends with the program, or with the sound."""

    def _run(self, inflow: Inflow) -> None:
        try:
            self._read(inflow)
        except AudioError as error:
            inflow.end(error)
        except Exception as error:  # of the user's file
            inflow.end(AudioError(f"{self.name}: cannot be read ({reason(error)})"))
        else:
            inflow.end()

    def _read(self, inflow: Inflow) -> None:
        begin = self._exactly(12)
        if begin[:4] in (b"RIFF", b"RF64") and begin[8:] == b"WAVE":
            form, left = self._header()
            begin = b""
        elif not begin:
            raise AudioError(f"{self.name}: nothing came in; check the program that writes it")
        elif self._raw:
            form, left = self._raw, float("inf")
        else:
            raise AudioError(
                f"{self.name}: not a WAV; say how raw samples are stored (--rate, --channels,"
                f" --sample-format), or convert other formats: {CONVERT}"
            )
        self.rate_hz = form.rate_hz
        size = max(1, round(BLOCK_S * form.rate_hz)) * form.frame_bytes
        while left > 0 and not inflow.stopped:
            wanted = int(min(size, left))
            data = begin + self._exactly(wanted - len(begin))
            begin = b""
            whole = len(data) // form.frame_bytes * form.frame_bytes
            if whole:
                inflow.put(form.decoded(data[:whole]), form.rate_hz)
            if len(data) < wanted:
                return
            left -= wanted

    def _header(self) -> tuple[PcmFormat, float]:
        """The format of a WAV, and the bytes of its samples, which follow; infinite if they are not
        declared."""
        form: PcmFormat | None = None
        sound = LAYOUTS[b"RIFF"].sound
        for _ in range(MOST_CHUNKS):
            head = self._exactly(8)
            size = int.from_bytes(head[4:], "little")
            if len(head) < 8 or (head[:4] == sound and not form):
                break
            if form and head[:4] == sound:
                return form, float("inf") if is_open(size) else size
            content = self._exactly(min(size + size % 2, 64))
            self._skip(size + size % 2 - len(content))
            if head[:4] == b"fmt " and len(content) >= 16:
                form = self._format(content)
        raise AudioError(f"{self.name}: a WAV without samples; give a whole one")

    def _format(self, chunk: bytes) -> PcmFormat:
        kind, channels, bits = (
            int.from_bytes(chunk[place : place + 2], "little") for place in (0, 2, 14)
        )
        if kind == EXTENSIBLE:
            kind = int.from_bytes(chunk[24:26], "little")
        prefix = "f" if kind == FLOATS else "u" if bits == 8 else "s"
        found = [name for name in BITS if name.startswith(prefix) and BITS[name] == bits]
        if kind not in (INTEGERS, FLOATS) or not found:
            raise AudioError(
                f"{self.name}: a WAV of kind {kind} with {bits} bits, but only plain PCM can be"
                f" read from a pipe; convert it: {CONVERT}"
            )
        try:
            return PcmFormat(int.from_bytes(chunk[4:8], "little"), channels, found[0])  # type: ignore[arg-type]
        except ValueError as error:
            raise AudioError(f"{self.name}: a WAV whose header is broken ({error})") from error

    def _exactly(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""
        data = bytearray()
        while len(data) < size:
            some = self._some(size - len(data))
            if some is None:  # a file that does not wait has nothing yet
                time.sleep(LOOK_S / 10)
            elif some:
                data += some
            else:
                break
        return bytes(data)

    def _skip(self, size: int) -> None:
        while size > 0 and (data := self._exactly(min(size, 2**16))):
            size -= len(data)
