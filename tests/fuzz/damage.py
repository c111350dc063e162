"""Mutations of bytes: what damage, careless tools and enemies do to a file."""

from __future__ import annotations

from random import Random

MOST_BYTES = 4_000_000
HEADER = 256  # most fields that describe a recording stand this near to its start
EXTREME = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 10**6, 10**9)
EXTREME += (0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**32 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(random: Random, content: bytes, other: bytes) -> bytes:
    """``content`` after one to four mutations, some of which need bytes of an ``other`` file."""
    count = random.choices((1, 2, 3, 4), (0.5, 0.25, 0.15, 0.1))[0]
    data = bytearray(content)
    for mutation in random.sample(MUTATIONS, count):
        if data:
            data = mutation(random, data, other)[:MOST_BYTES]
    return bytes(data)


def flip_bits(random: Random, data: bytearray, other: bytes) -> bytearray:
    for _ in range(random.choice((1, 4, 16, 64))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data


def flip_header_bits(random: Random, data: bytearray, other: bytes) -> bytearray:
    for _ in range(random.choice((1, 2, 4))):
        data[random.randrange(min(HEADER, len(data)))] ^= 1 << random.randrange(8)
    return data


def set_field(random: Random, data: bytearray, other: bytes) -> bytearray:
    """An extreme number, in the header or anywhere, of any width and byte order."""
    width = random.choice((1, 2, 4, 8))
    value = random.choice(EXTREME) % 2 ** (8 * width)
    place = random.randrange(len(data) if random.random() < 0.2 else min(HEADER, len(data)))
    data[place : place + width] = value.to_bytes(width, random.choice(("little", "big")))
    return data


def set_size(random: Random, data: bytearray, other: bytes) -> bytearray:
    """Another size for a chunk: after four letters (RIFF, IFF, CAF) or before them (MP4)."""
    names = [n for n in range(min(4096, len(data) - 12)) if data[n : n + 4].isalpha()]
    if not names:
        return set_field(random, data, other)
    name = random.choice(names)
    place = name + 4 if random.random() < 0.6 else max(0, name - 4)
    width = random.choice((4, 8))
    size = random.choice((0, 1, 7, len(data), 2 * len(data), 2**31 - 1, 2**32 - 1))
    data[place : place + width] = size.to_bytes(width, random.choice(("little", "big")))
    return data


def truncate(random: Random, data: bytearray, other: bytes) -> bytearray:
    return data[: random.randint(1, len(data))]


def truncate_header(random: Random, data: bytearray, other: bytes) -> bytearray:
    return data[: random.randint(1, min(HEADER, len(data)))]


def behead(random: Random, data: bytearray, other: bytes) -> bytearray:
    return data[random.randrange(len(data)) :]


def zero_run(random: Random, data: bytearray, other: bytes) -> bytearray:
    first = random.randrange(len(data))
    size = min(len(data) - first, random.choice((8, 512, 8192, len(data))))
    data[first : first + size] = bytes(size)
    return data


def noise_run(random: Random, data: bytearray, other: bytes) -> bytearray:
    first = random.randrange(len(data))
    size = min(len(data) - first, random.choice((8, 512, 8192)))
    data[first : first + size] = random.randbytes(size)
    return data


def cut_out(random: Random, data: bytearray, other: bytes) -> bytearray:
    first, last = sorted(random.randint(0, len(data)) for _ in range(2))
    return data[:first] + data[last:]


def repeat(random: Random, data: bytearray, other: bytes) -> bytearray:
    """A piece stands there many times, as packets of a stream that never gets on."""
    first = random.randrange(len(data))
    piece = data[first : first + random.choice((1, 16, 188, 2048))]
    return data[:first] + piece * random.choice((2, 100, 2000)) + data[first:]


def splice(random: Random, data: bytearray, other: bytes) -> bytearray:
    """The start of one file and the end of another."""
    return data[: random.randrange(len(data))] + other[random.randrange(len(other)) :]


def transplant(random: Random, data: bytearray, other: bytes) -> bytearray:
    """The header of one file on another."""
    size = random.choice((4, 12, 44, 128))
    return bytearray(other[:size]) + data[size:]


def concatenate(random: Random, data: bytearray, other: bytes) -> bytearray:
    return data + other


def pad(random: Random, data: bytearray, other: bytes) -> bytearray:
    return data + bytes(random.choice((1, 1000, 1_000_000)))


MUTATIONS = (
    *(flip_bits, flip_header_bits, flip_header_bits, set_field, set_field, set_field),
    *(set_size, set_size, truncate, truncate_header, behead, zero_run, noise_run, cut_out),
    *(repeat, splice, transplant, concatenate, pad),
)
