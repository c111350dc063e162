"""Evaluation of a model: captions of the references' recordings, and retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.errors import AudioError, DataError
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.metrics.bootstrap import Sums
from auricle.metrics.registry import Measured
from auricle.metrics.scores import Score
from auricle.metrics.space import ModelSpace, Sound, sound_of
from auricle.watch import Watch
from auricle.writers import JsonLinesWriter

if TYPE_CHECKING:
    from torch import Tensor

    from auricle.data.clip import Clip
    from auricle.pipeline import Captioner
    from auricle.settings import Decoding

RECALL_AT = (1, 5, 10)
PRECISION_AT = 10  # mAP@10 ranks DCASE's language-based retrieval


@dataclass(frozen=True)
class ModelCaptions:
    """A model's captions of clips, by their ids; ``embeddings`` [E]: the members' audio embeddings
    of each clip, joined to one vector."""

    predictions: list[Prediction] = field(default_factory=list)
    embeddings: dict[str, Tensor] = field(default_factory=dict)

    def sounds(self, references: Sequence[Reference]) -> dict[Sound, Tensor]:
        """The embeddings by what was heard."""
        return {
            sound_of(clip.audio): self.embeddings[clip.id]
            for clip in references
            if clip.audio and clip.id in self.embeddings
        }


def caption_clips(
    captioner: Captioner,
    references: Sequence[Reference],
    output: Path,
    decoding: Decoding | None = None,
    *,
    batch_size: int = 8,
    watch: Watch | None = None,
) -> ModelCaptions:
    """The model's caption of each clip; clips whose recording cannot be read are noted.

    Args:
        output: JSON Lines, written caption by caption; the file of an interrupted run can be
            scored.
        decoding: the settings, by default the model's own.

    Raises:
        DataError: no clip has a recording, or ``output`` cannot be written.
    """
    if not any(reference.audio for reference in references):
        raise DataError(
            "the references name no recordings to caption; give a manifest, or the folder of the "
            "recordings with --audio"
        )
    from auricle.decoding.joint_space import sound_vectors

    watch, captions = watch or Watch(), ModelCaptions()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        file = output.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror})") from error
    with file, JsonLinesWriter(file) as writer:
        stream = captioner.stream(references, decoding, audio=_recording, batch_size=batch_size)
        for done, found in enumerate(stream, 1):
            clip = found.source.id
            if found.caption:
                writer.write(replace(found.caption, audio=clip))
                where = f"{output}:{len(captions.predictions) + 1}"
                caption = found.caption
                captions.predictions.append(
                    Prediction(clip, caption.caption, where, caption.candidates)
                )
                vectors = sound_vectors(captioner.scorers, found.heard.memories)
                captions.embeddings[clip] = vectors[0]
            else:
                watch.note(f"{clip}: {found.error}")
            watch.progress("captioning", done, len(references))
    return captions


def retrieval(
    captioner: Captioner, references: Sequence[Reference], embeddings: dict[str, Tensor]
) -> list[Measured]:
    """R@k and mAP@10 between recordings and the captions by people, from the model's embeddings.

    The captions of a clip stay together in resamples. In an ensemble, cosines are averaged by the
    members' weights.

    Args:
        embeddings: of the clips' recordings, from `caption_clips`.

    Raises:
        ModelError: the model's text embedder cannot be loaded.
    """
    import torch

    from auricle.metrics.retrieval import average_precisions, hits, retrieval_ranks

    texts = [text for reference in references for text in reference.captions]
    counts = [len(reference.captions) for reference in references]
    owner = torch.arange(len(references)).repeat_interleave(torch.tensor(counts))
    audio = torch.stack([embeddings[reference.id] for reference in references])
    text = ModelSpace.of(captioner, {}).texts(texts)
    ranks = retrieval_ranks(audio, text, owner)
    found = {
        **{f"R@{k}": {way: hits(r, k) for way, r in ranks.items()} for k in RECALL_AT},
        f"mAP@{PRECISION_AT}": average_precisions(audio, text, owner, PRECISION_AT),
    }
    return [
        _measured(f"{name}, {way.replace('_', ' ')}", values, counts, rate=name.startswith("R@"))
        for way in ranks
        for name, both in found.items()
        for values in [both[way]]
    ]


def _measured(name: str, values: Tensor, counts: Sequence[int], rate: bool = False) -> Measured:
    """Of one value per clip, or per caption, those of a clip averaged and weighted."""
    import numpy as np

    if len(values) == len(counts):
        items, weights = values.tolist(), None
    else:
        items = [own.mean().item() for own in values.split(list(counts))]
        weights = np.array(counts, dtype=np.float64)
    sums = Sums.share(items, weights) if rate else Sums.mean(items, weights)
    return Measured(Score(name, sums.value, tuple(items)), sums)


def _recording(reference: Reference) -> Clip:
    if reference.audio is None:
        raise AudioError("no recording")
    return reference.audio
