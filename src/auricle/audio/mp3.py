"""Frame positions in MP3 files of constant bit rate. To seek, libmpg123 reads every frame before a
position, a hundred thousand in an hour; at a constant rate the position can be computed.

Headers as in ISO/IEC 11172-3, section 2.4.2.3; the tag "Info" as LAME writes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from auricle.audio.source import Stream

PREROLL = 12  # frames decoded before a section: bits of a frame may lie up to nine frames back
MP3_PREROLL = PREROLL * 1152  # samples at most
DECODER_DELAY = 529  # samples of libmpg123, skipped with the encoder's delay
RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
KBIT_S = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SAME = 0xFFFE_FC00  # header bits that are equal in all frames of a recording
PADDING = 0x200
CHECKED = (0.25, 0.5, 0.75)  # parts of the file where the computed positions are checked


@dataclass(frozen=True)
class ConstantRate:
    """Frame n begins within a byte of ``first`` + n * ``frame_bytes``.

    Attributes:
        first: the first byte of the first frame with sound.
        frame_bytes: mean bytes of a frame; ``frame_samples``: its samples.
        skipped: samples of the first frames that decoders leave out.
        header: the bits in `SAME` of every frame's header.
    """

    first: int
    frame_bytes: float
    frame_samples: int
    skipped: int
    header: int

    @classmethod
    def of(cls, stream: Stream) -> ConstantRate | None:
        """The constant rate of an MP3 file; None if its bit rate varies, or no frame is found at a
        computed position."""
        first = _after_tag(stream)
        content = _read(stream, first, 300)
        header = int.from_bytes(content[:4])
        version, layer = header >> 19 & 3, header >> 17 & 3
        rate, sampling = header >> 12 & 15, header >> 10 & 3
        if header >> 21 != 0x7FF or version == 1 or layer != 1 or rate in (0, 15) or sampling == 3:
            return None
        samples = 1152 if version == 3 else 576
        kbit_s = KBIT_S[3 if version == 3 else 2][rate - 1]
        size = samples // 8 * 1000 * kbit_s / RATES_HZ[version][sampling]
        mono = header >> 6 & 3 == 3
        side_bytes = {(3, False): 32, (3, True): 17, (2, False): 17, (2, True): 9}
        tag = content[4 + side_bytes[max(2, version), mono] :]
        if tag[:4] == b"Xing" or content[36:40] == b"VBRI":
            return None
        skipped = 0
        if tag[:4] == b"Info":
            first += int(size) + bool(header & PADDING)
            skipped = _encoder_delay(tag) + DECODER_DELAY
        found = cls(first, size, samples, skipped, header & SAME)
        frames = int((stream.seek(0, 2) - first) / size)
        constant = all(found.place(stream, int(frames * part)) is not None for part in CHECKED)
        return found if constant else None

    def place(self, stream: Stream, frame: int) -> int | None:
        """The first byte of ``frame``; None if no frame begins there."""
        near = self.first + int(frame * self.frame_bytes)
        for begin in (near, near + 1, near - 1):
            header = _header(stream, begin)
            after = begin + int(self.frame_bytes) + bool(header & PADDING)
            if header & SAME == self.header == _header(stream, after) & SAME:
                return begin
        return None


class Tail:
    """A file from the byte ``first`` on, for libsndfile; ``skip``: the number of its samples before
    the wanted one."""

    def __init__(self, stream: Stream, first: int, skip: int) -> None:
        self._stream, self._first, self.skip = stream, first, skip
        stream.seek(first)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        place = self._stream.seek(offset + (0 if whence else self._first), whence)
        return place - self._first

    def tell(self) -> int:
        return self._stream.tell() - self._first


def tail_of(stream: Stream, sample: int) -> Tail | None:
    """An MP3 file from a little before ``sample`` on; None if its position is not known."""
    rate = ConstantRate.of(stream)
    frame = (sample + rate.skipped) // rate.frame_samples - PREROLL if rate else 0
    if not rate or frame <= 0 or (first := rate.place(stream, frame)) is None:
        return None
    return Tail(stream, first, sample + rate.skipped - frame * rate.frame_samples)


def has_length(stream: Stream) -> bool:
    """Whether an MP3 file begins with a tag that holds the number of its frames."""
    content = _read(stream, _after_tag(stream), 300)
    if b"VBRI" in content:
        return True
    flags = content.partition(b"Xing")[2] or content.partition(b"Info")[2]
    return bool(int.from_bytes(flags[:4]) & 1)


def _after_tag(stream: Stream) -> int:
    """The first byte after an ID3v2 tag, which stores its size as four bytes of seven bits."""
    start = _read(stream, 0, 10)
    if start[:3] != b"ID3" or len(start) < 10:
        return 0
    size = sum((byte & 127) << shift for byte, shift in zip(start[6:], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if start[5] & 16 else 0)


def _encoder_delay(tag: bytes) -> int:
    """Samples that the encoder added before the sound, by LAME's extension of the tag, else 0."""
    flags = int.from_bytes(tag[4:8])
    fields = ((1, 4), (2, 4), (4, 100), (8, 4))  # (flag, bytes): frames, bytes, places, quality
    lame = 8 + sum(size for flag, size in fields if flags & flag)
    return int.from_bytes(tag[lame + 21 : lame + 23]) >> 4


def _header(stream: Stream, place: int) -> int:
    return int.from_bytes(_read(stream, place, 4))


def _read(stream: Stream, place: int, size: int) -> bytes:
    stream.seek(max(0, place))
    return stream.read(size)
