"""Merging with dialogue, and stripping: dialogue stays, nothing overlaps, nothing is said twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from auricle.records import Caption
from auricle.subtitles.compose import composed
from auricle.subtitles.documents import Document, Event, read_document
from auricle.subtitles.guidelines import Guidelines
from auricle.subtitles.strip import stripped
from tests.helpers.subtitle_checker import Rules, Shown, added, parse, violations
from tests.helpers.timed import some_captions, timed

FILM = Path(__file__).parent / "film.srt"
NETFLIX = Guidelines()


def some_dialogue(rng: random.Random) -> Document:
    """Speech with gaps of all sizes; some cues overlap, some last no time."""
    events, at_ms = [], rng.randrange(3000)
    for _ in range(rng.randrange(40)):
        end_ms = at_ms + rng.choice((0, 40, 700, 2000, 6000))
        events.append(Event(at_ms / 1000, end_ms / 1000, rng.choice(("Hello.", "- A?\n- B."))))
        at_ms = max(
            0, end_ms + rng.choice((-500, 0, 1, 83, 84, 1000, 1001, 1100, 2000, 4000, 9000))
        )
    return Document("srt", tuple(sorted(events, key=lambda event: event.start_s)))


def in_time(cue: Shown, caption: Caption) -> bool:
    """Whether the cue begins up to a second (or a frame) after the sound, or while it lasts."""
    start_s = cue.start_ms / 1000
    soon = caption.start_s + max(1.001, 1 / 24)
    return caption.start_s - 1e-3 <= start_s and (
        start_s <= soon or start_s + 0.83 <= caption.end_s
    )


def test_a_film_gets_cues_in_its_gaps_and_keeps_its_dialogue() -> None:
    film = read_document(FILM)
    dialogue = parse(str(film))
    for seed in range(20):
        captions = some_captions(random.Random(seed), 320)
        new = added(parse(str(composed(captions, "srt", NETFLIX, film))), dialogue)
        assert violations(new, Rules(), dialogue) == []
    assert len(dialogue) == 62
    assert new


def test_cues_beside_any_dialogue_keep_every_rule() -> None:
    shown = 0
    for seed in range(200):
        rng = random.Random(seed)
        document, captions = some_dialogue(rng), some_captions(rng, 90)
        dialogue = parse(str(document))
        new = added(parse(str(composed(captions, "srt", NETFLIX, document))), dialogue)
        assert violations(new, Rules(), dialogue) == []
        assert all(any(in_time(cue, caption) for caption in captions) for cue in new)
        shown += len(new)
    assert shown > 600


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("[DOG BARKS]", "a dog barks twice in the distance"),
        ("(dog barking) Who is that?", "a dog barks"),
        ("*thunder*", "thunder rumbles"),
        ("♪ Hello darkness, my old friend ♪", "music plays"),
        ("♪♪", "a woman sings a song"),
    ],
)
@pytest.mark.parametrize("at", [(1.0, 2.0), (4.5, 5.5)])
def test_a_sound_that_the_dialogue_names_gets_no_cue(
    said: str, heard: str, at: tuple[float, float]
) -> None:
    document = Document("srt", (Event(*at, said),))
    made = composed([timed(2.5, 4.0, heard)], "srt", NETFLIX, document)
    assert made.events == document.events
    assert made.notes == ("1 sound that the dialogue names already",)


@pytest.mark.parametrize(
    ("said", "heard", "at_s"),
    [
        ("[DOG BARKS]", "a dog barks", 9.0),  # long before
        ("Was that a dog? It barks!", "a dog barks", 2.5),  # speech, no label
        ("[thunder]", "rain falls and thunder rumbles", 2.5),  # rain is not named
        ("[DOG BARKS]", "a bell rings", 2.5),
    ],
)
def test_any_other_sound_keeps_its_cue(said: str, heard: str, at_s: float) -> None:
    document = Document("srt", (Event(1, 2, said),))
    made = composed([timed(at_s, at_s + 1, heard)], "srt", NETFLIX, document)
    assert len(made.events) == 2


def test_stripping_removes_sounds_and_nothing_else() -> None:
    film = read_document(FILM)
    clean = stripped(film)
    gone = {event.text for event in film.events} - {event.text for event in clean.events}
    assert gone == {
        "[PHONE RINGS]",
        "[THUNDER RUMBLES]",
        "(WHISPERING) There's nobody on the line.",
        "[dog barks in the distance] Whose dog is that?",
        "(SIGHS) All right.",
    }
    assert clean.notes == (f"{FILM}: 2 cues of sounds removed, 3 more lost a sound's label",)
    times = {(event.start_s, event.end_s) for event in film.events}
    assert {(event.start_s, event.end_s) for event in clean.events} < times
    assert stripped(clean).events == clean.events


def test_cues_that_were_merged_can_be_stripped_again() -> None:
    clean = stripped(read_document(FILM))
    merged = composed(some_captions(random.Random(3), 320), "srt", NETFLIX, clean)
    assert len(merged.events) > len(clean.events)
    assert stripped(merged).events == clean.events
