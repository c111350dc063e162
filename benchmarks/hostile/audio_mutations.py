"""Mutations: what damage, careless tools and enemies do to a file."""

from __future__ import annotations

import numpy as np

MOST_BYTES = 4_000_000
HEADER = 256  # most fields that describe a recording stand this near to its start
EXTREME = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 10**6, 10**9)
EXTREME += (0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**32 + 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def mutate(content: bytes, other: bytes, random: np.random.Generator) -> tuple[bytes, str]:
    """``content`` after one to four mutations, some of which need the bytes of an ``other`` file;
    and the names of the mutations."""
    chosen = random.choice(len(MUTATIONS), random.choice([1, 2, 3, 4], p=[0.5, 0.25, 0.15, 0.1]))
    data = bytearray(content)
    for number in chosen:
        if data:
            data = bytearray(MUTATIONS[number](data, other, random))[:MOST_BYTES]
    return bytes(data), "+".join(MUTATIONS[number].__name__ for number in chosen)


def flip_bits(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    for place in random.integers(0, len(data), random.choice([1, 4, 16, 64])):
        data[place] ^= 1 << random.integers(8)
    return data


def flip_header_bits(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    for place in random.integers(0, min(HEADER, len(data)), random.choice([1, 2, 4])):
        data[place] ^= 1 << random.integers(8)
    return data


def set_field(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    """An extreme number, in the header or anywhere, of any width and byte order."""
    width = int(random.choice([1, 2, 4, 8]))
    value = int(EXTREME[random.integers(len(EXTREME))]) % 2 ** (8 * width)
    reach = len(data) if random.random() < 0.2 else min(HEADER, len(data))
    place = int(random.integers(reach))
    data[place : place + width] = value.to_bytes(
        width, "little" if random.random() < 0.5 else "big"
    )
    return data


def set_size(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    """Another size for a chunk: after four letters (RIFF, IFF, CAF) or before them (MP4)."""
    names = [n for n in range(len(data) - 12) if n < 4096 and data[n : n + 4].isalpha()]
    if not names:
        return set_field(data, other, random)
    name = int(names[random.integers(len(names))])
    place = name + 4 if random.random() < 0.6 else max(0, name - 4)
    width = int(random.choice([4, 8]))
    size = int(random.choice([0, 1, 7, len(data), 2 * len(data), 2**31 - 1, 2**32 - 1]))
    data[place : place + width] = size.to_bytes(width, random.choice(["little", "big"]))
    return data


def truncate(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    return data[: int(random.integers(1, len(data) + 1))]


def truncate_header(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    return data[: int(random.integers(1, min(HEADER, len(data)) + 1))]


def behead(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    return data[int(random.integers(len(data))) :]


def zero_run(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    first = int(random.integers(len(data)))
    size = min(len(data) - first, int(random.choice([8, 512, 8192, len(data)])))
    data[first : first + size] = bytes(size)
    return data


def noise_run(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    first = int(random.integers(len(data)))
    size = min(len(data) - first, int(random.choice([8, 512, 8192])))
    data[first : first + size] = random.bytes(size)
    return data


def cut_out(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    first, last = sorted(random.integers(0, len(data) + 1, 2).tolist())
    return data[:first] + data[last:]


def repeat(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    """A piece stands there many times, as packets of a stream that never gets on."""
    first = int(random.integers(len(data)))
    piece = data[first : first + int(random.choice([1, 16, 188, 2048]))]
    return data[:first] + piece * int(random.choice([2, 100, 2000])) + data[first:]


def splice(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    """The start of one file and the end of another."""
    return data[: int(random.integers(len(data)))] + other[int(random.integers(len(other))) :]


def transplant(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    """The header of one file on another."""
    size = int(random.choice([4, 12, 44, 128]))
    return bytearray(other[:size]) + data[size:]


def concatenate(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    return data + other


def pad(data: bytearray, other: bytes, random: np.random.Generator) -> bytearray:
    return data + bytes(int(random.choice([1, 1000, 1_000_000])))


MUTATIONS = (
    flip_bits,
    flip_header_bits,
    flip_header_bits,
    set_field,
    set_field,
    set_field,
    set_size,
    set_size,
    truncate,
    truncate_header,
    behead,
    zero_run,
    noise_run,
    cut_out,
    repeat,
    splice,
    transplant,
    concatenate,
    pad,
)
