"""Errors that a user can fix: each message names the input, the rule it breaks and the fix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


class AuricleError(Exception):
    """Base of every error that auricle raises for a reason outside its own code."""


class AudioError(AuricleError, ValueError):
    """A recording that cannot be captioned."""


class EndOfSoundError(AudioError):
    """From some place on, a recording holds no sound that can be used; before it, it may."""


class DecoderDied(AudioError):  # noqa: N818  (what happened, not what is wrong)
    """A recording whose decoder, a process of its own, crashed or was ended."""


class SeveralError(AudioError):
    """Recordings of several that cannot be captioned, after all the others are.

    Attributes:
        captions: one `Caption` per source, in order; None where it failed.
        errors: the reasons, in the order of the failed sources.
    """

    def __init__(
        self, message: str, captions: Sequence[Any] = (), errors: Sequence[AudioError] = ()
    ) -> None:
        super().__init__(message)
        self.captions, self.errors = list(captions), list(errors)


class ModelError(AuricleError, ValueError):
    """A model name, folder or checkpoint that cannot be used."""


class DataError(AuricleError, ValueError):
    """A data set, table, archive or manifest that cannot be used."""


class QueryError(AuricleError, ValueError):
    """A search that cannot be made: it asks for nothing, or for too much."""


class OutputError(AuricleError, OSError):
    """A file or folder that cannot be written, for lack of room or permission."""


class MissingDependencyError(AuricleError, ImportError):
    """An optional package or download that is missing; the message says how to install it."""


class TrainingError(AuricleError, RuntimeError):
    """A training run that cannot start or continue; its finished work is kept."""


class ProviderError(AuricleError, RuntimeError):
    """A language-model server that cannot be used; its answers so far are kept."""


class ClusterError(AuricleError, RuntimeError):
    """A cluster of machines that cannot be used; its finished work is kept."""


class ServiceError(AuricleError, RuntimeError):
    """A service of `auricle serve` that cannot be reached, or refuses."""


def in_one_line(error: BaseException) -> str:
    """Type and message of another library's error, for a message of ours."""
    text, kind = reason(error)[:200], type(error).__name__
    return kind if text == kind else f"{kind}: {text}"


def reason(error: object) -> str:
    """The message of another library's error on one line; its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether the memory of the machine or its GPU is full; torch has two other ways to say so."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"MemoryError", "OutOfMemoryError"}:
        return True
    return bool(re.search("can(no|')t allocate memory", str(error), re.IGNORECASE))
