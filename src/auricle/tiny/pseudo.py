"""Pseudo-recordings: what the encoder might have heard where a caption was written.

A caption's phrases become events in the order told. Each event draws a class from its tags and a
real posterior track of that class; the events' log-odds are mixed by their maximum, for a patch
with two sounds shows both. Tags are dropped and added, levels jittered, lengths varied: without
that noise the captioner trusts its input too much.

A class without tracks borrows one of a class the encoder confuses it with, moved to where its own
log-odds are high: the other classes follow by their covariance over real frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auricle.tiny.ontology import Ontology
from auricle.tiny.tracks import Track
from auricle.training.config import PseudoConfig

NOTHING = -14.0  # log-odds where no track is
USUAL_RANGE = (-12.0, 6.0)  # log-odds the covariance is measured and extended in
SYNTHETIC = 12  # tracks made for a class that lacks them
FEW = 6  # a class with fewer real tracks gets synthetic ones besides
SYNTHETIC_FRAMES = 21

_CLEAN = {"level_loss": 0.3, "level_spread": 0.7, "unmentioned": 0.0, "intruders": 0.0}


@dataclass(frozen=True)
class Event:
    """A phrase's place in time (0 first), whether it is faint, its classes and their chances."""

    order: int
    faint: bool
    classes: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Scene:
    """A caption's events, and the whole caption's tags, of which a pseudo-recording is made."""

    events: tuple[Event, ...]
    classes: np.ndarray
    probabilities: np.ndarray


class PseudoRecordings:
    """Draws recordings of scenes.

    Args:
        tracks: real tracks, each with its classes.
        labels: [N, C] zeros and ones, labels that occur together in real recordings.
        kinship: [C, C] how alike two classes are to the encoder, 1 on the diagonal.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        ontology: Ontology,
        labels: np.ndarray,
        kinship: np.ndarray,
        config: PseudoConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config or PseudoConfig()
        self.ancestors = ontology.ancestors
        self.tracks = [track.log_odds.astype(np.float32) for track in tracks]
        self.of_class: dict[int, list[np.ndarray]] = {}
        for track, log_odds in zip(tracks, self.tracks, strict=True):
            for index in track.classes:
                self.of_class.setdefault(index, []).append(log_odds)
        rng = np.random.default_rng(seed)
        maker = _Synthesiser(self.tracks, self.of_class, self.ancestors, labels, kinship)
        self.synthetic = {
            index: [maker.track(index, rng) for _ in range(SYNTHETIC)]
            for index in range(len(ontology))
            if len(self.of_class.get(index, ())) < FEW
        }

    def draw(
        self, scene: Scene, rng: np.random.Generator, frames: int = 20, clean: bool = False
    ) -> np.ndarray:
        """A recording of ``scene``, of at most ``frames`` frames: log-odds [T, C] float32."""
        config = self.config
        if clean or rng.random() < config.clean:
            config = replace(config, **_CLEAN)
        if rng.random() >= config.full_length:
            frames = int(rng.integers(1, frames + 1))
        mix = np.full((frames, len(self.ancestors)), NOTHING, dtype=np.float32)
        loss = rng.normal(config.level_loss, config.level_spread)
        steps = 1 + max(event.order for event in scene.events)
        cuts = np.concatenate([[0.0], np.sort(rng.uniform(0.15, 0.85, steps - 1)), [1.0]]) * frames
        for event in scene.events:
            if len(scene.events) > 1 and rng.random() < config.dropped:
                continue
            start, end = int(cuts[event.order]), int(np.ceil(cuts[event.order + 1]))
            end = max(end, start + 1)
            if steps > 1 and rng.random() < 0.4:  # what follows may overlap what went before
                start = max(0, start - int(rng.integers(3)))
                end = min(frames, end + int(rng.integers(3)))
            number = 1 + int(rng.random() < 0.5) + int(rng.random() < 0.2)
            odds = event.probabilities / event.probabilities.sum()
            drawn = rng.choice(event.classes, min(number, len(odds)), replace=False, p=odds)
            faint = config.faint_loss * rng.random() if event.faint else 0.0
            for rank, index in enumerate(drawn):
                weaker = rng.exponential(1.0) if rank else 0.0
                lost = loss + rng.normal(0.0, 0.8) + faint + weaker
                whole = rng.random() < (0.75 if steps == 1 else 0.85)
                _place(mix, self._track(int(index), rng), start, end, lost, whole, rng)
        unnamed = rng.random(len(scene.classes)) < scene.probabilities * config.unmentioned
        for index in scene.classes[unnamed][:4]:
            lost = loss + rng.exponential(2.0)
            _place(mix, self._track(int(index), rng), 0, frames, lost, rng.random() < 0.75, rng)
        for _ in range(rng.poisson(config.intruders)):
            track = self.tracks[rng.integers(len(self.tracks))]
            lost = loss + 1.0 + rng.exponential(2.5)
            _place(mix, track, 0, frames, lost, rng.random() < 0.75, rng)
        mix += rng.normal(0.0, config.noise, mix.shape[1]).astype(np.float32)
        mix += rng.normal(0.0, config.noise, mix.shape).astype(np.float32)
        return mix

    def _track(self, index: int, rng: np.random.Generator) -> np.ndarray:
        real, made = self.of_class.get(index, []), self.synthetic.get(index, [])
        if made and rng.random() * (len(real) + 3) >= len(real):
            return made[rng.integers(len(made))]
        return real[rng.integers(len(real))]


class _Synthesiser:
    """Makes tracks of classes from other classes' tracks."""

    def __init__(
        self,
        tracks: Sequence[np.ndarray],
        of_class: dict[int, list[np.ndarray]],
        ancestors: np.ndarray,
        labels: np.ndarray,
        kinship: np.ndarray,
    ) -> None:
        self.of_class, self.ancestors, self.labels = of_class, ancestors, labels
        self.donors = np.array(sorted(of_class))
        generations = ancestors.sum(axis=1) + 1e-6
        shared = ancestors.astype(np.float32) @ ancestors.T.astype(np.float32)
        self.kinship = kinship + 0.5 * shared / np.maximum(
            1.0, np.sqrt(np.outer(generations, generations))
        )
        frames = np.concatenate([t[:: max(1, len(t) // 10)] for t in tracks]).clip(*USUAL_RANGE)
        frames -= frames.mean(axis=0)
        ridge = 0.5 * np.eye(frames.shape[1], dtype=np.float32)
        self.covariance = frames.T @ frames / len(frames) + ridge

    def track(self, index: int, rng: np.random.Generator) -> np.ndarray:
        """A track [T, C] in which class ``index`` sounds, with what sounds along with it."""
        kin = np.where(self.donors == index, -np.inf, self.kinship[index, self.donors])
        nearest = self.donors[np.argsort(-kin)[: min(6, len(kin))]]
        donor = int(nearest[min(len(nearest) - 1, int(rng.exponential(1.5)))])
        source = self.of_class[donor][rng.integers(len(self.of_class[donor]))]
        start = int(rng.integers(max(1, len(source) - SYNTHETIC_FRAMES + 1)))
        frames = source[start : start + SYNTHETIC_FRAMES].clip(*USUAL_RANGE)
        company = set(np.flatnonzero(self.ancestors[index]))
        rows = np.flatnonzero(self.labels[:, index])
        if len(rows) and rng.random() < 0.8:
            company |= set(np.flatnonzero(self.labels[rng.choice(rows)]))
        others = sorted(company - {index, donor})
        course = frames[:, donor] - frames[:, donor].max()  # how the sound comes and goes
        peak = rng.normal(1.2, 1.3)
        wanted = [course * rng.uniform(0.4, 1.0) + peak, frames[:, donor] - rng.uniform(1.0, 8.0)]
        for other in others:
            below = rng.uniform(-1.5, 3.5) - float(self.ancestors[index, other])
            raised = course * rng.uniform(0.4, 1.0) + peak - below
            wanted.append(np.maximum(frames[:, other], raised))
        moved = np.array([index, donor, *others])
        change = np.stack(wanted, axis=1) - frames[:, moved]
        spread = np.linalg.solve(self.covariance[np.ix_(moved, moved)], self.covariance[moved])
        return (frames + change @ spread).astype(np.float32)


def _place(
    mix: np.ndarray,
    track: np.ndarray,
    start: int,
    end: int,
    loss: float,
    whole: bool,
    rng: np.random.Generator,
) -> None:
    """Mix a weakened track into frames ``start`` to ``end``: throughout, or now and then."""
    at = start if whole else min(end - 1, start + int(rng.integers(max(1, (end - start) // 2))))
    while at < end:
        first = int(rng.integers(max(1, len(track) - (end - at) + 1)))
        piece = track[first : first + end - at] - loss
        np.maximum(mix[at : at + len(piece)], piece, out=mix[at : at + len(piece)])
        at += len(piece)
        if not whole and rng.random() < 0.6:
            break
        at += int(rng.integers(4)) if rng.random() < 0.5 else 0
