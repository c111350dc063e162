"""Files as pieces of others: the way back is exact, and short where little changed."""

from __future__ import annotations

import io
import random

import pytest

from auricle.tags.pieces import BLOCK, Span, content, difference, inverse, pack, unpack

RNG = random.Random(0)
OLD = RNG.randbytes(3 * BLOCK + 77)


def made(source: bytes, pieces) -> bytes:
    return b"".join(content(io.BytesIO(source), pieces))


def test_the_inverse_makes_the_source():
    pieces = [b"new", Span(0, 10), Span(20, 100), b"x", Span(200, len(OLD) - 250), b"end"]
    new = made(OLD, pieces)
    back = inverse(pieces, io.BytesIO(OLD), len(OLD))
    assert made(new, back) == OLD
    assert sum(len(one) for one in back if isinstance(one, bytes)) == 10 + 80 + 50


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        b"",
        OLD[:1000],
        OLD[5000:],
        OLD[:100] + RNG.randbytes(4096) + OLD[100:],
        OLD[:100] + OLD[600:],
        OLD[:4] + b"size" + OLD[8:] + b"at the end",
        bytes(b ^ 1 if i % 4096 < 8 else b for i, b in enumerate(b"head" * 50 + OLD)),
    ],
)
def test_the_difference_leads_back(new):
    pieces = difference(io.BytesIO(OLD), io.BytesIO(new))
    assert made(new, unpack(pack(pieces))) == OLD


def test_the_difference_is_small_where_little_changed():
    moved = b"head" * 50 + OLD
    numbered = bytes(b ^ 1 if i % 4096 < 8 else b for i, b in enumerate(moved))
    for new in (OLD + b"tail", moved, numbered, OLD[:4] + b"size" + OLD[8:] + b"tail"):
        pieces = difference(io.BytesIO(OLD), io.BytesIO(new))
        assert sum(len(one) for one in pieces if isinstance(one, bytes)) < 2000


def test_a_source_that_is_too_short_is_noticed():
    with pytest.raises(EOFError):
        made(OLD, [Span(len(OLD) - 5, 10)])


@pytest.mark.parametrize("packed", [b"", b"nonsense", pack([Span(0, 1)])[:-3]])
def test_damaged_pieces_are_refused(packed):
    with pytest.raises(ValueError, match=r"."):
        unpack(packed)
