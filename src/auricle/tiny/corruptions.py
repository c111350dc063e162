"""Captions broken on purpose: the five kinds of error that the FENSE detector knows (Zhou et al.,
"Can audio captions be evaluated with image caption metrics?", ICASSP 2022, section 3.2), made of
whole captions by rules of our own."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable

from auricle.text.normalise import as_judged
from auricle.tiny.verbs import BE, VerbForms

KINDS = ("add_tail", "repeat_event", "repeat_adv", "remove_conj", "remove_verb")

# Where one event ends and the next begins; the longest first.
JOINTS = (
    "and then", "followed by", "as well as", "and", "while", "as", "then", "before", "after",
    "when", "with", "or", "but",
)  # fmt: skip
_JOINT = re.compile(rf"\b(?:{'|'.join(JOINTS)})\b")
_CONJUNCTION = re.compile(r"\b(?:and then|followed by|and|while|as|then|before|after|when|with)\b")
# A caption that ends in one of these breaks off. "by", "on", "off", "over", "up" are left out: "a
# car passes by" is whole.
OPEN_ENDS = frozenset(
    "a an the and or but while as with of to at from for into followed then before is are "
    "that who which very his their its when being".split()
)
_TAILS = (
    "and", "while", "as", "with", "followed by", "and a", "and the", "while a", "as a", "with a",
    "followed by a", "and then", "then a", "in the", "on the", "on a", "at the", "of", "of the",
    "to", "to the", "from a", "into the", "and is", "and are", "before", "before a", "that is",
    "is", "are", "for a", "for the", "by a", "by the", "but", "or", "which", "who is", "very",
)  # fmt: skip
_PHRASES = (
    "in the background", "in the distance", "over and over", "in the foreground", "multiple times",
    "several times", "from a distance", "far away", "up close",
)  # fmt: skip
_PHRASE = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b")
_ADVERBS = frozenset("nearby away outside together again fast hard closer".split())
_NOT_ADVERBS = frozenset(
    "fly family belly jelly reply supply only early elderly likely lonely silly bubbly crinkly "
    "housefly ghastly lovely ally hourly butterfly july ugly wooly barely nearly really mostly "
    "extremely very fairly highly".split()
)
_ARTICLES = frozenset("a an the some".split())


class Corruptor:
    """Breaks captions in five ways. What it knows of verbs and adverbs, it learns from captions.

    Args:
        captions: whole ones; a broken caption is never equal to one of them.
    """

    def __init__(self, captions: Iterable[str]) -> None:
        self.whole = {as_judged(caption) for caption in captions}
        counts = Counter(word for caption in self.whole for word in caption.split())
        self.verbs = VerbForms(counts)
        found = {word for word, count in counts.items() if count > 2 and _is_adverb(word)}
        self.adverbs = sorted(found) + list(_PHRASES)
        self._rules: dict[str, Callable[[str, random.Random], str | None]] = {
            "add_tail": self.add_tail,
            "repeat_event": self.repeat_event,
            "repeat_adv": self.repeat_adverb,
            "remove_conj": self.remove_conjunction,
            "remove_verb": self.remove_verb,
        }

    def corrupt(self, caption: str, kind: str, rng: random.Random) -> str | None:
        """``caption`` (`as_judged`) with an error of ``kind``; None if it gives no occasion."""
        broken = self._rules[kind](caption, rng)
        return None if not broken or broken == caption or broken in self.whole else broken

    def any_kind(self, caption: str, rng: random.Random) -> tuple[str, str] | None:
        """(broken caption, kind): the kinds are tried in random order."""
        for kind in rng.sample(KINDS, len(KINDS)):
            if (broken := self.corrupt(caption, kind, rng)) is not None:
                return broken, kind
        return None

    def add_tail(self, caption: str, rng: random.Random) -> str | None:
        """Cut after a word that asks for more, or continued with such words."""
        words = caption.split()
        cuts = [i for i in range(2, len(words)) if words[i - 1] in OPEN_ENDS]
        if cuts and rng.random() < 0.4:
            return " ".join(words[: rng.choice(cuts)])
        return f"{caption} {rng.choice(_TAILS)}"

    def repeat_event(self, caption: str, rng: random.Random) -> str | None:
        """An event, its predicate or a word once more, perhaps in slightly other words."""
        events, joints = split_events(caption)
        place = rng.randrange(len(events))
        event, words = events[place], events[place].split()
        choice = rng.random()
        if choice < 0.15 and len(words) > 1:  # "a dog dog barks"
            at = rng.randrange(len(words))
            if words[at] in _ARTICLES:
                return None
            events[place] = " ".join([*words[:at], words[at], *words[at:]])
            return join_events(events, joints)
        if choice < 0.35 and len(words) > 2:  # "a baby cries and cries"
            start = max(1, len(words) - rng.randint(1, 3))
            if words[start] in _ARTICLES | OPEN_ENDS or _is_adverb(words[start]):
                return None
            again = " ".join(words[start:])
            joint = rng.choice(("and", "as", "while"))
        else:  # "birds chirp and birds are chirping"
            again, joint = self._reworded(event, rng), rng.choice(("and", "as", "while", "with"))
            joint = "followed by" if len(words) > 1 and rng.random() < 0.15 else joint
        if choice > 0.8 and len(events) > 1:  # at the caption's end, other events between
            return f"{caption} {joint} {again}" if joint != "followed by" else None
        events.insert(place + 1, again)
        joints.insert(place, joint)
        return join_events(events, joints)

    def _reworded(self, event: str, rng: random.Random) -> str:
        words = event.split()
        if rng.random() < 0.3 and words[0] in _ARTICLES and len(words) > 2:
            words = words[1:]
        if rng.random() < 0.3:
            words = [self.verbs.other_form(word, rng) for word in words]
        return " ".join(words)

    def repeat_adverb(self, caption: str, rng: random.Random) -> str | None:
        """An adverb or adverbial phrase once more; added twice where the caption has none."""
        found = [match.span() for match in _PHRASE.finditer(caption)]
        found += [m.span() for m in re.finditer(r"\w+", caption) if _is_adverb(m.group())]
        if not found:
            start = len(caption) + 1
            caption = f"{caption} {rng.choice(self.adverbs)}"
            found = [(start, len(caption))]
        start, end = rng.choice(found)
        adverb = caption[start:end]
        between = "and " if rng.random() < 0.2 and adverb not in ("over and over", "again") else ""
        if rng.random() < 0.2 and len(caption) > end and not between:
            events, joints = split_events(caption[end:].strip())
            if not _CONJUNCTION.search(events[0]) and events[0]:  # "loudly in the rain loudly"
                events[0] = f"{events[0]} {adverb}"
                return f"{caption[:end]} {join_events(events, joints)}"
        return f"{caption[:end]} {between}{adverb}{caption[end:]}"

    def remove_conjunction(self, caption: str, rng: random.Random) -> str | None:
        """The word between two events left out."""
        spans = [match.span() for match in _CONJUNCTION.finditer(caption)]
        spans = [(a, b) for a, b in spans if a > 0 and b < len(caption)]
        if not spans:
            return None
        start, end = rng.choice(spans)
        return f"{caption[:start]}{caption[end:].lstrip()}"

    def remove_verb(self, caption: str, rng: random.Random) -> str | None:
        """A verb left out, where what remains is no noun phrase that could stand there."""
        words = caption.split()
        places = [place for place in self.verbs.places(words) if _is_missed(words, place)]
        if not places:
            return None
        place = rng.choice(places)
        first = place
        if words[place - 1] in BE and not _joint_after(words, place) and rng.random() < 0.4:
            first = place - 1  # "a dog is barking loudly" -> "a dog loudly"
        del words[first : place + 1]
        return " ".join(words) if len(words) > 1 else None


def _is_missed(words: list[str], place: int) -> bool:
    """Whether the verb at ``place`` is needed. "A dog barks and a cat meows" does without."""
    before, verb = words[place - 1], words[place]
    after = words[place + 1] if place + 1 < len(words) else ""
    if before in BE:
        return True  # "a man is and a dog barks"
    if verb.endswith("ed"):
        return False  # "followed", "pitched"
    if verb.endswith("ing"):
        return _is_adverb(after) or (after in ("up", "by", "off") and place + 2 == len(words))
    if _joint_after(words, place):
        return False
    events, joints = split_events(" ".join(words[: place + 1]))
    if not after and joints:
        return joints[-1] in ("and", "while", "as", "when") and len(events[-1].split()) > 1
    return bool(after) or len(words) > 2


def _joint_after(words: list[str], place: int) -> bool:
    after = " ".join(words[place + 1 : place + 3])
    return (match := _JOINT.match(after)) is not None and match.group() not in ("as", "while")


def split_events(caption: str) -> tuple[list[str], list[str]]:
    """ "rain falls while a dog barks" -> (["rain falls", "a dog barks"], ["while"])."""
    events, joints, start = [], [], 0
    for match in _JOINT.finditer(caption):
        before = caption[start : match.start()].strip()
        if before and match.end() < len(caption):
            events.append(before)
            joints.append(match.group())
            start = match.end()
    return [*events, caption[start:].strip()], joints


def join_events(events: list[str], joints: list[str]) -> str:
    """The inverse of `split_events`."""
    pieces = [events[0]]
    for joint, event in zip(joints, events[1:], strict=True):
        pieces += [joint, event]
    return " ".join(pieces)


def _is_adverb(word: str) -> bool:
    return word in _ADVERBS or (word.endswith("ly") and len(word) > 4 and word not in _NOT_ADVERBS)
