"""Sections of a recipe, each a frozen dataclass.

Defaults serve small runs. Published (Wu et al., ICASSP 2024, and its released configuration) are
those of batch size, learning rate, warm-up, weight decay, clipping, losses and SpecAugment's masks.
Others differ, with the published value in brackets: ``schedule`` "cosine" ("linear"), ``beta2``
0.98 (0.999), ``accumulate`` 1 (2), ``place`` of SpecAugment "none" ("fbank"), ``monitor`` "loss"
("accuracy"). recipes/paper/pretrain.toml states all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auricle.schema import SEEDS, check

RewardName = Literal["cider_d", "spider_fl", "fense", "similarity"]


@dataclass(frozen=True)
class PreferenceConfig:
    """Preference optimisation: DPO (Rafailov et al., NeurIPS 2023) on pairs of the start model's
    own candidates on training clips, beside the other losses.

    The model stays in eval mode, without dropout and by BatchNorm's running statistics, so that
    policy and reference are equal at the start.

    Attributes:
        reward: what candidates are ranked by against their clip's references, less nine tenths
            where a fluency detector finds an error: "cider_d", from 0 to 10; "spider_fl", "fense"
            (by the published models where these are on this machine), "similarity" (by MiniLM and
            our own detector), from 0 to 1. "spider_fl" needs SPICE.
        beta: strength of the pull towards the start model; 0.1 in DPO's experiments.
        weight: of the loss; 0, for a control, leaves the rest as it is and samples nothing.
        candidates: nucleus samples per clip, of ``temperature``; top_k and top_p are those of
            [decoding]. 30 in Pang et al. (NeurIPS 2024), who also keep an NLL of weight 1.
        pairs: per clip, the best against the worst, the second best against the second worst …;
            each epoch draws one of them. 10 in Pang et al., where any right answer beats any wrong
            one; our rewards have degrees, so that the outer pairs tell most.
        min_gap: least difference of rewards in a pair, in units of the reward; ours.
    """

    reward: RewardName = "cider_d"
    beta: float = 0.1
    weight: float = 1.0
    candidates: int = 16
    temperature: float = 1.0
    pairs: int = 2
    min_gap: float = 0.0

    def __post_init__(self) -> None:
        rules = {
            "beta": (self.beta > 0, "above 0"),
            "weight": (self.weight >= 0, "0 or more"),
            "candidates": (self.candidates >= 2, "at least 2"),
            "temperature": (self.temperature > 0, "above 0"),
            "pairs": (1 <= self.pairs <= self.candidates // 2, "from 1 to half the candidates"),
            "min_gap": (self.min_gap >= 0, "0 or more"),
        }
        check(self, rules)


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation. Exactly one of ``epochs`` and ``steps`` says how long.

    Attributes:
        batch_size: clips of a micro-batch in one process; InfoNCE's negatives are those of the
            micro-batch over all processes.
        accumulate: micro-batches of an optimiser step.
        schedule: what follows the linear warm-up: "cosine" to a hundredth of the peak, "linear"
            towards zero, which the step after the last would have, or "constant".
        average_last: share of the steps, at the end, over which the weights are averaged.
        tune_encoder: train the encoder as well; frozen otherwise.
        bf16: matrix products in bfloat16.
        checkpoint_every: steps; a checkpoint is written at the end of every epoch as well.
        workers: processes that prepare batches ahead, for each training process; 0 for none.
        preference: [training.preference], for runs from a ``start``.
    """

    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 32
    accumulate: int = 1
    learning_rate: float = 2e-5
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_steps: int = 1000
    weight_decay: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.98
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    nll_weight: float = 1.0
    info_nce_weight: float = 1.0
    temperature: float = 0.5
    average_last: float = 0.0
    tune_encoder: bool = False
    bf16: bool = False
    checkpoint_every: int = 500
    workers: int = 1
    seed: int = 0
    preference: PreferenceConfig | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps, and not both")
        rules = {
            "epochs": (self.epochs is None or self.epochs >= 1, "at least 1"),
            "steps": (self.steps is None or self.steps >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "accumulate": (self.accumulate >= 1, "at least 1"),
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "warmup_steps": (self.warmup_steps >= 0, "0 or more"),
            "clip_norm": (self.clip_norm > 0, "above 0"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "from 0 to below 1"),
            "temperature": (self.temperature > 0, "above 0"),
            "average_last": (0 <= self.average_last <= 1, "from 0 to 1"),
            "checkpoint_every": (self.checkpoint_every >= 1, "at least 1"),
            "workers": (self.workers >= 0, "0 or more"),
            "seed": (self.seed in SEEDS, str(SEEDS)),
        }
        check(self, rules)


@dataclass(frozen=True)
class DataConfig:
    """Manifests (see `auricle.data.manifest`), and how their clips are read.

    Attributes:
        train, validation: manifest files; ``train_split`` and ``validation_split`` are the splits
            read of them ("" for every row).
        features: "cached" encodes every clip once before training; "computed" encodes in every
            step, which SpecAugment on the fbank, mix-ups drawn anew and a tuned encoder need.
        cache: folder of cached features and caption embeddings; runs may share it.
        min_words: captions of fewer words are dropped; 0 for no limit. The released data sets drop
            none: their configuration has a ``min_caption_len`` of 6, which they do not read, and
            6 words would drop 23 % of AudioCaps' training captions.
        bucket: batches whose clips are sorted by length together, so that little is padding.
        mix_range_db: levels of mixed recordings differ by up to this, either way (published: 5).
    """

    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    train_split: str = "train"
    validation_split: str = "val"
    features: Literal["cached", "computed"] = "cached"
    cache: str = "cache"
    min_words: int = 0
    bucket: int = 12
    mix_range_db: float = 5.0

    def __post_init__(self) -> None:
        rules = {
            "train": (bool(self.train), "the path of a manifest, or a list of several"),
            "min_words": (self.min_words >= 0, "0 (no limit) or more"),
            "bucket": (self.bucket >= 1, "at least 1"),
            "mix_range_db": (self.mix_range_db >= 0, "0 or more"),
        }
        check(self, rules)


@dataclass(frozen=True)
class SpecAugmentConfig:
    """SpecAugment (Park et al., Interspeech 2019) with the published numbers.

    Attributes:
        place: "fbank" masks the encoder's input, "memory" the frames after downsampling (the
            published code computes the latter and drops it: quirk 4), "none" masks nothing.
        frequency_width: bins that a frequency mask has less of; the released code draws 0 to 63.
        time_share: share of a clip's frames that a time mask covers less of.
        time_warp: frames by which a point in time is moved at most; 0 for none.
        fill: of masks. "zero" as in the released code: of BEATs' normalised spectrogram the mean
            over AudioSet. "mean", ours: of the clip itself, for YAMNet's log-mels, which are not
            normalised and whose 0 is loud.
    """

    place: Literal["fbank", "memory", "none"] = "none"
    frequency_masks: int = 2
    frequency_width: int = 64
    time_masks: int = 5
    time_share: float = 0.12
    time_warp: int = 5
    fill: Literal["zero", "mean"] = "zero"

    def __post_init__(self) -> None:
        rules = {
            "frequency_masks": (self.frequency_masks >= 0, "0 or more"),
            "frequency_width": (self.frequency_width >= 0, "0 or more"),
            "time_masks": (self.time_masks >= 0, "0 or more"),
            "time_share": (0 <= self.time_share <= 1, "from 0 to 1"),
            "time_warp": (self.time_warp >= 0, "0 (none) or more"),
        }
        check(self, rules)


@dataclass(frozen=True)
class ValidationConfig:
    """Measurements at the end of epochs, and what follows from them.

    Attributes:
        every: epochs from one validation to the next.
        captions_every: epochs from one captioning of validation clips to the next; 0 for never.
        clips: validation clips that are captioned, the first ones; 0 for all.
        decode: how they are captioned; the final measurement decodes as the recipe says.
        monitor: the value that is best when it is lowest ("loss") or highest ("accuracy" of the
            next token, which the released configuration selects by; "cider_d"; "recall":
            audio-to-text R@1); of validations that do not measure it nothing follows.
        patience: validations without a better one after which training stops; 0 for never.
        keep: best weights kept on disk.
        select: which weights become the model folder: the "best", or the "last".
    """

    every: int = 1
    captions_every: int = 1
    clips: int = 0
    decode: Literal["beam", "greedy"] = "beam"
    monitor: Literal["loss", "accuracy", "cider_d", "recall"] = "loss"
    patience: int = 0
    keep: int = 1
    select: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        rules = {
            "every": (self.every >= 1, "at least 1"),
            "captions_every": (self.captions_every >= 0, "0 (never) or more"),
            "clips": (self.clips >= 0, "0 (all) or more"),
            "patience": (self.patience >= 0, "0 (never stop) or more"),
            "keep": (self.keep >= 1, "at least 1"),
            "monitor": (
                self.monitor != "cider_d" or self.captions_every > 0,
                "measured, but captions_every=0 says that captions are never scored",
            ),
        }
        check(self, rules)


@dataclass(frozen=True)
class PseudoConfig:
    """Pseudo-recordings of the embedded model. Levels are in log-odds, lengths in frames.

    Attributes:
        level_loss, level_spread: mean and deviation by which a clip's tracks are weakened (the
            posteriors of busy, distant recordings are lower than those of clean effects); chosen
            so that the sorted class maxima agree with those of real 10 s recordings.
        faint_loss: at most this much more for what the caption calls distant.
        dropped: chance that an event of several is missing.
        unmentioned: factor on the probability of tags that no phrase names.
        intruders: mean number of sounds that have nothing to do with the caption.
        noise: deviation of noise per class, and again per class and frame.
        clean: chance that a recording has its named events alone, at the tracks' own levels.
        full_length: chance that a clip is as long as it may be; otherwise it is any shorter.
    """

    level_loss: float = 2.0
    level_spread: float = 1.2
    faint_loss: float = 2.0
    dropped: float = 0.12
    unmentioned: float = 0.6
    intruders: float = 0.35
    noise: float = 0.4
    clean: float = 0.1
    full_length: float = 0.6


@dataclass(frozen=True)
class UnpairedConfig:
    """Captions and sounds that the embedded model learns from, and how they are prepared.

    Attributes:
        shared: the project's shared data folder: captions, AudioSet labels, sounds.
        fetched: what scripts/tiny/fetch_sounds.sh fetched and rendered.
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
