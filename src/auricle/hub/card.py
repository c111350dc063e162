"""A model card for folders that were given none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auricle.model.captioner import AudioCaptioner

if TYPE_CHECKING:
    pass

CARD = """---
library_name: auricle
pipeline_tag: audio-text-to-text
tags: [audio-captioning]
---

# {name}

An automated audio captioning model: it hears a recording and says in one sentence what is there.

```python
import auricle

auricle.load("{name}").caption("recording.wav")
```

{architecture}

Nothing is stated here of its training data, its quality or its licence: whoever shares this model
should do so. The architecture is that of Wu et al., ICASSP 2024 (arXiv 2309.17352).
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
    """What can be said of a model by looking at it."""
    return CARD.format(name=name, architecture=architecture(model, embedder))


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
        embedder=embedder,
    )
