"""Preferences: pairs of the start model's own candidates on training clips, ranked by a reward.

    clips ─► nucleus samples of the start model ─► rewards ─► candidates file ─► pairs ─► batches

Candidates, their rewards and their log-probabilities under the start model are computed once,
before the run, and kept in its folder; `auricle.training.objective.dpo` is what is made of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from auricle.data.clip import Clip
from auricle.decoding.candidates import find_hypotheses
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.likelihood import log_likelihoods
from auricle.decoding.options import DecodeOptions, with_method
from auricle.errors import AudioError, DataError
from auricle.files import append_rows, kept_rows
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import pad_audio
from auricle.training.config import PreferenceConfig, TrainingConfig
from auricle.training.examples import Examples
from auricle.training.inputs import Inputs
from auricle.training.objective import listen
from auricle.training.precompute import weights_digest
from auricle.training.rewards import Reward
from auricle.watch import Watch

PAIR_STREAM = 3  # second word of a pair's seed; those before it are listed where batches are made
TOGETHER = 256  # clips whose rewards are computed together: SPICE starts a program each time
FORMAT = 1


@dataclass(frozen=True)
class Ranked:
    """A candidate caption.

    Attributes:
        log_probability: under the start model, by teacher forcing, summed over its tokens and the
            end token, in nats.
    """

    text: str
    reward: float
    log_probability: float


@dataclass(frozen=True)
class PreferencePair:
    """A chosen and a rejected candidate of one clip."""

    chosen: Ranked
    rejected: Ranked

    @property
    def margin(self) -> float:
        """Log-probability of the chosen less that of the rejected one, under the start model."""
        return self.chosen.log_probability - self.rejected.log_probability


class Preferences:
    """The pairs of examples by their index, which may have none."""

    def __init__(self, pairs: Mapping[int, Sequence[PreferencePair]]) -> None:
        self.pairs = pairs

    def draw(self, index: int, clip: Clip, seed: int, epoch: int) -> PreferencePair | None:
        """The pair that example ``index`` shows in an epoch."""
        some = self.pairs.get(index, ())
        if not some:
            return None
        rng = np.random.default_rng((seed, PAIR_STREAM, epoch, index))
        return some[int(rng.integers(len(some)))]


class StandIns(Preferences):
    """Pairs that cost what real ones do: a clip's caption against itself, for a dry run."""

    def __init__(self) -> None:
        super().__init__({})

    def draw(self, index: int, clip: Clip, seed: int, epoch: int) -> PreferencePair | None:
        same = Ranked(clip.captions[0], 0.0, 0.0)
        return PreferencePair(same, same)


def pairs_of(candidates: Sequence[Ranked], config: PreferenceConfig) -> list[PreferencePair]:
    """The best candidate against the worst, the second best against the second worst, and so on:
    up to ``config.pairs``, whose rewards differ by ``config.min_gap`` at least, and differ."""
    ranked = sorted(candidates, key=lambda candidate: (-candidate.reward, candidate.text))
    found = []
    for place in range(min(config.pairs, len(ranked) // 2)):
        pair = PreferencePair(ranked[place], ranked[-1 - place])
        gap = pair.chosen.reward - pair.rejected.reward
        if gap > 0 and gap >= config.min_gap:
            found.append(pair)
    return found


def preferences(
    model: AudioCaptioner,
    tokenizer: CaptionTokenizer,
    examples: Examples,
    inputs: Inputs,
    training: TrainingConfig,
    decoding: DecodeOptions,
    folder: Path,
    watch: Watch,
) -> Preferences:
    """The pairs of ``examples`` by ``training.preference``.

    ``folder`` keeps the candidates; a run that was killed goes on with what it has. Other clips,
    weights or settings of sampling have a file of their own.

    Args:
        model: the model the run starts from.
        decoding: what the recipe decodes by; its nucleus sampling gives the candidates.

    Raises:
        DataError: no clip has two candidates that can be told apart.
    """
    config = training.preference
    assert config is not None
    sampling = replace(
        with_method(decoding, "nucleus"),
        candidates=config.candidates,
        temperature=config.temperature,
    )
    reward = Reward(config.reward, [clip.captions for clip in examples], str(model.device))
    settings = {
        "format": FORMAT,
        "weights": weights_digest(model),
        "clips": examples.digest,
        "reward": reward.label,
        "sampling": asdict(sampling),
        "seed": training.seed,
        "bf16": training.bf16,
    }
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    found = _sampled(
        folder / f"candidates-{digest[:12]}.jsonl",
        model,
        tokenizer,
        examples,
        inputs,
        training,
        sampling,
        reward,
        watch,
    )
    pairs = {index: pairs_of(candidates, config) for index, candidates in found.items()}
    pairs = {index: some for index, some in pairs.items() if some}
    if not pairs:
        raise DataError(
            f"no clip has two candidates whose {reward.label} differs by "
            f"training.preference.min_gap={config.min_gap:g}; lower that, or raise "
            "training.preference.candidates or its temperature"
        )
    watch.note(_summary(pairs, found, reward))
    return Preferences(pairs)


def _summary(
    pairs: Mapping[int, Sequence[PreferencePair]],
    found: Mapping[int, Sequence[Ranked]],
    reward: Reward,
) -> str:
    flat = [pair for some in pairs.values() for pair in some]
    sampled = fmean(c.reward for candidates in found.values() for c in candidates)
    chosen = fmean(pair.chosen.reward for pair in flat)
    rejected = fmean(pair.rejected.reward for pair in flat)
    return (
        f"preference: {len(flat)} pairs of {len(pairs)} of {len(found)} clips; {reward.label} of "
        f"all candidates {sampled:.3f}, of the chosen {chosen:.3f}, of the rejected {rejected:.3f}"
    )


def _sampled(
    file: Path,
    model: AudioCaptioner,
    tokenizer: CaptionTokenizer,
    examples: Examples,
    inputs: Inputs,
    training: TrainingConfig,
    sampling: DecodeOptions,
    reward: Reward,
    watch: Watch,
) -> dict[int, list[Ranked]]:
    """The candidates of every example that can be heard, of which ``file`` gets what it lacks."""
    found = _read(file)
    order = np.argsort(inputs.lengths, kind="stable")
    todo = [index for index in order.tolist() if inputs.lengths[index] > 0 and index not in found]
    total = len(todo) + len(found)
    was_training = model.training
    scorer = Scorer("", model.decoder, tokenizer)
    model.eval()
    try:
        for together in _parts(todo, TOGETHER):
            heard: list[tuple[int, Clip, list[tuple[str, float]]]] = []
            for indices in _parts(together, training.batch_size):
                clips, memory = _heard(model, examples, inputs, indices, training, watch)
                said = _candidates(scorer, memory, sampling, training) if clips else []
                heard += [(*clip, texts) for clip, texts in zip(clips, said, strict=True)]
                watch.progress("candidates", len(found) + len(heard), total)
            rewards = reward(
                [[text for text, _ in said] for *_, said in heard],
                [clip.captions for _, clip, _ in heard],
            )
            rows = {
                index: [Ranked(text, r, p) for (text, p), r in zip(said, values, strict=True)]
                for (index, _, said), values in zip(heard, rewards, strict=True)
            }
            append_rows(
                file,
                (
                    {"index": index, "id": clip.id, "candidates": list(map(asdict, rows[index]))}
                    for index, clip, _ in heard
                ),
            )
            found |= rows
    finally:
        model.train(was_training)
    return found


@torch.no_grad()
def _heard(
    model: AudioCaptioner,
    examples: Examples,
    inputs: Inputs,
    indices: Sequence[int],
    training: TrainingConfig,
    watch: Watch,
) -> tuple[list[tuple[int, Clip]], AudioMemory]:
    """The examples that can be read, and the memory of each."""
    clips, audio = list[tuple[int, Clip]](), list[np.ndarray]()
    for index in indices:
        clip = examples.clip(index)
        try:
            audio.append(inputs.read(index, clip))
        except AudioError as error:
            watch.note(f"no candidates: {error}")
            continue
        clips.append((index, clip))
    padded, lengths = pad_audio(audio or [np.zeros(1, np.float32)])
    with torch.autocast(model.device.type, torch.bfloat16, enabled=training.bf16):
        return clips, listen(model, padded.to(model.device), lengths.to(model.device))


@torch.no_grad()
def _candidates(
    scorer: Scorer, memory: AudioMemory, sampling: DecodeOptions, training: TrainingConfig
) -> list[list[tuple[str, float]]]:
    """The distinct samples of each clip, with their log-probabilities by teacher forcing."""
    decoder = scorer.decoder
    exact = decoder.read_memory(memory.memory.float(), memory.lengths)
    hypotheses = find_hypotheses([scorer], [exact], sampling, training.seed)
    texts = [[h.text for h in clip if h.text] for clip in hypotheses]
    with torch.autocast(memory.memory.device.type, torch.bfloat16, enabled=training.bf16):
        cross = decoder.read_memory(memory.memory, memory.lengths)
        told = log_likelihoods(decoder, cross, texts, scorer.tokenizer)
    return [
        [(text, likelihood.total) for text, likelihood in zip(some, values, strict=True)]
        for some, values in zip(texts, told, strict=True)
    ]


def _parts(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (indices[start : start + size] for start in range(0, len(indices), size))


def _read(file: Path) -> dict[int, list[Ranked]]:
    """The candidates in ``file`` by index."""
    return {
        row["index"]: [Ranked(**candidate) for candidate in row["candidates"]]
        for _, row in kept_rows(file)
    }
