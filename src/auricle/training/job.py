"""A recipe made ready: its model, its batches, what validates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auricle.data.clip import Clip
from auricle.data.keys import ContentKeys
from auricle.decoding.options import DecodeOptions, with_method
from auricle.errors import AudioError
from auricle.model.captioner import AudioCaptioner
from auricle.text.embedder import TextEmbedder
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import Batches
from auricle.training.batches import Embed, PairedBatches, iter_validation
from auricle.training.config import DataConfig
from auricle.training.examples import Examples
from auricle.training.initial import initial_model, initial_tokenizer
from auricle.training.inputs import Inputs, StoredEmbeddings, StoredFeatures, Waveforms
from auricle.training.recipe import Recipe
from auricle.training.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

    from auricle.training.precompute import Counts

Note = Callable[[str], None]
Working = Callable[[str, int, int], None]  # what is being done, how much of it, of how much


@dataclass(frozen=True)
class Job:
    """``train`` and ``validation`` are None where the recipe trains without paired recordings;
    ``clips``: of the training clips those that can be heard; ``computed``: what was put into the
    cache, by what it is of."""

    recipe: Recipe
    model: AudioCaptioner
    tokenizer: CaptionTokenizer
    data: Batches
    clips: int = 0
    train: Examples | None = None
    validation: Examples | None = None
    validate: Callable[[DecodeOptions | None, bool], Validation] | None = None
    computed: Mapping[str, Counts] = field(default_factory=dict)


def read_examples(recipe: Recipe, note: Note) -> tuple[Examples, Examples | None]:
    """The training and the validation clips of ``recipe``; skipped rows are counted in a note.

    Raises:
        DataError: a manifest is missing or has no row that can be used.
    """
    data = recipe.data
    assert data is not None
    limit = recipe.model.max_duration_s
    train = Examples.read(data.train, data.train_split, limit, data.min_words)
    validation = None
    if data.validation:
        validation = Examples.read(data.validation, data.validation_split, limit)
    for name, examples in (("training", train), ("validation", validation)):
        if examples is not None and examples.skipped:
            reasons = ", ".join(f"{reason}: {n}" for reason, n in examples.skipped.most_common())
            note(f"{name}: {examples.skipped.total()} rows are skipped ({reasons})")
    return train, validation


def paired_job(
    recipe: Recipe, accelerator: Accelerator, note: Note, working: Working, live: bool = False
) -> Job:
    """Everything a run on manifests needs; what is cached is computed by the main process first.

    With ``live`` nothing is computed ahead: waveforms are read and captions embedded when a batch
    asks for them.

    Raises:
        AuricleError: a manifest, weights, an embedder or the tokenizer is missing or does not fit.
    """
    data = recipe.data
    assert data is not None
    told = note if accelerator.is_main_process else _silent
    train, validation = read_examples(recipe, told)
    tokenizer = initial_tokenizer(recipe, train.captions())
    model = initial_model(recipe, tokenizer, told).to(accelerator.device)
    parts = {"training": train}
    if validation is not None:
        parts["validation"] = validation
    computed: dict[str, Counts] = {}
    if live:
        data = replace(data, features="computed")
    with accelerator.main_process_first():
        embed = _embeddings(recipe, model, {} if live else parts, computed, working, live)
        inputs = {
            name: inputs_of(data, model, part, told, working, computed, name)
            for name, part in parts.items()
        }
    batches = PairedBatches(
        train,
        inputs["training"],
        tokenizer,
        embed,
        recipe.training,
        model.config.decoder.max_positions,
        data.bucket,
        accelerator.num_processes,
    )
    clips = int((inputs["training"].lengths > 0).sum())
    job = Job(recipe, model, tokenizer, batches, clips, train, validation, computed=computed)
    if validation is None:
        return job
    return replace(job, validate=_validator(job, validation, inputs["validation"], embed, note))


def inputs_of(
    data: DataConfig,
    model: AudioCaptioner,
    examples: Examples,
    note: Note,
    working: Working,
    computed: dict[str, Counts],
    name: str = "training",
) -> Inputs:
    """Waveforms, or features that are computed now where the cache lacks them; ``computed`` is told
    how many."""
    limit = model.config.max_duration_s
    if data.features == "computed":
        return Waveforms(examples, model.encoder.sample_rate_hz, limit, data.mix_range_db)
    from auricle.training.precompute import feature_store, precompute_features, weights_digest

    store = feature_store(model.config, weights_digest(model.encoder), data.cache)
    keys = ContentKeys(data.cache, data.mix_range_db)
    failed: list[Clip] = []
    computed[f"{name} features"] = precompute_features(
        examples,
        model.encoder,
        store,
        keys,
        max_duration_s=limit,
        progress=_counted(working, f"{name} features", len(examples)),
        on_error=lambda clip, error: failed.append(clip),
    )
    if failed:
        note(f"{len(failed)} clips cannot be decoded and are left out: {failed[0].id} …")
    return StoredFeatures(examples, store, keys)


def _embeddings(
    recipe: Recipe,
    model: AudioCaptioner,
    parts: Mapping[str, Examples],
    computed: dict[str, Counts],
    working: Working,
    live: bool,
) -> Embed:
    from auricle.training.precompute import embedding_store, precompute_embeddings

    assert recipe.data is not None
    name, prompt = recipe.text_embedder.name, recipe.text_embedder.prompt
    embedder = TextEmbedder(name, prompt, model.device)
    if live:
        return lambda captions: embedder.embed(captions).cpu()
    store = embedding_store(name, prompt, model.config.embedding.dim, recipe.data.cache)
    for part, examples in parts.items():
        computed[f"{part} captions"] = precompute_embeddings(
            examples.captions(),
            embedder,
            store,
            progress=_counted(working, f"{part} captions"),
        )
    return StoredEmbeddings(store)


def _validator(
    job: Job, validation: Examples, inputs: Inputs, embed: Embed, note: Note
) -> Callable[[DecodeOptions | None, bool], Validation]:
    """Measures the job's model as it then is; captions clips, by the options if any are given, and
    all of them, reranked, for the last time."""
    from auricle.training.validation import validate

    recipe = job.recipe

    def lost(clip: Clip, error: AudioError) -> None:
        note(f"left out of the validation: {error}")

    def measure(decoding: DecodeOptions | None, final: bool) -> Validation:
        config = replace(recipe.validation, clips=0) if final else recipe.validation
        options = decoding or recipe.decoding
        reranked = final and options.method == "nucleus" and options.rerank.similarity
        name, prompt = recipe.text_embedder.name, recipe.text_embedder.prompt
        return validate(
            job.model,
            iter_validation(validation, inputs, recipe.training.batch_size, lost),
            job.tokenizer,
            embed,
            recipe.training,
            config,
            options,
            with_captions=decoding is not None,
            embedder=TextEmbedder(name, prompt, job.model.device) if reranked else None,
        )

    return measure


def search_options(recipe: Recipe) -> DecodeOptions:
    """How clips are captioned while training: by search, which needs no text embedder."""
    return with_method(recipe.decoding, recipe.validation.decode)


def unpaired_job(recipe: Recipe, world: int, note: Note) -> Job:
    """Captions and sounds made ready in the recipe's folder, as `tiny` is trained."""
    import torch

    from auricle.tiny.batches import UnpairedBatches

    assert recipe.unpaired is not None
    data = UnpairedBatches(
        recipe.unpaired, recipe.pseudo, recipe.training, recipe.model, recipe.folder, note, world
    )
    torch.manual_seed(recipe.training.seed)
    model = AudioCaptioner(data.model_config)
    return Job(recipe, model, data.tokenizer, data)


def _counted(working: Working, what: str, total: int = 0) -> Callable[[int], None]:
    return lambda done: working(what, done, total)


def _silent(_: str) -> None:
    pass
