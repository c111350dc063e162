"""What a model is worth on clips it was not trained on: losses, retrieval, captions scored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import zip_longest
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from auricle.decoding.candidates import find_candidates
from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import choose
from auricle.decoding.voice import Voice
from auricle.errors import DataError
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.likelihood import IGNORE_ID, decoder_inputs
from auricle.text.embedder import TextEmbedder
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import pad_labels
from auricle.training.config import TrainingConfig, ValidationConfig
from auricle.training.measures import HeardClip, Validation, measure

if TYPE_CHECKING:
    from auricle.training.paired import Embed, ValidationBatch


def validate(
    model: AudioCaptioner,
    batches: Iterable[ValidationBatch],
    tokenizer: CaptionTokenizer,
    embed: Embed | None,
    training: TrainingConfig,
    config: ValidationConfig,
    decoding: DecodeOptions,
    *,
    with_captions: bool,
    embedder: TextEmbedder | None = None,
) -> Validation:
    """Hear each clip once, for its losses, its place in retrieval and its caption.

    In float32 and in eval mode; the model's mode and the random numbers of the run are left as
    they were.

    Args:
        batches: the clips, each once, in any order.
        embed: the text embeddings [N, E] of N captions; None leaves out InfoNCE and retrieval.
        with_captions: caption the clips that ``config`` names, by ``decoding``.
        embedder: reranks sampled candidates; without it their likelihood alone does.

    Raises:
        DataError: no clips.
    """
    was_training = model.training
    gpus = [model.device] if model.device.type == "cuda" else []
    captioned = (config.clips or math.inf) if with_captions else 0
    clips: list[HeardClip] = []
    try:
        model.eval()
        with torch.random.fork_rng(gpus), torch.no_grad():
            for batch in batches:
                memory = _listen(model, batch.to(model.device))
                told = _nll(model, memory, batch.captions, tokenizer, training)
                rows = [row for row, index in enumerate(batch.indices) if index < captioned]
                said = _captions(model, memory, rows, tokenizer, embedder, decoding)
                clips += _clips(batch, memory, told, said)
    finally:
        model.train(was_training)
    if not clips:
        raise DataError("no validation clip could be read; check data.validation with --dry-run")
    return measure(sorted(clips, key=lambda clip: clip.index), embed, training)


def _listen(model: AudioCaptioner, batch: ValidationBatch) -> AudioMemory:
    if batch.audio.ndim == 3:
        return model.encode_features(batch.audio, batch.lengths)
    return model.encode_features(*model.features(batch.audio, batch.lengths))


def _clips(
    batch: ValidationBatch,
    memory: AudioMemory,
    told: Sequence[tuple[float, int]],
    said: Mapping[int, str],
) -> Iterator[HeardClip]:
    embeddings = memory.embedding.float().cpu()
    for row, index in enumerate(batch.indices):
        about = index, batch.ids[row], batch.paths[row], batch.captions[row]
        yield HeardClip(*about, *told[row], embeddings[row], said.get(row))


def _nll(
    model: AudioCaptioner,
    memory: AudioMemory,
    captions: Sequence[Sequence[str]],
    tokenizer: CaptionTokenizer,
    training: TrainingConfig,
) -> list[tuple[float, int]]:
    """Label-smoothed NLL and tokens of all captions of each of B clips.

    The first captions of all clips go together, then the second: logits of all at once would take
    gigabytes.
    """
    config = model.decoder.config
    cross = model.decoder.read_memory(memory.memory, memory.lengths)
    sums, tokens = torch.zeros(len(memory)), torch.zeros(len(memory), dtype=torch.long)
    for column in zip_longest(*captions):
        ids = [tokenizer.encode(text or "") for text in column]
        labels = pad_labels(ids, config.eos_id, config.max_positions)
        labels[[text is None for text in column]] = IGNORE_ID
        labels = labels.to(model.device)
        inputs = decoder_inputs(labels, config.start_id, config.pad_id)
        nll = F.cross_entropy(
            model.decoder(inputs, cross).float().flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORE_ID,
            label_smoothing=training.label_smoothing,
            reduction="none",
        )
        sums += nll.view_as(labels).sum(dim=1).cpu()
        tokens += (labels != IGNORE_ID).sum(dim=1).cpu()
    return list(zip(sums.tolist(), tokens.tolist(), strict=True))


def _captions(
    model: AudioCaptioner,
    memory: AudioMemory,
    rows: Sequence[int],
    tokenizer: CaptionTokenizer,
    embedder: TextEmbedder | None,
    decoding: DecodeOptions,
) -> dict[int, str]:
    """The caption of each of ``rows``; only samples are worth embedding every candidate."""
    if not rows:
        return {}
    some = AudioMemory(*(getattr(memory, f.name)[list(rows)] for f in fields(memory)))
    reranker = embedder if decoding.method == "nucleus" else None
    voice = Voice("", model.decoder, tokenizer, reranker)
    found = find_candidates([voice], [some], decoding)
    return {row: choose(clip).text for row, clip in zip(rows, found, strict=True)}
