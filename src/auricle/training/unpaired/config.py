"""What a recipe says of training without paired recordings, in its section ``[unpaired]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnpairedConfig:
    """Where the captions and sounds lie, and how they are prepared.

    Attributes:
        shared: the project's shared data folder: captions, AudioSet labels, sounds.
        fetched: what recipes/tiny/fetch_sounds.sh fetched and rendered.
        labels: TOML of what the sounds are.
        class_captions: TOML of our own captions for single classes; ``class_share`` of each batch
            is theirs.
        vocab_size: tokens of the BPE trained on the captions.
        variants: how often each sound is heard, in other conditions.
        plain: recordings of tones, noise and silence; ``plain_share`` of each batch is theirs.
        tags: classes kept per text, the most probable.
    """

    shared: str
    fetched: str
    labels: str
    class_captions: str
    vocab_size: int = 2000
    variants: int = 4
    plain: int = 400
    plain_share: float = 0.02
    class_share: float = 0.02
    tags: int = 12
