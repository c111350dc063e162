"""The memory of clips -> their candidate captions, best first: search, then scores."""

from __future__ import annotations

from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import rank, score_candidates
from auricle.decoding.search import decode
from auricle.model.bart import BartDecoder
from auricle.model.captioner import AudioMemory
from auricle.records import Candidate
from auricle.text.embedder import TextEmbedder
from auricle.text.tokenizer import CaptionTokenizer, strip_punctuation


def find_candidates(
    decoder: BartDecoder,
    memory: AudioMemory,
    tokenizer: CaptionTokenizer,
    embedder: TextEmbedder | None,
    options: DecodeOptions,
    seed: int = 0,
) -> list[list[Candidate]]:
    """Distinct candidates of B clips: samples by score, what a search found in its own order.

    Each clip's memory serves search, likelihood and similarity. ``embedder`` may be None: scores
    are the likelihood's alone then. ``seed`` fixes sampling whatever the batch holds.
    """
    cross = decoder.read_memory(memory.memory, memory.lengths)
    texts = [
        [strip_punctuation(tokenizer.decode(sequence.ids)) for sequence in clip]
        for clip in decode(decoder, cross, options, seed)
    ]
    scored = score_candidates(decoder, cross, memory.embedding, texts, tokenizer, embedder, options)
    return [rank(clip) for clip in scored] if options.method == "nucleus" else scored
