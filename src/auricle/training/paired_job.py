"""The job of a recipe on manifests: clips, their features and caption embeddings, a model.

manifests ─► Examples ─► Inputs, embeddings ─► PairedBatches, validation ─► Job
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from auricle.data.clip import Clip
from auricle.data.keys import ContentKeys
from auricle.decoding.options import with_method
from auricle.errors import AudioError
from auricle.model.captioner import AudioCaptioner
from auricle.text.embedder import TextEmbedder
from auricle.text.fluency import fluency_filter
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.card import paired_card
from auricle.training.config import DataConfig
from auricle.training.examples import Examples
from auricle.training.initial import initial_model, initial_tokenizer
from auricle.training.inputs import Embed, Inputs, StoredEmbeddings, StoredFeatures, Waveforms
from auricle.training.job import Job, Scope
from auricle.training.monitor import UNWATCHED, TrainingWatch
from auricle.training.paired_batches import PairedBatches, iter_validation
from auricle.training.precompute import (
    Counts,
    embedding_store,
    feature_store,
    precompute_embeddings,
    precompute_features,
    weights_digest,
)
from auricle.training.preference import Preferences, StandIns, preferences
from auricle.training.processes import Share, from_all, main_first
from auricle.training.recipe import Recipe
from auricle.training.validation import Validation, validate
from auricle.watch import Note, Watch

if TYPE_CHECKING:
    from accelerate import Accelerator


def paired_job(
    recipe: Recipe,
    accelerator: Accelerator,
    watch: TrainingWatch = UNWATCHED,
    live: bool = False,
) -> Job:
    """Everything a run on manifests needs; what is cached is computed by all processes together.

    With ``live`` waveforms are read and captions embedded when a batch asks for them.

    Raises:
        AuricleError: a manifest, weights, an embedder or the tokenizer is missing or does not fit.
    """
    assert recipe.data is not None
    data = replace(recipe.data, features="computed") if live else recipe.data
    told = watch if accelerator.is_main_process else UNWATCHED
    examples = _read_examples(data, recipe.model.max_duration_s, told.note)
    training = examples["training"]
    tokenizer = initial_tokenizer(recipe, training.captions())
    model = initial_model(recipe, tokenizer, told.note).to(accelerator.device)
    inputs: dict[str, Inputs] = {}
    embed, computed = _embeddings(recipe, model, data.cache, examples, told, live)
    for name, part in examples.items():
        inputs[name], counts = inputs_of(data, model, part, told, name)
        computed |= counts
    with main_first():
        preferred = _preferences(recipe, model, tokenizer, training, inputs["training"], told, live)
    batches = PairedBatches(
        training,
        inputs["training"],
        tokenizer,
        embed,
        recipe.training,
        model.config.decoder.max_positions,
        data.bucket,
        accelerator.num_processes,
        preferred,
    )
    sources = {name: part.sources for name, part in examples.items()}
    job = Job(
        recipe,
        model,
        tokenizer,
        batches,
        card=partial(paired_card, recipe, model, sources),
        examples=examples,
        clips=f"{len(batches.heard)} clips, {training.digest}",
        computed=computed,
    )
    if "validation" not in examples:
        return job
    return replace(job, validate=_validator(job, inputs["validation"], embed, watch.note))


def inputs_of(
    data: DataConfig,
    model: AudioCaptioner,
    examples: Examples,
    watch: Watch,
    name: str = "training",
) -> tuple[Inputs, dict[str, Counts]]:
    """Waveforms, or features, of which the cache first gets what it lacks, by all processes of the
    run together; how many those are."""
    limit_s = model.config.max_duration_s
    if data.features == "computed":
        rate_hz = model.encoder.sample_rate_hz
        return Waveforms(examples, rate_hz, limit_s, data.mix_range_db), {}
    store = feature_store(model.config, weights_digest(model.encoder), data.cache)
    keys = ContentKeys(data.cache, data.mix_range_db)
    failed: list[Clip] = []
    stage, share = f"{name} features", Share.ours()
    counts = precompute_features(
        examples.turned(share.first(len(examples))),
        model.encoder,
        store,
        keys,
        max_duration_s=limit_s,
        share=share,
        stage=stage,
        progress=watch.progress,
        on_error=lambda clip, error: failed.append(clip),
    )
    if failed:
        watch.note(f"{len(failed)} clips cannot be decoded and are left out: {failed[0].id} …")
    counts = _of_all(counts, stage, watch.note)  # waits for what the others compute
    return StoredFeatures(examples, store, keys), {stage: counts}


def _of_all(counts: Counts, stage: str, note: Note) -> Counts:
    """What all processes have computed, once they have."""
    counts = Counts.of_all(from_all(counts))
    if counts.damaged:
        note(f"{stage}: {counts.damaged} arrays in the cache were damaged and are computed again")
    return counts


def _read_examples(data: DataConfig, limit_s: float, note: Note) -> dict[str, Examples]:
    """The training and the validation clips; skipped rows are counted in a note.

    Raises:
        DataError: a manifest is missing or has no row that can be used.
    """
    found = {"training": Examples.read(data.train, data.train_split, limit_s, data.min_words)}
    if data.validation:
        found["validation"] = Examples.read(data.validation, data.validation_split, limit_s)
    for name, examples in found.items():
        if examples.skipped:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in examples.skipped.most_common())
            note(f"{name}: {examples.skipped.total()} rows are skipped ({reasons})")
    return found


def _embeddings(
    recipe: Recipe,
    model: AudioCaptioner,
    cache: str,
    examples: Mapping[str, Examples],
    watch: Watch,
    live: bool,
) -> tuple[Embed, dict[str, Counts]]:
    """The text embedder if ``live``; else embeddings, of which ``cache`` first gets what it lacks,
    and how many those are."""
    embedder, share = _embedder(recipe, model), Share.ours()
    if live:
        return lambda captions: embedder.embed(captions).cpu(), {}
    width = model.config.embedding.dim
    store = embedding_store(embedder.name, embedder.prompt, width, cache)
    counts = {}
    for name, part in examples.items():
        stage = f"{name} captions"
        captions = part.turned(share.first(len(part))).captions()
        computed = precompute_embeddings(captions, embedder, store, stage, watch.progress, share)
        counts[stage] = _of_all(computed, stage, watch.note)
    return StoredEmbeddings(store), counts


def _preferences(
    recipe: Recipe,
    model: AudioCaptioner,
    tokenizer: CaptionTokenizer,
    examples: Examples,
    inputs: Inputs,
    watch: Watch,
    live: bool,
) -> Preferences | None:
    """The pairs that the recipe asks for, sampled before the run; stand-ins if ``live``."""
    config = recipe.training.preference
    if config is None or config.weight == 0:
        return None
    if live:
        return StandIns()
    return preferences(
        model,
        tokenizer,
        examples,
        inputs,
        recipe.training,
        recipe.decoding,
        recipe.folder,
        watch,
    )


def _validator(job: Job, inputs: Inputs, embed: Embed, note: Note) -> Callable[[Scope], Validation]:
    """Measures the job's model on its validation clips.

    While training, clips are captioned by search, which needs no text embedder. The fluency
    detector is loaded at once: a run should not end for want of it.
    """
    recipe, config = job.recipe, job.recipe.validation
    fluency_filter(recipe.decoding.fluency, str(job.model.device))
    examples = job.examples["validation"]

    def lost(clip: Clip, error: AudioError) -> None:
        note(f"left out of the validation: {error}")

    def measure(scope: Scope) -> Validation:
        final = scope == "final"
        decoding = recipe.decoding if final else with_method(recipe.decoding, config.decode)
        reranked = final and decoding.method == "nucleus" and decoding.rerank.similarity
        return validate(
            job.model,
            iter_validation(examples, inputs, recipe.training.batch_size, lost),
            job.tokenizer,
            embed,
            recipe.training,
            replace(config, clips=0) if final else config,
            decoding,
            with_captions=scope != "losses",
            embedder=_embedder(recipe, job.model) if reranked else None,
        )

    return measure


def _embedder(recipe: Recipe, model: AudioCaptioner) -> TextEmbedder:
    return TextEmbedder(recipe.text_embedder.name, recipe.text_embedder.prompt, model.device)
