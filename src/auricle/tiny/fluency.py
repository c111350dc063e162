"""The fluency detector: trained on captions and their broken copies, measured on others.

    captions ─► whole or joined ─┬─► 0 …………………………………┐
                                 └─► broken ─► class, and where ┴─► words ─► network ─► two losses

The caption's loss is what counts. The word's loss, which fades out, says where to look.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.errors import TrainingError
from auricle.text.fluency.detector import ERROR, FluencyDetector
from auricle.text.fluency.network import (
    MAX_WORDS,
    FluencyConfig,
    FluencyNetwork,
    Words,
    caption_logits,
)
from auricle.text.fluency.own import OwnDetector
from auricle.text.normalise import as_judged
from auricle.tiny.corruptions import KINDS, Corruptor
from auricle.watch import silent

REPORT_EVERY = 100  # steps
_JOINTS = ("and", "while", "as", "followed by", "and then", "before")
_LONGEST_JOINED = 30  # words
_POOL = 64  # batches that are sorted by length together
_KEEP = (0.8, 0.95, 0.95, 0.95, 0.85)  # of a word's pieces: whole, three endings, beginning


@dataclass(frozen=True)
class FluencyTraining:
    """Numbers of the detector's training.

    Attributes:
        steps, batch_size, learning_rate: AdamW with warm-up and linear decay.
        held_out: captions kept aside, on which the threshold is chosen.
        false_alarms: the share of those that may exceed the threshold.
        joined: the share of examples made of two captions and a conjunction, which are whole too.
        word_loss: weight of the word's loss at the first step.
    """

    seed: int = 0
    steps: int = 5000
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    held_out: int = 2000
    false_alarms: float = 0.01
    joined: float = 0.15
    word_loss: float = 0.5


@dataclass(frozen=True)
class Example:
    """A caption; if it is broken, the class of the error and the word (start mark 0) it is at."""

    text: str
    kind: int | None = None
    place: int = 0


@dataclass(frozen=True)
class Found:
    """Errors told from whole captions: how many, area under the ROC curve, and the share of the
    errors above the detector's threshold."""

    count: int
    auc: float
    recall: float


@dataclass(frozen=True)
class Agreement:
    """One detector's verdicts beside another's, whose probabilities are taken as the truth: how
    many captions there are and the other flags, area under the ROC curve (NaN if it flags none),
    precision and recall (NaN if there is none to share), and Spearman's rank correlation of the
    two probabilities."""

    count: int
    flagged: int
    auc: float
    precision: float
    recall: float
    rank_correlation: float


def train_detector(
    captions: Sequence[str],
    options: FluencyTraining | None = None,
    config: FluencyConfig | None = None,
    report: Callable[[int, float], None] = silent,
) -> OwnDetector:
    """A detector trained on whole ``captions``.

    ``report`` is told every `REPORT_EVERY` steps how many are done, and their mean loss.

    Raises:
        TrainingError: hardly more captions than are to be kept aside.
    """
    options, config = options or FluencyTraining(), config or FluencyConfig()
    corruptor, rng = Corruptor(captions), random.Random(options.seed)
    kept, learned = split(captions, options)
    torch.manual_seed(options.seed)
    network = FluencyNetwork(config).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    piece_keep = torch.tensor(_KEEP)
    loss_sum = 0.0
    batches = _batches(learned, corruptor, options, rng)
    for step in range(options.steps):
        left = 1 - step / options.steps
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(left, (step + 1) / options.warmup_steps)
        batch = next(batches)
        logits = network(Words.of([e.text for e in batch], config.buckets), piece_keep)
        loss = _loss(logits, batch, options.word_loss * left)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        loss_sum += loss.item()
        if (step + 1) % REPORT_EVERY == 0:
            report(step + 1, loss_sum / REPORT_EVERY)
            loss_sum = 0.0
    detector = OwnDetector(network, threshold=1.0)
    detector.threshold = float(np.quantile(detector.error(kept), 1 - options.false_alarms))
    return detector


def split(captions: Sequence[str], options: FluencyTraining) -> tuple[list[str], list[str]]:
    """(kept aside, learned from): the distinct captions, `as_judged`, shuffled by the seed."""
    distinct = sorted({as_judged(caption) for caption in captions} - {""})
    if len(distinct) < 2 * options.held_out:
        raise TrainingError(
            f"{len(distinct)} distinct captions, of which {options.held_out} are kept aside: give "
            f"at least {2 * options.held_out}"
        )
    random.Random(options.seed).shuffle(distinct)
    return distinct[: options.held_out], distinct[options.held_out :]


def broken_captions(
    captions: Sequence[str], corruptor: Corruptor, seed: int = 0
) -> dict[str, list[str]]:
    """Broken copies of captions, `as_judged`, by kind of error; some captions lack a kind."""
    rng = random.Random(seed)
    found = {
        kind: [corruptor.corrupt(caption, kind, rng) for caption in captions] for kind in KINDS
    }
    return {kind: [text for text in texts if text] for kind, texts in found.items()}


def detection(
    detector: FluencyDetector, whole: Sequence[str], broken: Mapping[str, Sequence[str]]
) -> dict[str, Found]:
    """Detection of each kind of ``broken`` among all ``whole`` captions; "error": all kinds."""
    clean = detector.error(whole)
    errors = {kind: detector.error(texts) for kind, texts in broken.items()}
    errors["error"] = np.concatenate(list(errors.values()))
    return {
        kind: Found(len(found), _auc(clean, found), float(np.mean(found > detector.threshold)))
        for kind, found in errors.items()
    }


def false_alarms(detector: FluencyDetector, whole: Sequence[str]) -> float:
    """The share of ``whole`` captions that is called disfluent."""
    return float(np.mean(detector.error(whole) > detector.threshold))


def agreement(
    detector: FluencyDetector, texts: Sequence[str], theirs: np.ndarray, threshold: float
) -> Agreement:
    """Agreement with another detector: probabilities ``theirs`` [N], errors above ``threshold``."""
    from scipy.stats import spearmanr

    ours, errors = detector.error(texts), theirs > threshold
    flagged = ours > detector.threshold
    hits = int((flagged & errors).sum())
    return Agreement(
        count=len(texts),
        flagged=int(errors.sum()),
        auc=_auc(ours[~errors], ours[errors]),
        precision=hits / int(flagged.sum()) if flagged.any() else float("nan"),
        recall=hits / int(errors.sum()) if errors.any() else float("nan"),
        rank_correlation=float(spearmanr(ours, theirs).statistic),
    )


def _batches(
    captions: Sequence[str], corruptor: Corruptor, options: FluencyTraining, rng: random.Random
) -> Iterator[list[Example]]:
    """Batches of captions about equally long, without end."""
    while True:
        pool: list[Example] = []
        while len(pool) < _POOL * options.batch_size:
            pool += _pair(captions, corruptor, options, rng)
        pool.sort(key=lambda example: example.text.count(" ") + 2 * rng.random())
        starts = [i * options.batch_size for i in range(_POOL)]
        rng.shuffle(starts)
        yield from (pool[start : start + options.batch_size] for start in starts)


def _pair(
    captions: Sequence[str], corruptor: Corruptor, options: FluencyTraining, rng: random.Random
) -> Iterator[Example]:
    """A whole caption, and it broken."""
    caption = rng.choice(captions)
    if rng.random() < options.joined:
        longer = f"{caption} {rng.choice(_JOINTS)} {rng.choice(captions)}"
        caption = longer if longer.count(" ") < _LONGEST_JOINED else caption
    yield Example(caption)
    kind = rng.choice(KINDS)
    broken = corruptor.corrupt(caption, kind, rng)
    found = (broken, kind) if broken is not None else corruptor.any_kind(caption, rng)
    if found is not None:
        yield Example(found[0], KINDS.index(found[1]), _place(caption, *found))


def _place(caption: str, broken: str, kind: str) -> int:
    """The word at which ``broken`` leaves ``caption``; the end mark for an incomplete end."""
    before, after = caption.split(), broken.split()
    last = min(len(after), MAX_WORDS - 2) + 1
    if kind == "add_tail":
        return last
    pairs = enumerate(zip(before, after, strict=False), start=1)
    return min(last, next((i for i, (a, b) in pairs if a != b), last))


def _loss(logits: Tensor, batch: Sequence[Example], word_loss: float) -> Tensor:
    """Binary cross-entropy of the classes: the caption's, and the words' by ``word_loss``."""
    words = torch.zeros_like(logits)  # [B, T, classes]
    for row, example in enumerate(batch):
        if example.kind is not None:
            words[row, example.place, [example.kind, ERROR]] = 1.0
    whole = F.binary_cross_entropy_with_logits(caption_logits(logits), words.amax(1))
    each = F.binary_cross_entropy_with_logits(logits, words, reduction="sum")
    return whole + word_loss * each / words[:, 0].numel()


def _auc(negative: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive is above a negative (Mann-Whitney), ties counted half."""
    from scipy.stats import rankdata

    if not len(negative) or not len(positive):
        return float("nan")
    ranks = rankdata(np.concatenate([negative, positive]))[len(negative) :]
    above = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(negative) * len(positive)))
