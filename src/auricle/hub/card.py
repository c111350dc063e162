"""The default model card, for model folders without one."""

from __future__ import annotations

import json

from auricle.markdown import escape
from auricle.model.captioner import AudioCaptioner

CARD = """---
library_name: auricle
pipeline_tag: audio-text-to-text
tags: [audio-captioning]
---

# {title}

An automated audio captioning model: it describes the sounds of a recording in one sentence.

```python
import auricle

auricle.load({name}).caption("recording.wav")
```

{architecture}

This card does not state the training data, the quality or the licence: add them before you share
this model. The architecture is that of Wu et al., ICASSP 2024 (arXiv 2309.17352).
"""

ARCHITECTURE = """\
| | |
|---|---|
| encoder ({training}) | {encoder}, {encoder_parameters:.1f} M parameters |
| Conformer | {conformer_layers} layers of width {conformer_dim} |
| decoder | BART, {decoder_layers} layers of width {decoder_dim}, {vocab_size} tokens |
| parameters without the encoder | {parameters:.1f} M |
| text embedder | {embedder} |"""


def default_card(name: str, model: AudioCaptioner, embedder: str) -> str:
    """The card of a model, from its architecture alone."""
    return CARD.format(
        title=escape(name), name=json.dumps(name), architecture=architecture(model, embedder)
    )


def architecture(model: AudioCaptioner, embedder: str, tuned: bool = False) -> str:
    """A table of the model's blocks; ``tuned``: its encoder was trained with the rest."""
    config = model.config
    inside = sum(p.numel() for p in model.encoder.parameters())
    return ARCHITECTURE.format(
        training="tuned" if tuned else "frozen",
        encoder=type(model.encoder).__name__,
        encoder_parameters=inside / 1e6,
        conformer_layers=config.conformer.layers,
        conformer_dim=config.conformer.dim,
        decoder_layers=config.decoder.layers,
        decoder_dim=config.decoder.dim,
        vocab_size=config.decoder.vocab_size,
        parameters=(sum(p.numel() for p in model.parameters()) - inside) / 1e6,
        embedder=escape(embedder),
    )
