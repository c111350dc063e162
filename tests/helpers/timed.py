"""Timed captions, made by hand or by chance."""

from __future__ import annotations

import random

from auricle.records import Candidate, Caption

SENTENCES = (
    "a dog barks",
    "A dog is barking in the distance while birds chirp.",
    "rain falls on a metal roof and thunder rumbles in the distance",
    "a man speaks while a crowd applauds and cheers loudly in a large hall with an echo",
    "someone walks on gravel, and then a door creaks open and is closed again with a loud bang",
    "an engine idles",
    "music plays",
    "glass shatters",
    "a telephone rings several times",
    "water runs from a tap into a sink",
    "the wind blows",
    "footsteps",
)


def timed(
    start_s: float,
    end_s: float,
    text: str = "a dog barks",
    *others: str,
    confidence: float | None = None,
    fluent: bool | None = True,
    audio: str = "film.wav",
) -> Caption:
    candidates = (
        Candidate(text, -1.0, 0.5, 0.5, True),
        *(Candidate(other, -1.0, 0.4, 0.4, fluent) for other in others),
    )
    return Caption(audio, start_s, end_s, text, 0.5, candidates, "tiny", "nucleus", 0, confidence)


def some_captions(rng: random.Random, length_s: float) -> list[Caption]:
    """Captions of a recording, of which some overlap, in order of start."""
    starts = sorted(rng.uniform(0, length_s) for _ in range(rng.randrange(40)))
    return [
        timed(
            start_s,
            start_s + rng.choice((0.05, 0.4, 1, 2.5, 6, 20)),
            rng.choice(SENTENCES),
            *rng.sample(SENTENCES, 3),
            confidence=rng.choice((None, rng.random())),
        )
        for start_s in starts
    ]
