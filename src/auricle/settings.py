"""Settings of a call: the decoding that they choose, and the right names for wrong ones."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from auricle.decoding.options import DecodeMethod, DecodeOptions, with_method
from auricle.schema import build

NAMES = [
    *("decode", "num_beams", "seed", "every_term", "min_confidence"),
    *(field.name for field in fields(DecodeOptions) if field.name != "method"),
    *("sample_rate", "allow_urls", "batch_size"),
]
# The names of other programs (transformers, whisper, librosa), and ours for them.
FOREIGN = {
    "bad_words": "forbidden_words",
    "bad_words_ids": "forbidden_words",
    "beam_size": "num_beams",
    "best_of": "candidates",
    "confidence": "min_confidence",
    "device": "auricle.load(…, device=…) or captioner.to(device)",
    "do_sample": "decode: 'nucleus' samples; 'greedy', 'beam' and 'diverse-beam' do not",
    "fs": "sample_rate",
    "max_new_tokens": "max_length, which also counts the start token",
    "max_tokens": "max_length, which also counts the start token",
    "method": "decode",
    "min_new_tokens": "min_length, which also counts the start token",
    "n": "candidates",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "num_beam_groups": "groups",
    "num_return_sequences": "candidates, all of which are in a record's candidates",
    "num_samples": "candidates",
    "precision": "auricle.load(…, precision=…)",
    "random_state": "seed",
    "repetition_penalty": "no_repeat_ngram",
    "sr": "sample_rate",
    "strategy": "decode",
    "temp": "temperature",
    "threshold": "min_confidence",
}


@dataclass(frozen=True)
class Decoding:
    """Decoding settings of one call.

    Attributes:
        options: settings of the search and of reranking.
        seed: fixes the samples of every clip, whatever the batch.
        every_term: compute also the reranking terms that have no weight.
        min_confidence: a caption with less confidence becomes `NO_SOUND`.
    """

    options: DecodeOptions
    seed: int = 0
    every_term: bool = False
    min_confidence: float = 0.0


def chosen(
    own: DecodeOptions, decode: str | None, num_beams: int | None, changes: Mapping[str, Any]
) -> DecodeOptions:
    """``own`` options with these changes, as `Captioner.decoding` describes them.

    Raises:
        TypeError: there is no such setting; the message names the right one.
        ValueError: a setting is out of range, or of the wrong type.
    """
    for name in changes:
        if name not in NAMES:
            raise TypeError(f"there is no setting {name!r}; {_right_name(name)}")
    candidates = one_of(num_beams=num_beams, candidates=changes.get("candidates"))
    if num_beams is not None:
        decode = decode or (own.method if "beam" in own.method else "beam")
        if "beam" not in decode:
            raise ValueError(f"num_beams={num_beams}: {decode} decoding has no beams; say beam")
    given = {**changes, "candidates": candidates}
    values = {name: _plain(value) for name, value in given.items() if value is not None}
    if decode and decode not in get_args(DecodeMethod):
        raise ValueError(f"decode={decode!r}: must be {', '.join(get_args(DecodeMethod))}")
    options = with_method(own, decode or own.method)
    return build(DecodeOptions, vars(options) | values, "decoding")


def one_of(**values: Any) -> Any:
    """The value of a setting with several names; None if none of them is given.

    Raises:
        TypeError: two are given.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if len(given) > 1:
        raise TypeError(f"{' and '.join(given)} are names of one setting; give one of them")
    return next(iter(given.values()), None)


def _right_name(name: str) -> str:
    if name in FOREIGN:
        return f"give {FOREIGN[name]}"
    if near := difflib.get_close_matches(name, NAMES, 1):
        return f"did you mean {near[0]!r}?"
    return f"settings are {', '.join(NAMES)}"


def _plain(value: Any) -> Any:
    """Scalars of numpy as those of Python."""
    return value.item() if hasattr(value, "item") else value
