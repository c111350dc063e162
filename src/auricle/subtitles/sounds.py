"""Parts of a subtitle that tell of a sound: "[door creaks]", "(laughs)", "*thunder*", "♪".

What people say must not be lost, so what could be speech or a speaker's name is taken for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auricle.text.normalise import words
from auricle.text.stems import content

# Words of which a part in parentheses or asterisks must hold one
_HEARD = content(
    "applaud applause bang bark beep bellow blare blast bleat boom burst buzz caw chant chatter"
    " cheer chime chirp chortle chuckle clang clank clap clatter click clink clunk cluck cough"
    " crack crackle crash creak croak crunch cry ding drip drone drumroll echo exhale explode"
    " explosion footstep gasp giggle groan growl grunt gulp gunfire gunshot hiccup hiss honk hoot"
    " howl hum inaudible indistinct inhale instrumental jingle knock laugh laughter meow moan moo"
    " mumble murmur music mutter neigh oink pant patter plop purr rattle retch ring ringtone roar"
    " rumble rustle scoff scrape screech scream shatter shout shriek shush sigh silence sing siren"
    " sizzle slam slurp smash snap snarl sneeze snicker sniff sniffle snore snort sob splash"
    " splutter squawk squeak squeal squish stammer static throat thud thump thunder tick tinkle"
    " toll tweet vibrate wail weep wheeze whimper whine whinny whir whisper whistle whoop whoosh"
    " yap yawn yell yelp"
)
# Words that show, in square brackets before speech, that this is no speaker's name
_HAPPENING = _HEARD | content(
    "alarm bell bells clock close closes continue door doors flush gun horn keyboard open opens"
    " phone play plays rain stop stops storm telephone theme traffic train wind window"
)
_MUSIC = content("music song theme melody instrumental tune soundtrack playing jingle orchestra")
_SPEECH = frozenset(
    "i i'm i'll i've i'd you you're you'll your we we're us our me my mine let's don't it it's will"
    " would could should can't won't not no yes what why how who if".split()
)
_LONGEST = 6  # words of a sound in parentheses; longer ones are mostly asides of a speaker
_NAME = 3  # words of a speaker's name at most

_TAGS = r"(?:<[^<>]*>|\{\\[^{}]*\})"
_PART = re.compile(r"\[([^\[\]]{0,300})\]|\(([^()]{0,300})\)|\*([^*\n]{1,80})\*")
_LINE_START = re.compile(rf"(?:{_TAGS}|[-–—\s>])*")
_THEN_SPEECH = re.compile(rf"\s*:|(?:{_TAGS}|\s)*[^\W_]")
_NOTES = "♪♫♬♩"
_EMPTY_TAGS = re.compile(r"<([a-zA-Z]+)(?:[ .][^<>]*)?>(\s*)</\1>")


def sounds_in(text: str) -> list[str]:
    """The sounds that the lines of a cue name, without their brackets; "music" for music."""
    found = [_inside(part) for part in _parts(text)]
    return found + ["music song sing play"] * any(note in text for note in _NOTES)


def without_sounds(text: str) -> str:
    """The lines of a cue without their parts that tell of sounds; as they are if they have none."""
    kept = text
    for part in reversed(list(_parts(text))):
        tags = "".join(re.findall(_TAGS, part[0]))
        kept = kept[: part.start()].rstrip(" ") + " " + tags + kept[part.end() :].lstrip(" ")
    if kept == text and not _tells_music(text):
        return text
    lines = [_tidied(line) for line in _without_empty_tags(kept).split("\n")]
    lines = [line for line in lines if re.search(r"[^\W_]", _bare(line)) and not _tells_music(line)]
    if len(lines) == 1 and text.count("\n"):
        lines = [re.sub(rf"^({_TAGS}*)[-–—] ?", r"\1", lines[0])]  # no second speaker is left
    return "\n".join(lines)


def _parts(text: str) -> Iterator[re.Match[str]]:
    for part in _PART.finditer(text):
        named = _inside(part)
        meaning = content(named)
        if part[1] is not None:
            at_start = _LINE_START.fullmatch(
                text, text.rfind("\n", 0, part.start()) + 1, part.start()
            )
            speech = _THEN_SPEECH.match(text[part.end() :])
            if not (at_start and speech and _is_name(named)):
                yield part
        elif meaning & _HEARD or (named.isupper() and meaning & _HAPPENING):
            said = words(named)
            if not (_SPEECH & {*said}) and len(said) <= _LONGEST and named[-1:] not in "?!":
                yield part


def _inside(part: re.Match[str]) -> str:
    inside = next(group for group in part.groups() if group is not None)
    return " ".join(_bare(inside).split())


def _is_name(named: str) -> bool:
    said = words(named)
    happening = content(named) & _HAPPENING or any(
        word.endswith("ing") and len(word) > 5 for word in said
    )
    return bool(said) and len(named.split()) <= _NAME and not happening


def _tells_music(text: str) -> bool:
    """Whether there are notes, and no words that are sung."""
    bare = _bare(text)
    if not any(note in bare for note in _NOTES):
        return False
    said = words(bare)
    return not said or bool(content(bare) & _MUSIC and not _SPEECH & {*said})


def _bare(text: str) -> str:
    return re.sub(_TAGS, "", text)


def _without_empty_tags(text: str) -> str:
    for _ in range(4):  # of tags within tags
        text = _EMPTY_TAGS.sub(r"\2", text)
    return text


def _tidied(line: str) -> str:
    line = re.sub(rf"^({_TAGS}+) +", r"\1", re.sub(r" {2,}", " ", line).strip())
    return re.sub(r" ([,.;:!?])(?!\.)", r"\1", line)
