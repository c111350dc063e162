"""Spaces in which sounds and captions lie: that of a model folder, or that of a CLAP checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from auricle.errors import AudioError

if TYPE_CHECKING:
    from torch import Tensor

    from auricle.data.clip import Clip, Mix
    from auricle.decoding.hypothesis import Scorer
    from auricle.model.captioner import AudioCaptioner
    from auricle.pipeline import Captioner

MODEL = "tiny"
CLAP = "laion/clap-htsat-unfused"

Sound: TypeAlias = "tuple[str, float | None, float | None, Mix | None]"


def sound_of(clip: Clip) -> Sound:
    """The sound of a clip as a key: equal for clips that sound the same."""
    return str(clip.audio), clip.start_s, clip.end_s, clip.mix


class Space(ABC):
    """Cosines between captions and sounds. ``name`` is part of the names of scores made with it."""

    name: str

    @abstractmethod
    def texts(self, captions: Sequence[str]) -> Tensor:
        """N captions -> unit vectors [N, E], float32."""

    @abstractmethod
    def new_sounds(self, clips: Sequence[Clip]) -> list[Tensor | AudioError]:
        """Unit vectors [E] of clips, or why one cannot be heard."""

    def __init__(self, name: str, known: Mapping[Sound, Tensor] | None = None) -> None:
        """``known``: unit vectors of sounds that were heard before."""
        self.name, self._known = name, dict(known or {})

    def sounds(self, clips: Sequence[Clip]) -> Tensor:
        """N clips -> unit vectors [N, E], float32; each sound is heard once.

        Raises:
            AudioError: some cannot be heard; says how many, and why the first cannot.
        """
        import torch

        new = {sound_of(c): c for c in clips if sound_of(c) not in self._known}
        failed = []
        for sound, found in zip(new, self.new_sounds(list(new.values())), strict=True):
            if isinstance(found, AudioError):
                failed.append(found)
            else:
                self._known[sound] = found
        if failed:
            raise AudioError(
                f"{len(failed)} of {len(clips)} recordings cannot be heard: {failed[0]}"
            )
        return torch.stack([self._known[sound_of(clip)] for clip in clips])


class ModelSpace(Space):
    """The space of a model's audio embeddings and the text embedder that it was trained against; of
    an ensemble, that in which cosines are the members' weighted means."""

    def __init__(
        self,
        name: str,
        models: Sequence[AudioCaptioner],
        scorers: Sequence[Scorer],
        known: Mapping[Sound, Tensor] | None = None,
    ) -> None:
        super().__init__(name, known)
        self.models, self.scorers = models, scorers

    @classmethod
    def load(cls, name: str, device: str = "cpu") -> ModelSpace:
        """Raises ModelError: no such model, or its text embedder cannot be had."""
        from auricle.hub.ensemble import load_model

        found = load_model(name, device)
        return cls(found.name, found.models, found.scorers())

    @classmethod
    def of(cls, captioner: Captioner, known: Mapping[Sound, Tensor]) -> ModelSpace:
        """The space of a model that has captioned the clips and so has heard them."""
        return cls(captioner.ensemble.name, captioner.models, captioner.scorers, known)

    def texts(self, captions: Sequence[str]) -> Tensor:
        from auricle.decoding.joint_space import text_vectors

        return text_vectors(self.scorers, captions)

    def new_sounds(self, clips: Sequence[Clip]) -> list[Tensor | AudioError]:
        from auricle.decoding.joint_space import sound_vectors
        from auricle.hearing import hear

        heard = hear(self.models, clips)
        return [h.error or sound_vectors(self.scorers, h.memories)[0] for h in heard]


@dataclass(frozen=True, eq=False)
class Grounding:
    """The recordings of N clips, and the spaces in which captions are compared with them.

    Attributes:
        recordings: None where there is none.
        model: of `ModelSpace`, by name or folder, where ``space`` is not given.
        clap: a CLAP checkpoint by name or folder; given, it is also that of the MACE-like score.
    """

    recordings: tuple[Clip | None, ...]
    model: str = MODEL
    clap: str | None = None
    space: Space | None = None
