"""Validation on clips that are not trained on: losses, retrieval, captions scored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, zip_longest
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.decoding.candidates import find_candidates
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions
from auricle.decoding.rerank import choose
from auricle.errors import DataError
from auricle.metrics.bootstrap import Interval, bootstrap, proportion
from auricle.metrics.cider import cider_d_simple
from auricle.metrics.retrieval import hits, retrieval_ranks
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.teacher_forcing import IGNORE_ID, decoder_inputs
from auricle.text.embedder import TextEmbedder
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import pad_labels
from auricle.training.config import TrainingConfig, ValidationConfig
from auricle.training.inputs import Embed
from auricle.training.objective import info_nce, listen
from auricle.training.paired_batches import ValidationBatch

RECALL_AT = (1, 10)


@dataclass(frozen=True)
class ClipCaption:
    """A clip's caption by the model, and those by people; ``index``: its place in the manifests."""

    index: int
    id: str
    audio: Path
    caption: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Validation:
    """Measurements over ``clips`` clips.

    Attributes:
        losses: "nll" (label-smoothed, per token of every caption), "info_nce" and their weighted
            sum "loss", as in training and without dropout.
        recall: "audio_to_text_r1" and so on, from 0 to 1 (see `auricle.metrics.retrieval`).
        captions: of the clips that were captioned, in the order of the manifests.
        cider_d: of those captions; None if there are fewer than two.
        intervals: value and 95 % interval of "nll", "accuracy", each recall and "cider_d".
        accuracy: of the next token: the share of the tokens of all captions, end tokens included,
            that are the most probable ones after the true tokens before them, from 0 to 1.
    """

    clips: int
    losses: dict[str, float]
    recall: dict[str, float] = field(default_factory=dict)
    captions: tuple[ClipCaption, ...] = ()
    cider_d: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)
    accuracy: float | None = None

    def values(self) -> dict[str, float]:
        """The measured values that `ValidationConfig.monitor` may name."""
        found = dict(self.losses)
        if self.accuracy is not None:
            found["accuracy"] = self.accuracy
        if self.recall:
            found["recall"] = self.recall["audio_to_text_r1"]
        if self.cider_d is not None:
            found["cider_d"] = self.cider_d
        return found


@dataclass(frozen=True)
class ClipMeasures:
    """Measurements of one clip.

    Attributes:
        index: its place in the manifests.
        nll: label-smoothed, summed over the ``tokens`` of all captions; ``right`` of them are the
            most probable ones.
        embedding: [E] float32.
        said: the model's caption, if it was asked for one.
    """

    index: int
    id: str
    audio: Path
    captions: tuple[str, ...]
    nll: float
    right: int
    tokens: int
    embedding: Tensor
    said: str | None


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
    clips: list[ClipMeasures] = []
    try:
        model.eval()
        with torch.random.fork_rng(gpus), torch.no_grad():
            for batch in batches:
                batch = batch.to(model.device)
                memory = listen(model, batch.audio, batch.lengths)
                told = _forced(model, memory, batch.captions, tokenizer, training)
                rows = [row for row, index in enumerate(batch.indices) if index < captioned]
                said = _captions(model, memory, rows, tokenizer, embedder, decoding)
                clips += _clips(batch, memory, told, said)
    finally:
        model.train(was_training)
    if not clips:
        raise DataError("no validation clip could be read; check data.validation with --dry-run")
    return _measure(sorted(clips, key=lambda clip: clip.index), embed, training)


def _clips(
    batch: ValidationBatch,
    memory: AudioMemory,
    told: Sequence[tuple[float, int, int]],
    said: Mapping[int, str],
) -> Iterator[ClipMeasures]:
    embeddings = memory.embedding.float().cpu()
    for row, index in enumerate(batch.indices):
        about = index, batch.ids[row], batch.paths[row], batch.captions[row]
        yield ClipMeasures(*about, *told[row], embeddings[row], said.get(row))


def _forced(
    model: AudioCaptioner,
    memory: AudioMemory,
    captions: Sequence[Sequence[str]],
    tokenizer: CaptionTokenizer,
    training: TrainingConfig,
) -> list[tuple[float, int, int]]:
    """Teacher forcing of all captions of each of B clips: label-smoothed NLL, tokens that are the
    most probable ones, and tokens.

    The first captions of all clips go together, then the second: logits of all at once would take
    gigabytes.
    """
    config = model.decoder.config
    cross = model.decoder.read_memory(memory.memory, memory.lengths)
    sums, right, tokens = torch.zeros(len(memory)), *torch.zeros(2, len(memory), dtype=torch.long)
    for column in zip_longest(*captions):
        ids = [tokenizer.encode(text or "") for text in column]
        labels = pad_labels(ids, config.eos_id, config.max_positions)
        labels[[text is None for text in column]] = IGNORE_ID
        labels = labels.to(model.device)
        inputs = decoder_inputs(labels, config.start_id, config.pad_id)
        logits = model.decoder(inputs, cross).float()
        nll = F.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORE_ID,
            label_smoothing=training.label_smoothing,
            reduction="none",
        )
        sums += nll.view_as(labels).sum(dim=1).cpu()
        right += (logits.argmax(dim=-1) == labels).sum(dim=1).cpu()
        tokens += (labels != IGNORE_ID).sum(dim=1).cpu()
    return list(zip(sums.tolist(), right.tolist(), tokens.tolist(), strict=True))


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
    some = memory[list(rows)]
    reranker = embedder if decoding.method == "nucleus" else None
    scorer = Scorer("", model.decoder, tokenizer, reranker)
    found = find_candidates([scorer], [some], decoding)
    return {row: choose(clip).text for row, clip in zip(rows, found, strict=True)}


def _measure(
    clips: Sequence[ClipMeasures], embed: Embed | None, training: TrainingConfig
) -> Validation:
    """Everything that `Validation` holds, of at least one clip.

    InfoNCE's negatives are, as in training, the clips of a batch of ``training.batch_size``, drawn
    once and for all; each clip stands there with its first caption. ``embed`` may be None, which
    leaves out InfoNCE and retrieval.
    """
    tokens = [clip.tokens for clip in clips]
    intervals = {
        "nll": bootstrap([clip.nll / clip.tokens for clip in clips], tokens),
        "accuracy": bootstrap([clip.right / clip.tokens for clip in clips], tokens),
    }
    losses = {"nll": intervals["nll"].value}
    if embed is not None:
        text = embed([text for clip in clips for text in clip.captions]).float().cpu()
        audio = torch.stack([clip.embedding for clip in clips])
        firsts = [0, *accumulate(len(clip.captions) for clip in clips[:-1])]
        losses["info_nce"] = _info_nce(audio, text[firsts], training)
        intervals |= _recalls(audio, text, [len(clip.captions) for clip in clips])
    weights = {"nll": training.nll_weight, "info_nce": training.info_nce_weight}
    losses["loss"] = sum(weights[name] * value for name, value in losses.items())
    said = [
        ClipCaption(c.index, c.id, c.audio, c.said, c.captions) for c in clips if c.said is not None
    ]
    if len(said) > 1:  # one clip alone scores 0, whatever is said of it
        _, scores = cider_d_simple([c.caption for c in said], [c.references for c in said])
        intervals["cider_d"] = bootstrap(scores)
    values = {name: interval.value for name, interval in intervals.items()}
    return Validation(
        clips=len(clips),
        losses=losses,
        recall={name: value for name, value in values.items() if "_to_" in name},
        captions=tuple(said),
        cider_d=values.get("cider_d"),
        intervals=intervals,
        accuracy=values["accuracy"],
    )


def _info_nce(audio: Tensor, text: Tensor, training: TrainingConfig) -> float:
    """The mean over batches of clips drawn once; what does not fill one is left out."""
    order = np.random.default_rng(0).permutation(len(audio))
    size = min(training.batch_size, len(order))
    whole = torch.from_numpy(order[: len(order) // size * size]).view(-1, size)
    values = [info_nce(audio[rows], text[rows], training.temperature) for rows in whole]
    return torch.stack(values).mean().item()


def _recalls(audio: Tensor, text: Tensor, counts: Sequence[int]) -> dict[str, Interval]:
    """Recall with its interval, in which a clip's captions count as alike."""
    owner = torch.arange(len(audio)).repeat_interleave(torch.tensor(counts))
    ranks = retrieval_ranks(audio, text, owner)
    found = {}
    for k in RECALL_AT:
        found[f"audio_to_text_r{k}"] = proportion(hits(ranks["audio_to_text"], k).numpy())
        per_clip = hits(ranks["text_to_audio"], k).split(list(counts))
        found[f"text_to_audio_r{k}"] = proportion([c.mean().item() for c in per_clip], counts)
    return found
