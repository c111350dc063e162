"""The model and the tokenizer that a run starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import torch

from auricle.errors import ModelError
from auricle.fetch.names import TOKENIZER_FILES
from auricle.hub.folder import load_bundle
from auricle.hub.published import BEATS_FILE, load_beats
from auricle.model.beats import Beats
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.model.yamnet import Yamnet
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.recipe import Recipe, start_bundle
from auricle.watch import Note

NO_ENCODER = (
    "encoder_weights: BEATs needs weights; give the path of a checkpoint (the published system "
    f"takes {BEATS_FILE}, see https://github.com/microsoft/unilm/tree/master/beats), "
    'or a model whose encoder is taken ("clotho"), or "random" for a test'
)


def initial_tokenizer(recipe: Recipe, captions: Iterable[str]) -> CaptionTokenizer:
    """The tokenizer of the model ``recipe`` starts from, the one it names, or one learned from
    ``captions``.

    Raises:
        ModelError: there is no such tokenizer; what to fetch.
    """
    config = recipe.tokenizer
    if config.vocab_size:
        return CaptionTokenizer.train(captions, config.vocab_size)
    if not config.name:
        tokenizer = start_bundle(recipe.start).tokenizer if recipe.start else None
        if tokenizer is None:
            raise ModelError(
                "tokenizer.name is empty and there is none to start from; name a folder or a "
                "repository, or give tokenizer.vocab_size to learn one"
            )
        return tokenizer
    if Path(config.name).is_dir():
        return CaptionTokenizer.load(config.name)
    from auricle.fetch.hub import download

    return CaptionTokenizer.load(download(config.name, TOKENIZER_FILES))


def with_tokens(config: CaptionerConfig, tokenizer: CaptionTokenizer) -> CaptionerConfig:
    """``config`` with the tokenizer's numbers; decoding starts with the end token, as BART's."""
    assert tokenizer.pad_id is not None
    assert tokenizer.eos_id is not None
    decoder = dataclasses.replace(
        config.decoder,
        vocab_size=tokenizer.vocab_size,
        pad_id=tokenizer.pad_id,
        eos_id=tokenizer.eos_id,
        start_id=tokenizer.eos_id,
    )
    return dataclasses.replace(config, decoder=decoder)


def initial_model(recipe: Recipe, tokenizer: CaptionTokenizer, note: Note) -> AudioCaptioner:
    """The recipe's architecture with its encoder's weights, and those of the model it starts from.

    Everything else is drawn from the recipe's seed. ``note`` is told what a start leaves untrained,
    and that BEATs is not the fine-tuned one where the recipe asks for it.

    Raises:
        ModelError: weights are missing or do not fit the recipe's architecture.
    """
    torch.manual_seed(recipe.training.seed)
    if recipe.start:
        model = AudioCaptioner(recipe.model)
        _copy_weights(start_bundle(recipe.start).model, model, recipe.start, note)
        return model
    config = with_tokens(recipe.model, tokenizer)
    encoder = _encoder(recipe, config, note)
    if encoder is not None:
        config = dataclasses.replace(config, encoder=encoder.config)
    model = AudioCaptioner(config)
    if encoder is not None:
        model.encoder = encoder.requires_grad_(False)
    return model


def _encoder(recipe: Recipe, config: CaptionerConfig, note: Note) -> Beats | Yamnet | None:
    """The trained encoder, or None for one with random weights."""
    name = recipe.encoder_weights
    if isinstance(config.encoder, YamnetConfig):
        from auricle.fetch.yamnet_wheel import yamnet_weights

        return Yamnet.from_safetensors(yamnet_weights(), config.encoder)
    if not name:
        raise ModelError(NO_ENCODER)
    if name == "random":
        return None
    if Path(name).is_file():

        def mismatched(line: str) -> None:
            if recipe.finetuned_encoder:
                note(f"{line}; if this one is meant, finetuned_encoder=false silences this note")

        return load_beats(name, config.encoder.output_layer, mismatched)
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise ModelError(f"{name}: no such file; {NO_ENCODER}")
    encoder = load_bundle(name).model.encoder
    if not isinstance(encoder, Beats):
        raise ModelError(f"encoder_weights: the encoder of {name} is not BEATs; {NO_ENCODER}")
    return encoder


def _copy_weights(start: AudioCaptioner, model: AudioCaptioner, name: str, note: Note) -> None:
    theirs, ours = start.state_dict(), model.state_dict()
    unfit = [k for k in theirs if k in ours and theirs[k].shape != ours[k].shape]
    if unfit:
        key = unfit[0]
        raise ModelError(
            f"start {name}: {key} has shape {list(theirs[key].shape)}, the recipe makes it "
            f"{list(ours[key].shape)}; leave out of [model] and [tokenizer] what changes shapes"
        )
    missing = [key for key in ours if key not in theirs]
    if missing:
        note(f"{len(missing)} tensors are not in {name} and start untrained: {missing[0]} …")
    if dropped := [key for key in theirs if key not in ours]:
        note(f"{len(dropped)} tensors of {name} are not used: {dropped[0]} …")
    model.load_state_dict({k: v for k, v in theirs.items() if k in ours}, strict=False)
