"""Words over time: where in its clip the decoder listens while it writes each word of a caption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auricle.audio.level import heard_part
from auricle.audio.load import load_audio
from auricle.errors import AudioError
from auricle.records import Caption

if TYPE_CHECKING:
    from auricle.audio.kinds import AudioInput
    from auricle.pipeline import Captioner
    from auricle.text.tokenizer import CaptionTokenizer


@dataclass(frozen=True, eq=False)
class WordsOverTime:
    """The W words of a caption, and the share of its attention that each gives to T equal parts of
    the recording between ``start_s`` and ``end_s``: ``weights`` float32 [W, T], rows sum to 1."""

    words: tuple[str, ...]
    weights: np.ndarray
    start_s: float
    end_s: float


def words_over_time(
    captioner: Captioner, caption: Caption, source: AudioInput | None = None
) -> WordsOverTime:
    """The cross-attention of the (first) model, averaged over its layers and heads and over the
    tokens of a word. ``source``: the recording, by default the file that ``caption`` names.

    Raises AudioError: the recording cannot be read, or is silent there.
    """
    import torch

    from auricle.hearing import hear
    from auricle.model.cross_attention import cross_attention

    rate_hz, scorer = captioner.sample_rate_hz, captioner.scorers[0]
    end_s = min(caption.end_s, caption.start_s + captioner.max_duration_s)
    recording = load_audio(
        caption.audio if source is None else source, rate_hz, caption.start_s, end_s
    )
    heard = next(hear(captioner.models[:1], [recording]))
    if heard.silent or not caption.caption.strip():
        raise AudioError(
            f"{caption.audio}: no words attend to {caption.start_s:g} to {end_s:g} s, which is"
            f" {'silent' if heard.silent else 'without a caption'}; leave out --words"
        )
    decoder, memory = scorer.decoder, heard.memories[0]
    ids = scorer.tokenizer.encode(caption.caption)[: decoder.config.max_positions - 1]
    tokens = torch.tensor([[decoder.config.start_id, *ids[:-1]]], device=memory.memory.device)
    cross = decoder.read_memory(memory.memory, memory.lengths)
    weights = cross_attention(decoder, tokens, cross)[:, 0].mean(dim=(0, 1)).cpu().numpy()  # [L, T]
    words, places = words_of(ids, scorer.tokenizer)
    sums = np.zeros((len(words), weights.shape[1]), np.float32)
    np.add.at(sums, places, weights)
    part = slice(0, len(recording.waveform))
    if not captioner.models[0].config.published_behaviour:
        part = heard_part(recording.waveform, rate_hz)  # as it was encoded
    return WordsOverTime(
        words,
        sums / sums.sum(axis=1, keepdims=True).clip(min=1e-9),
        recording.start_s + part.start / rate_hz,
        recording.start_s + part.stop / rate_hz,
    )


def words_of(ids: list[int], tokenizer: CaptionTokenizer) -> tuple[tuple[str, ...], list[int]]:
    """The words of a caption, and of each token the number of the word that it belongs to."""
    words = tokenizer.decode(ids).split()
    left = [len(tokenizer.decode(ids[place:]).split()) for place in range(len(ids))]
    return tuple(words), [min(len(words) - number, len(words) - 1) for number in left]
