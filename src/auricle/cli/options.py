"""Options that several commands take: the model, and how captions are found."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

FROM_MODEL = "the model's own"


class Decode(StrEnum):
    nucleus = "nucleus"
    beam = "beam"
    diverse_beam = "diverse-beam"
    greedy = "greedy"


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(StrEnum):
    auto = "auto"
    float32 = "float32"
    bf16 = "bf16"
    fp16 = "fp16"
    int8 = "int8"


def positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not above 0.")
    return value


def probability(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter(f"{value} is not in the range 0<x<=1.")
    return value


ModelName = Annotated[str, typer.Option(metavar="NAME|FOLDER", help="See `auricle models list`.")]
DecodeMethod = Annotated[
    Decode | None, typer.Option(help="How captions are found.", show_default=FROM_MODEL)
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
        help="Of nucleus sampling, above 0.",
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
        help="Nucleus: most tokens kept; 0 keeps all.",
        show_default=FROM_MODEL,
    ),
]
MinLength = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, help="Tokens, the start counted.", show_default=FROM_MODEL),
]
MaxLength = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=2, help="Tokens, start and end counted.", show_default=FROM_MODEL
    ),
]
NoRepeat = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="No N tokens in a row come twice; 0 allows it.",
        show_default=FROM_MODEL,
    ),
]
Forbidden = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD", help="A word that no caption holds; repeat for more."),
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="The same seed, the same captions.")]
DeviceName = Annotated[Device, typer.Option(help="Where to compute.")]
PrecisionName = Annotated[
    Precision, typer.Option(help="Of the arithmetic; auto picks the fastest that is sound here.")
]
BatchSize = Annotated[int, typer.Option(metavar="N", min=1, help="Recordings per pass.")]
