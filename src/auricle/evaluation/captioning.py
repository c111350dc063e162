"""A model in the place of a file: captions of the references' recordings, and retrieval by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.data.clip import load_clip
from auricle.errors import AudioError, DataError
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.metrics.bootstrap import Sums
from auricle.metrics.registry import Measured
from auricle.metrics.scores import Score
from auricle.writers import JsonLinesWriter

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from auricle.pipeline import Captioner

OnError = Callable[[str, str], None]  # a clip's id, why it was not heard
Progress = Callable[[int, int], None]  # clips heard, of how many
RECALL_AT = (1, 5, 10)
PRECISION_AT = 10  # mAP@10 is what DCASE's language-based retrieval is ranked by


def caption_clips(
    captioner: Captioner,
    references: Sequence[Reference],
    output: Path,
    on_error: OnError | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> list[Prediction]:
    """The model's caption of each clip whose recording can be heard, under the clip's id.

    Args:
        references: clips; one without a recording that can be read goes to ``on_error``.
        output: JSON Lines, written as the captions come; what a run leaves can be scored.
        settings: of `Captioner.stream`.

    Raises:
        DataError: no clip has a recording, or ``output`` cannot be written.
    """
    if not any(reference.audio for reference in references):
        raise DataError(
            "the references name no recordings to caption; give a manifest, or the folder of the "
            "recordings with --audio"
        )
    heard: list[Reference] = []
    found: list[Prediction] = []

    def waveforms() -> Iterator[np.ndarray]:
        for reference, waveform in _sounds(captioner, references, on_error):
            heard.append(reference)
            yield waveform

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        file = output.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror})") from error
    with file, JsonLinesWriter(file) as writer:
        for caption in captioner.stream(waveforms(), **settings):
            clip = heard[len(found)].id
            writer.write(replace(caption, audio=clip))
            where = f"{output}:{len(found) + 1}"
            found.append(Prediction(clip, caption.caption, where, caption.candidates))
            if progress:
                progress(len(found), len(references))
    return found


def retrieval(
    captioner: Captioner, references: Sequence[Reference], batch_size: int = 8
) -> list[Measured]:
    """R@k and mAP@10 between recordings and the captions by people, from the model's embeddings.

    The captions of a clip stay together when clips are drawn again. In an ensemble cosines are
    averaged by the members' weights.

    Raises:
        ModelError: the model's text embedder cannot be had.
    """
    import torch

    from auricle.decoding.ensemble import encode_together
    from auricle.metrics.retrieval import average_precisions, hits, retrieval_ranks

    heard, embeddings = [], []
    sounds = _sounds(captioner, references, None)
    with torch.inference_mode():
        while batch := list(islice(sounds, batch_size)):
            memories = encode_together(captioner.models, [waveform for _, waveform in batch])
            heard_by = zip(captioner.scorers, memories, strict=True)
            seen = [memory.embedding for scorer, memory in heard_by if scorer.embedder]
            embeddings.append(_joined(captioner, seen))
            heard += [reference for reference, _ in batch]
    texts = [text for reference in heard for text in reference.captions]
    embedded = [scorer.embedder.embed(texts) for scorer in captioner.scorers if scorer.embedder]
    counts = [len(reference.captions) for reference in heard]
    owner = torch.arange(len(heard)).repeat_interleave(torch.tensor(counts))
    audio, text = torch.cat(embeddings).cpu(), _joined(captioner, embedded).cpu()
    ranks = retrieval_ranks(audio, text, owner)
    found = {
        **{f"R@{k}": {way: hits(r, k) for way, r in ranks.items()} for k in RECALL_AT},
        f"mAP@{PRECISION_AT}": average_precisions(audio, text, owner, PRECISION_AT),
    }
    return [
        _measured(f"{name}, {way.replace('_', ' ')}", values, counts)
        for way in ranks
        for name, both in found.items()
        for values in [both[way]]
    ]


def _measured(name: str, values: Tensor, counts: Sequence[int]) -> Measured:
    """Of one value per clip, or per caption, those of a clip averaged and weighted."""
    import numpy as np

    if len(values) == len(counts):
        items, weights = values.tolist(), None
    else:
        items = [own.mean().item() for own in values.split(list(counts))]
        weights = np.array(counts, dtype=np.float64)
    sums = Sums.mean(items, weights)
    return Measured(Score(name, sums.value, tuple(items)), sums)


def _joined(captioner: Captioner, embeddings: Sequence[Tensor]) -> Tensor:
    """One vector for the scorers' several, whose cosines are the weighted mean of theirs."""
    import torch
    from torch.nn import functional as F

    weights = torch.tensor([v.similarity_weight for v in captioner.scorers if v.embedder])
    shares = (weights / weights.sum()).sqrt().tolist()
    unit = [F.normalize(embedding.float(), dim=-1) for embedding in embeddings]
    return torch.cat([s * rows for s, rows in zip(shares, unit, strict=True)], dim=-1)


def _sounds(
    captioner: Captioner, references: Sequence[Reference], on_error: OnError | None
) -> Iterator[tuple[Reference, np.ndarray]]:
    for reference in references:
        if reference.audio is None:
            if on_error:
                on_error(reference.id, "no recording")
            continue
        try:
            limit = captioner.max_duration_s
            yield reference, load_clip(reference.audio, captioner.sample_rate_hz, limit)
        except AudioError as error:
            if on_error:
                on_error(reference.id, str(error))
