"""Damage: the border to the decoders, and what lies behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from auricle.audio.source import Stream
from auricle.errors import AudioError

BLOCK_FRAMES = 4096  # small, because damage loses a whole block
SAMPLE_RATES_HZ = (1_000, 1_000_000)  # telephone to ultrasound, with a margin on both sides


class Damage(Exception):  # noqa: N818  (caught where a recording may end)
    """Data that a decoder cannot read."""


@contextlib.contextmanager
def decoder(stream: Stream) -> Iterator[None]:
    """The border to the decoders: all that they raise is `Damage`, whatever its type.

    On broken files soundfile and PyAV raise their own errors, but also OSError, AttributeError,
    ValueError, TypeError, OverflowError ... Raises AudioError: not the data are broken, but the
    stream cannot be read, or the memory is too small for what its header declares.
    """
    try:
        yield
    except MemoryError as error:
        raise AudioError(
            f"{stream.name}: needs more memory than there is, by its header; get a whole copy of"
            " the file"
        ) from error
    except (AudioError, Damage):
        raise
    except Exception as error:
        stream.check()
        raise Damage(str(error)) from error
    stream.check()
