"""Ensembles: models that caption together. A single model is an ensemble of one.

The folder of one model is a model folder (see `auricle.hub.folder`); the folder of several holds

config.json         format, pool, decoding; each member's name and weights
members/<name>/     a model folder each
README.md           the card
calibration.json    of confidence, if it was calibrated
tuning.json         the fit of the weights, if they were tuned (see `auricle.tuning.ensemble`)
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import torch

from auricle.decoding.candidates import Pool
from auricle.decoding.confidence import Calibration, load_calibration, save_calibration
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions, with_method
from auricle.errors import ModelError
from auricle.fetch.names import BUNDLED, resolve
from auricle.hub.folder import (
    ENSEMBLE_FORMAT,
    Bundle,
    EmbedderSpec,
    load_bundle,
    load_embedder,
    read_config,
    read_text,
    save_bundle,
    write_config,
)
from auricle.markdown import escape, table
from auricle.model.captioner import AudioCaptioner
from auricle.schema import Range, build, check
from auricle.text.embedder import TextEmbedder

MEMBERS = "members"

ENSEMBLE_CARD = """---
library_name: auricle
pipeline_tag: audio-text-to-text
tags: [audio-captioning, ensemble]
---

# {name}

An ensemble of {count} audio captioning models: together they describe the sounds of a recording in
one sentence.

```python
import auricle

auricle.load("path/to/this/folder").caption("recording.wav")
```

{members}
{pool}

{measured}

The cards of the members, in `members/`, state their training data and licences. The models are
combined as in Wu et al., ICASSP 2024 (arXiv 2309.17352).
"""

POOLS = {
    "candidates": "Every member proposes captions and scores those of all; a caption's likelihood "
    "and similarity are the members' averages, weighted by these shares.",
    "tokens": "The members choose every token together, from the average of their probabilities; "
    "the similarity of sound and caption is the members' average, weighted by these shares.",
}


@dataclass(frozen=True)
class Member:
    """A model's name in its ensemble, and its weights in the averages."""

    name: Annotated[str, Range(1, 200)]
    likelihood_weight: Annotated[float, Range(0, 1e6)] = 1.0
    similarity_weight: Annotated[float, Range(0, 1e6)] = 1.0

    def __post_init__(self) -> None:
        folder_name = bool(re.fullmatch(r"[\w.-]+", self.name)) and self.name.strip(".") != ""
        rules = {
            "name": (folder_name, "letters, digits and .-_ only, because it names a folder"),
            "likelihood_weight": (0 <= self.likelihood_weight < float("inf"), "0 or more"),
            "similarity_weight": (0 <= self.similarity_weight < float("inf"), "0 or more"),
        }
        check(self, rules)


@dataclass(frozen=True)
class EnsembleConfig:
    """The config.json of an ensemble.

    Attributes:
        pool: "candidates": every member searches, and every member scores all candidates;
            likelihood and similarity are averaged. "tokens": one search under the average of the
            members' token probabilities, by their likelihood weights; similarity is averaged.
        decoding: the settings of every search.

    Raises:
        ValueError: a value is out of range.
    """

    members: Annotated[tuple[Member, ...], Range(0, 100)]
    pool: Pool = "candidates"
    decoding: DecodeOptions = field(default_factory=DecodeOptions)
    format: Literal["auricle-ensemble-1"] = ENSEMBLE_FORMAT

    def __post_init__(self) -> None:
        check(self)
        names = [member.name for member in self.members]
        if not names:
            raise ValueError("0 members: an ensemble has two or more, a model alone is one")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two members are called {min(twice)!r}: give each its own name")
        for kind in ("likelihood_weight", "similarity_weight"):
            if not sum(getattr(member, kind) for member in self.members) > 0:
                raise ValueError(f"every {kind} is 0: one at least must be above 0")


@dataclass(frozen=True)
class Ensemble:
    """Models that caption together, or a single model; equal encoders are one object.

    Raises:
        ModelError: a model has no tokenizer, or members do not fit together; names them.
    """

    name: str
    config: EnsembleConfig
    bundles: tuple[Bundle, ...]
    card: str = ""
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        names = [member.name for member in self.config.members]
        assert len(names) == len(self.bundles)
        rates = [bundle.model.encoder.sample_rate_hz for bundle in self.bundles]
        for name, rate in zip(names, rates, strict=True):
            if rate != rates[0]:
                raise ModelError(
                    f"{self.name}: member {names[0]} hears {rates[0]} Hz and {name} {rate} Hz; "
                    "members of an ensemble hear the same sample rate"
                )
        for bundle in self.bundles:
            if bundle.tokenizer is None:
                raise ModelError(
                    f"{bundle.name}: the model folder has no tokenizer.json; put the tokenizer it "
                    "was trained with there (facebook/bart-base's for the published architecture)"
                )
            tokens = bundle.model.config.decoder.vocab_size
            if bundle.tokenizer.last_id >= tokens:
                raise ModelError(
                    f"{bundle.name}: its tokenizer has ids up to {bundle.tokenizer.last_id:,}, its "
                    f"decoder {tokens:,} tokens; put the tokenizer it was trained with there"
                )
        if self.config.pool == "tokens":
            for name, bundle in zip(names, self.bundles, strict=True):
                if _vocabulary(bundle) != _vocabulary(self.bundles[0]):
                    raise ModelError(
                        f"{self.name}: members {names[0]} and {name} have different tokenizers; "
                        "token probabilities average over one vocabulary: pool their candidates "
                        "instead (--pool candidates)"
                    )
        share_encoders(self.models)

    @classmethod
    def of(cls, bundle: Bundle) -> Ensemble:
        """The ensemble of a single model."""
        member = Member(member_names([bundle.name])[0])
        config = EnsembleConfig((member,), decoding=bundle.decoding)
        return cls(bundle.name, config, (bundle,), bundle.card, bundle.calibration)

    @property
    def models(self) -> tuple[AudioCaptioner, ...]:
        return tuple(bundle.model for bundle in self.bundles)

    @property
    def decoding(self) -> DecodeOptions:
        return self.config.decoding

    def with_decoding(self, options: DecodeOptions) -> Ensemble:
        """The ensemble with other decoding settings, and so without its calibration."""
        return replace(self, config=replace(self.config, decoding=options), calibration=None)

    def scorers(self) -> tuple[Scorer, ...]:
        """The members' scorers; members with the same text embedder share one object.

        Raises:
            ModelError: a text embedder cannot be loaded.
        """
        embedders: dict[EmbedderSpec, TextEmbedder] = {}
        found = []
        for member, bundle in zip(self.config.members, self.bundles, strict=True):
            spec = bundle.embedder
            if spec not in embedders:
                embedders[spec] = TextEmbedder(
                    spec.name, spec.prompt, bundle.model.device, bundle.folder
                )
            assert bundle.tokenizer is not None  # checked by __post_init__
            shares = (member.likelihood_weight, member.similarity_weight)
            scorer = Scorer(
                member.name, bundle.model.decoder, bundle.tokenizer, embedders[spec], *shares
            )
            found.append(scorer)
        return tuple(found)


def load_model(name: str | Path, device: str | torch.device = "cpu") -> Ensemble:
    """The model or ensemble called ``name`` (see `load_bundle`).

    Raises:
        ModelError: there is no such model, or its folder is not complete.
    """
    folder = resolve(name)
    found = read_config(folder)
    if found.get("format") != ENSEMBLE_FORMAT:
        return Ensemble.of(load_bundle(name, device))
    config = build(EnsembleConfig, found, str(folder / "config.json"))
    _check_several(config.members, folder)
    bundles = [load_member(folder, member, device) for member in config.members]
    return Ensemble(
        name=folder.name if folder.parent == BUNDLED else str(name),
        config=config,
        bundles=tuple(bundles),
        card=read_text(folder / "README.md"),
        calibration=load_calibration(folder),
    )


@dataclass(frozen=True)
class TextSide:
    """What of a member is needed to embed texts."""

    name: str
    embedder: TextEmbedder
    similarity_weight: float = 1.0


def load_text_sides(name: str | Path, device: str | torch.device = "cpu") -> tuple[TextSide, ...]:
    """The text embedders of the model or ensemble called ``name``, for
    `decoding.joint_space.text_vectors`, without its other weights.

    Raises ModelError, MissingDependencyError: as `load_model`.
    """
    folder = resolve(name)
    found = read_config(folder)
    if found.get("format") != ENSEMBLE_FORMAT:
        return (TextSide(str(name), load_embedder(name, device)),)
    config = build(EnsembleConfig, found, str(folder / "config.json"))
    places = [folder / MEMBERS / one.name for one in config.members]
    return tuple(
        TextSide(one.name, load_embedder(place, device), one.similarity_weight)
        for one, place in zip(config.members, places, strict=True)
    )


def load_member(folder: Path, member: Member, device: str | torch.device = "cpu") -> Bundle:
    place = folder / MEMBERS / member.name
    if not place.is_dir():
        raise ModelError(
            f"{folder}: member {member.name!r} is missing; {place} should be its model folder"
        )
    return load_bundle(place, device)


def assemble(
    name: str,
    models: Sequence[str | Path],
    pool: Pool = "candidates",
    device: str | torch.device = "cpu",
) -> Ensemble:
    """An ensemble of models by name or folder, with equal weights, that samples like the first.

    Raises:
        ModelError: a model cannot be loaded, is itself an ensemble, or does not fit the others.
    """
    _check_several(models, name)
    bundles = [load_bundle(model, device) for model in models]
    members = tuple(Member(member) for member in member_names(models))
    try:
        config = EnsembleConfig(members, pool, with_method(bundles[0].decoding, "nucleus"))
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error
    return Ensemble(name, config, tuple(bundles))


def push_ensemble(ensemble: Ensemble, repo_id: str, private: bool, token: str | None) -> str:
    """Upload the folder of `save_ensemble` to the Hugging Face Hub and return its address."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        save_ensemble(folder, ensemble)
        api.create_repo(repo_id, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo_id, folder_path=folder))


def save_ensemble(folder: str | Path, ensemble: Ensemble, dtype: torch.dtype | None = None) -> None:
    """Write the folder of a model, or of an ensemble with all its members; ``dtype`` as for
    `save_bundle`.

    Raises:
        ModelError: ``folder`` holds a single model, which an ensemble does not overwrite.
    """
    folder = Path(folder)
    if len(ensemble.bundles) == 1:
        about = {name: getattr(ensemble, name) for name in ("decoding", "card", "calibration")}
        save_bundle(folder, replace(ensemble.bundles[0], **about), dtype)
        return
    if read_config(folder).get("format", ENSEMBLE_FORMAT) != ENSEMBLE_FORMAT:
        raise ModelError(f"{folder}: holds a single model; give the ensemble a folder of its own")
    for member, bundle in zip(ensemble.config.members, ensemble.bundles, strict=True):
        save_bundle(folder / MEMBERS / member.name, bundle, dtype)
    write_config(folder, asdict(ensemble.config))
    if ensemble.calibration:
        save_calibration(folder, ensemble.calibration)
    card = ensemble.card or ensemble_card(ensemble.name, ensemble.config)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _check_several(members: Sequence[object], name: object) -> None:
    if len(members) < 2:
        raise ModelError(f"{name}: {len(members)} member(s): an ensemble has two or more")


def member_names(models: Iterable[str | Path]) -> list[str]:
    """A name for each model in an ensemble: the last part of its own name, made unique."""
    names: list[str] = []
    for model in models:
        stem = re.sub(r"[^\w.-]", "-", Path(model).resolve().name).strip(".") or "member"
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names


def share_encoders(models: Sequence[AudioCaptioner]) -> None:
    """Make models with equal encoders (configuration and weights) share one encoder object."""
    for index, model in enumerate(models):
        for other in models[:index]:
            if _equal_encoders(model, other):
                model.encoder = other.encoder
                break


def _equal_encoders(one: AudioCaptioner, other: AudioCaptioner) -> bool:
    if one.encoder is other.encoder:
        return True
    kinds = [(m.config.encoder, m.config.published_behaviour, m.device) for m in (one, other)]
    if kinds[0] != kinds[1]:
        return False
    ours, theirs = one.encoder.state_dict(), other.encoder.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def _vocabulary(bundle: Bundle) -> tuple[object, ...]:
    """The tokenizer and special ids; two models whose token ids agree have them equal."""
    decoder = bundle.model.config.decoder
    ids = (decoder.vocab_size, decoder.start_id, decoder.eos_id, decoder.pad_id)
    with tempfile.TemporaryDirectory() as folder:
        assert bundle.tokenizer is not None
        bundle.tokenizer.save(folder)
        return (Path(folder, "tokenizer.json").read_bytes(), *ids)


def ensemble_card(name: str, config: EnsembleConfig, measured: str = "") -> str:
    """The card of an ensemble; ``measured`` is Markdown."""
    totals = [
        sum(getattr(member, kind) for member in config.members)
        for kind in ("likelihood_weight", "similarity_weight")
    ]
    rows = [
        (
            member.name,
            f"{member.likelihood_weight / totals[0]:.2f}",
            f"{member.similarity_weight / totals[1]:.2f}",
        )
        for member in config.members
    ]
    return ENSEMBLE_CARD.format(
        name=escape(name),
        count=len(config.members),
        members=table(("member", "share of likelihood", "share of similarity"), rows),
        pool=POOLS[config.pool],
        measured=measured or "The ensemble has not been measured.",
    )
