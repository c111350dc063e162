"""The memory of clips -> their candidate captions, best first: search, likelihood, scores."""

from __future__ import annotations

from collections.abc import Sequence

from auricle.decoding.likelihood import draft_likelihoods
from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import rank, score_candidates
from auricle.decoding.search import decode
from auricle.decoding.voice import Draft, Voice
from auricle.model.bart import CrossMemory
from auricle.model.captioner import AudioMemory
from auricle.records import Candidate
from auricle.text.tokenizer import strip_punctuation


def find_candidates(
    voices: Sequence[Voice],
    memories: Sequence[AudioMemory],
    options: DecodeOptions,
    seed: int = 0,
) -> list[list[Candidate]]:
    """Distinct candidates of B clips: samples by score, what a search found in its own order.

    ``memories`` are one per voice, of the same clips. Each serves search, likelihood and
    similarity. ``seed`` fixes sampling whatever the batch holds.
    """
    crosses = [
        voice.decoder.read_memory(memory.memory, memory.lengths)
        for voice, memory in zip(voices, memories, strict=True)
    ]
    drafts = find_drafts(voices, crosses, options, seed)
    likelihoods = [
        draft_likelihoods(voice, index, cross, drafts)
        for index, (voice, cross) in enumerate(zip(voices, crosses, strict=True))
    ]
    embeddings = [memory.embedding for memory in memories]
    scored = score_candidates(voices, embeddings, drafts, likelihoods, options)
    return [rank(clip) for clip in scored] if options.method == "nucleus" else scored


def find_drafts(
    voices: Sequence[Voice], crosses: Sequence[CrossMemory], options: DecodeOptions, seed: int
) -> list[list[Draft]]:
    """The distinct captions of each clip, in the order in which the voices found them."""
    found: list[dict[str, Draft]] = [{} for _ in range(crosses[0].mask.shape[0])]
    for index, (voice, cross) in enumerate(zip(voices, crosses, strict=True)):
        for clip, sequences in zip(found, decode(voice.decoder, cross, options, seed), strict=True):
            for sequence in sequences:
                text = strip_punctuation(voice.tokenizer.decode(sequence.ids))
                first = clip.get(text) or Draft(text, tuple(sequence.ids), None, 0, index)
                clip[text] = Draft(
                    text, first.ids, first.log_probability, first.count + 1, first.voice
                )
    return [list(clip.values()) for clip in found]
