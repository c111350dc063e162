"""Options of several commands, and the dataclasses that options become."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from auricle.cli.console import say
from auricle.fetch.offline import go_offline
from auricle.processors import share
from auricle.schema import SEEDS

if TYPE_CHECKING:
    from auricle.pipeline import Captioner
    from auricle.settings import Decoding

FROM_MODEL = "the model's own"


class Decode(StrEnum):
    nucleus = "nucleus"
    beam = "beam"
    diverse_beam = "diverse-beam"
    greedy = "greedy"


class Fluency(StrEnum):
    own = "own"
    fense_base = "fense-base"
    fense_tiny = "fense-tiny"
    off = "off"


class Precision(StrEnum):
    auto = "auto"
    float32 = "float32"
    bf16 = "bf16"
    fp16 = "fp16"
    int8 = "int8"


class ScoreFormat(StrEnum):
    table = "table"
    json = "json"
    markdown = "markdown"


def positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not above 0.")
    return value


def probability(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter(f"{value} is not in the range 0<x<=1.")
    return value


def seed_value(value: int) -> int:
    if value not in SEEDS:
        raise typer.BadParameter(f"{value} is not {SEEDS}.")
    return value


def use_threads(value: int | None) -> int | None:
    if value:
        share(value)
    return value


def device_name(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise typer.BadParameter(f"{value!r} is none of auto, cpu, cuda, cuda:1 and mps.")
    return value


def model_names(begun: str) -> list[str]:
    """Completions of a model's name; shells add folders themselves."""
    from auricle.fetch.names import ALIASES, bundled_models

    return [name for name in (*bundled_models(), *ALIASES) if name.startswith(begun)]


def recipe_completions(begun: str) -> list[str]:
    """Completions of a recipe's name."""
    from auricle.recipes import recipe_names

    return [name for name in recipe_names() if name.startswith(begun)]


def _stay_offline(value: bool) -> bool:
    if value:
        go_offline()
    return value


# A model, and its decoding

ModelName = Annotated[
    str,
    typer.Option(
        metavar="NAME|FOLDER", help="See `auricle models list`.", autocompletion=model_names
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", callback=_stay_offline, help="Use no network, and say what is missing."
    ),
]
DecodeMethod = Annotated[
    Decode | None,
    typer.Option("--decode", help="Decoding method.", show_default=FROM_MODEL),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Samples, or beams, per recording.", show_default=FROM_MODEL
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        metavar="T",
        callback=positive,
        help="Nucleus: temperature, above 0.",
        show_default=FROM_MODEL,
    ),
]
TopP = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        callback=probability,
        help="Nucleus: probability kept.",
        show_default=FROM_MODEL,
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        min=0,
        help="Nucleus: number of tokens kept; 0 keeps all.",
        show_default=FROM_MODEL,
    ),
]
MinLength = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="Tokens, with the start.", show_default=FROM_MODEL),
]
MaxLength = Annotated[
    int | None,
    typer.Option(metavar="N", min=2, help="Tokens, with start and end.", show_default=FROM_MODEL),
]
NoRepeat = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="No N tokens in a row repeat; 0 allows it.",
        show_default=FROM_MODEL,
    ),
]
Forbidden = Annotated[
    list[str] | None,
    typer.Option("--forbid", metavar="WORD", help="A word that no caption holds; repeat for more."),
]
FluencyFilter = Annotated[
    Fluency | None,
    typer.Option(
        "--fluency",
        help="The detector that a caption must pass; off judges none.",
        show_default=FROM_MODEL,
    ),
]
Seed = Annotated[
    int,
    typer.Option(metavar="N", min=0, callback=seed_value, help="The same seed, the same captions."),
]
DeviceName = Annotated[
    str,
    typer.Option(metavar="<auto|cpu|cuda|mps>", callback=device_name, help="Where to compute."),
]
PrecisionName = Annotated[
    Precision, typer.Option(help="Number format; auto picks the fastest reliable one.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        callback=use_threads,
        help="Processors to compute on.",
        show_default="those that this process may use",
    ),
]
BatchSize = Annotated[
    int, typer.Option(metavar="N", min=1, max=10_000, help="Recordings per pass.")
]

# Clips with captions for a fit
ValidationData = Annotated[
    Path, typer.Option(metavar="VAL.jsonl", help="Manifest of clips with captions; any split.")
]
FitMetric = Annotated[
    str, typer.Option(metavar="NAME", help="What to maximise: cider_d or similarity.")
]
Folds = Annotated[int, typer.Option(metavar="N", min=2, help="Folds of cross-validation.")]
FitSeed = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, callback=seed_value, help="Seed of samples, folds and intervals."
    ),
]
FitCandidates = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Samples per clip.", show_default=FROM_MODEL),
]

# A training run
RecipeFile = Annotated[
    Path,
    typer.Argument(
        metavar="RECIPE",
        help="A TOML file, or a name of `auricle recipes list`.",
        autocompletion=recipe_completions,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CHANGE]...",
        help="Changed values, such as training.epochs=5, or further recipes.",
        autocompletion=recipe_completions,
    ),
]

# References, and the display of scores
ReferenceData = Annotated[
    Path,
    typer.Option(
        "--references", metavar="DATA", help="A manifest, or the CSV of Clotho or AudioCaps."
    ),
]
ReferenceSplit = Annotated[
    str | None, typer.Option(metavar="NAME", help="Use only the clips of this split of a manifest.")
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metrics",
        metavar="NAME",
        help="bleu, rouge-l, meteor, cider-d, spice, spider, spider-fl, spider-max, sbert, fense,"
        " fluency, statistics, self-similarity, which all stands for; audio-sim, clap-sim and"
        " mace-like, which hear the recordings; clair-a, which asks a language model. Several by"
        " commas or by giving it again.",
        show_default="all",
    ),
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Score the clips that match, and name the others."),
]

DropBlank = Annotated[
    bool,
    typer.Option("--drop-blank", help="Leave out empty captions, each named, which else score 0."),
]


@dataclass(frozen=True)
class DecodingChoices:
    """Decoding settings from the command line; None keeps the model's setting."""

    method: DecodeMethod = None
    candidates: Candidates = None
    temperature: Temperature = None
    top_p: TopP = None
    top_k: TopK = None
    min_length: MinLength = None
    max_length: MaxLength = None
    no_repeat_ngram: NoRepeat = None
    forbidden_words: Forbidden = None
    fluency: FluencyFilter = None

    @property
    def settings(self) -> dict[str, Any]:
        """The choices as arguments of `Captioner.decoding`, in plain values."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        method = given.pop("method")
        return given | {
            "decode": method and method.value,
            "fluency": self.fluency and self.fluency.value,
            "forbidden_words": tuple(self.forbidden_words or ()) or None,
        }

    def decoding(
        self,
        captioner: Captioner,
        *,
        seed: int = 0,
        every_term: bool = False,
        min_confidence: float = 0.0,
        default: str | None = None,
    ) -> Decoding:
        """The captioner's settings with these choices; ``default``: the method without a choice."""
        given = self.settings
        try:
            return captioner.decoding(
                given.pop("decode") or default,
                seed=seed,
                every_term=every_term,
                min_confidence=min_confidence,
                **given,
            )
        except ValueError as error:  # settings that do not fit together
            raise typer.BadParameter(f"{error}.") from error


def say_unused(context: typer.Context, reader: str, names: Collection[str]) -> None:
    """Name the options that the user gave, although ``reader`` does not read them; ``names``: the
    parameters that it does not read."""
    given = [
        one.opts[0]
        for one in context.command.params
        if one.name in names and _is_given(context, one.name)
    ]
    if given:
        say("note", f"{reader} does not use {', '.join(given)}")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` for typer: a parameter that is a dataclass of options, such as `DecodingChoices`,
    becomes single options on the command line."""
    hints = get_type_hints(command, include_extras=True)
    groups = {n: kind for n, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for one in inspect.signature(command).parameters.values():
        one = one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[one.name])
        if kind := groups.get(one.name):
            types = get_type_hints(kind, include_extras=True)
            parameters += [
                one.replace(name=field.name, default=field.default, annotation=types[field.name])
                for field in fields(kind)
            ]
        else:
            parameters.append(one)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    run.__dict__["__signature__"] = inspect.Signature(parameters)
    return run
