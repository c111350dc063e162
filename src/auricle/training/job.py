"""A job: a recipe made ready, with all that a run asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from auricle.model.captioner import AudioCaptioner
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import Batches
from auricle.training.examples import Examples
from auricle.training.monitor import TrainingWatch
from auricle.training.precompute import Counts
from auricle.training.recipe import Recipe
from auricle.training.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

# Scope of a validation: losses and retrieval; captions of some clips by search as well; or, of
# the finished model, captions of all clips as the recipe decodes.
Scope = Literal["losses", "captions", "final"]


@dataclass(frozen=True)
class Outcome:
    """A finished run, as its model card tells of it.

    Attributes:
        command: the words that started it: recipe and changes, as they were given.
        steps: steps done.
        best_epoch: whose weights these are; None for the last ones.
        processes: that shared each batch.
        found: the final validation; None without validation clips.
    """

    command: tuple[str, ...]
    steps: int
    best_epoch: int | None = None
    processes: int = 1
    found: Validation | None = None


@dataclass(frozen=True)
class Job:
    """A model to be trained and its batches.

    Attributes:
        card: the model card, once the run is finished.
        credits: of what the model learned from, for its folder; "" where its card has them all.
        examples: the manifests' clips by use ("training", "validation"), where any are read.
        clips: a line that tells these training clips from others, "" where nothing need tell them:
            a run goes on with the clips it was begun with alone.
        validate: measures the model as it then is; None without validation clips.
        computed: what was put into the cache, by what it is of.
    """

    recipe: Recipe
    model: AudioCaptioner
    tokenizer: CaptionTokenizer
    data: Batches
    card: Callable[[Outcome], str]
    credits: str = ""
    examples: Mapping[str, Examples] = field(default_factory=dict)
    clips: str = ""
    validate: Callable[[Scope], Validation] | None = None
    computed: Mapping[str, Counts] = field(default_factory=dict)


class Prepare(Protocol):
    """Makes a recipe's job.

    With ``live`` nothing is computed ahead that batches can compute when they are asked for.
    """

    def __call__(
        self, recipe: Recipe, accelerator: Accelerator, watch: TrainingWatch, live: bool = False
    ) -> Job: ...
