"""Streaming: the pieces of one caption as its tokens are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auricle.decoding.forbidden import ForbiddenWords, forbidden_words
from auricle.decoding.options import DecodeOptions
from auricle.decoding.sampling import draws
from auricle.decoding.steps import Steps
from auricle.text.tokenizer import CaptionTokenizer

_INCOMPLETE = "\ufffd"  # what the first bytes of a character decode to


def stream_tokens(
    steps: Steps, tokenizer: CaptionTokenizer, options: DecodeOptions, seed: int = 0
) -> Iterator[str]:
    """The greedy caption of one clip, or one nucleus sample, piece by piece as tokens are chosen.

    The pieces together are the caption with its punctuation. Forbidden words are ruled out as in
    every search, but not cut out: that would need the finished caption.

    Raises:
        ValueError: a beam search, which chooses at its end, or more or fewer than one clip.
    """
    if options.method not in ("greedy", "nucleus"):
        raise ValueError(
            f"method={options.method!r}: a caption is streamed as it is chosen; use greedy or "
            "nucleus"
        )
    if steps.clips != 1:
        raise ValueError(f"{steps.clips} clips: one clip is streamed at a time")
    forbidden = forbidden_words(options.forbidden_words, tokenizer)
    return _pieces(steps, tokenizer, replace(options, candidates=1), seed, forbidden)


def _pieces(
    steps: Steps,
    tokenizer: CaptionTokenizer,
    options: DecodeOptions,
    seed: int,
    forbidden: ForbiddenWords | None,
) -> Iterator[str]:
    ids: list[int] = []
    text = sent = ""
    for drawn in draws(steps, options, seed, forbidden):
        ids.append(int(drawn.tokens[0]))
        text = tokenizer.decode(ids)  # without the end token
        if len(text) > len(sent) and not text.endswith(_INCOMPLETE):
            yield text[len(sent) :]
            sent = text
    if text != sent:  # the caption ended within a character
        yield text[len(sent) :]
