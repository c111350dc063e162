"""The filter of `auricle mixup filter` on 2,000 good mix-ups, 1,000 answers broken on purpose, and
the answers of bad servers.

    python benchmarks/mixup_filter.py CAPTIONS_CSV [--fluency NAME] [--mixups FILE] [--show]

CAPTIONS_CSV has the column "caption", for example AudioCaps' train.csv of the project's shared data
folder. Good mix-ups are mixed by grammar, or are the rows of FILE (a language model's, or the
published ones from `auricle mixup import`); broken ones are made from others of the same source.

The first table shows, for each kind, the rejected answers, the reasons and, for answers that are
only wrapped, how many come out unchanged; --show prints one answer of each kind that passed. The
second shows what of the good answers, and of answers to other pairs, counts as a mix of its two
captions: by their words alone, with synonyms, and with MiniLM where words leave it open. Where
CAPTIONS_CSV has several captions of a recording (columns "youtube_id" or "file_name"), it also has
mixes of what other people said of the same two recordings. The third has a file per bad server.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from auricle.data.clip import Clip
from auricle.data.manifest import read_manifest, write_manifest
from auricle.mixup import events
from auricle.mixup.answers import MixupRow, read_rows, to_json
from auricle.mixup.filtering import Filtering, filter_mixups
from auricle.mixup.generate import generate_by_grammar
from auricle.mixup.grammar import NotMixed, mix_captions
from auricle.mixup.pairs import CaptionPairs
from auricle.mixup.prompts import PAPER
from auricle.text.fluency import FluencyDetector, load_detector

GOOD, PACKED = 2_000, "packed: "

Break = Callable[[random.Random, MixupRow], str]


def lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def words_without(text: str, rng: random.Random, share: float) -> str:
    return " ".join(word for word in text.split() if rng.random() > share)


def near_copy(rng: random.Random, row: MixupRow) -> str:
    words = rng.choice(row.captions).split()
    change = rng.choice(("drop", "add", "turn"))
    if change == "add" or len(words) < 4:
        return " ".join([*words, rng.choice(("nearby", "in the distance", "in the background"))])
    if change == "drop":
        del words[0 if words[0].lower() in ("a", "the", "an") else -1]
        return " ".join(words).capitalize()
    return f"The sound of {lower(' '.join(words))}"


def stutter(rng: random.Random, row: MixupRow) -> str:
    words = row.answer.split()
    start = rng.randrange(max(1, len(words) - 3))
    return " ".join(words[: start + 3] + words[start : start + 3] * 3 + words[start + 3 :])


def twice(rng: random.Random, row: MixupRow) -> str:
    joint = rng.choice((" and ", ", then ", " while "))
    return f"{row.captions[0].rstrip('. ')}{joint}{lower(row.captions[0])}"


def broken_off(rng: random.Random, row: MixupRow) -> str:
    """Cut after the last word that cannot end a sentence, if there is one."""
    words = row.answer.rstrip(".").split()
    open_ = [n for n in range(3, len(words) - 1) if words[n] in OPEN]
    return " ".join(words[: open_[-1] + 1]) if open_ else f"{' '.join(words)} and the"


OPEN = frozenset("a an the and as while with of in on by followed".split())
PROSE = (
    "I hope this helps! Let me know if you need any changes.",
    "This caption merges the two scenes into one sentence.",
    "(Note: I kept it short.)",
    "Would you like another version?",
)
KINDS: dict[str, Break] = {
    f"{PACKED}quotes": lambda rng, row: rng.choice(('"{}"', "“{}”", "'{}'", '"{}".')).format(
        row.answer.rstrip(".")
    ),
    f"{PACKED}prefix": lambda rng, row: (
        rng.choice(
            (
                "Mix: ",
                "Caption: ",
                "Mixed audio caption: ",
                "Answer - ",
                "**Combined Caption:** ",
                "Sure, here's a mix of both:\n\n",
                "Here is one possible mix (under 25 words):\n",
                "Of course! Here is the caption: ",
                "Absolutely! ",
                "Final caption: ",
            )
        )
        + row.answer
    ),
    f"{PACKED}prose after": lambda rng, row: (
        f"{row.answer.rstrip('.')}.{rng.choice((chr(10) * 2, ' '))}{rng.choice(PROSE)}"
    ),
    f"{PACKED}word count": lambda rng, row: (
        f"{row.answer} {rng.choice(('({} words)', '[{} words]', 'Word count: {}'))}".format(
            len(row.answer.split())
        )
    ),
    "empty": lambda rng, row: rng.choice(("", " ", "\n", '""', "...", "Mix:", "<think>So, birds")),
    "refusal": lambda rng, row: rng.choice(
        (
            "I'm sorry, but I can't assist with that request.",
            "As a large language model I cannot hear audio, so I am unable to mix it.",
            "I apologize, but these captions cannot be combined.",
            "Sorry, I am not able to create this content.",
            "I don't have enough information to write a caption.",
            f"Unfortunately, I cannot mix “{row.captions[0]}” with the other one.",
        )
    ),
    "prompt said again": lambda rng, row: PAPER.messages(row.captions)[0]["content"],
    "a sentence each": lambda rng, row: rng.choice(("{}. {}.", "{}.\n{}.", "{}! {}")).format(
        *(caption.rstrip(". ") for caption in row.captions)
    ),
    "too long": lambda rng, row: (
        f"{row.answer.rstrip('.')} {' '.join(rng.sample(FILLING, 3))} {row.captions[0]}"
        f" {row.captions[1]} {' '.join(rng.sample(FILLING, 4))}"
    ),
    "copy": lambda rng, row: rng.choice(("{}", "{}.", '"{}"', "Mix: {}")).format(
        rng.choice(row.captions)
    ),
    "near copy": near_copy,
    "about the task": lambda rng, row: rng.choice(
        (
            "The first caption describes {} and the second one {}",
            "A mix of the two audio captions about {} with {}",
            "Both captions mention sounds, such as {} plus {}",
        )
    ).format(*map(lower, row.captions)),
    "markup": lambda rng, row: rng.choice(
        ('{{"mix": "{}"}}', "<p>{}</p>", "{} \\n\\n | {}", "{} http://example.org/a.wav")
    ).format(row.answer, row.captions[0]),
    "another script": lambda rng, row: rng.choice(
        ("{}，同时下雨", "狗在叫，{}", "{} и дождь")
    ).format(row.answer),
    "broken characters": lambda rng, row: (
        row.answer[:5] + rng.choice(("Ã©", "â€™", "\x00")) + row.answer[5:]
    ),
    "stutter": stutter,
    "same event twice": twice,
    "broken off": broken_off,
    "words missing": lambda rng, row: words_without(row.answer, rng, 0.5),
}
FILLING = (
    "in the middle of a very busy afternoon",
    "as everybody around looks on in silence",
    "under a grey and heavy sky full of clouds",
    "for what seems to be a very long time indeed",
    "somewhere at the edge of an old and quiet town",
)


def good_rows(captions: Path, folder: Path, count: int) -> list[MixupRow]:
    with captions.open(newline="") as file:
        texts = [row["caption"] for row in csv.DictReader(file)]
    clips = (
        Clip(folder / f"{n}.wav", (text,), f"{n}", "train", source=f"{n}")
        for n, text in enumerate(texts)
    )
    write_manifest(folder / "captions.jsonl", clips)
    generate_by_grammar(folder / "rows.jsonl", CaptionPairs.read(folder / "captions.jsonl"), count)
    return list(read_rows(folder / "rows.jsonl"))


SAME = ("A man speaks while birds sing", "A dog barks as cars pass by on a road")
GENERAL = (
    "Various sounds can be heard in the background",
    "Several noises overlap in a busy place",
    "A mix of sounds of nature and of people",
    "A person speaks while something makes a noise",
)
SERVERS: dict[str, Callable[[int, Sequence[MixupRow]], str]] = {
    "one answer": lambda n, rows: SAME[0],
    "two answers": lambda n, rows: SAME[n % 2],
    "one answer, numbered": lambda n, rows: f"{SAME[0]} ({n})",
    "one answer and a word": lambda n, rows: f"{SAME[0]} {rows[n].captions[0].split()[-1]}",
    "general answers": lambda n, rows: GENERAL[n % len(GENERAL)],
    "answers to other pairs": lambda n, rows: rows[n - 1].answer,
    "one caption's frame": lambda n, rows: f"A symphony of {lower(rows[n].captions[0])} in the air",
    "one frame": lambda n, rows: (
        f"A symphony of {lower(rows[n].captions[0])} and {lower(rows[n].captions[1])} in the"
        " evening air"
    ),
}


class WordsAlone(events.Likeness):
    """Without MiniLM."""

    def to_both(self, text: str, captions: tuple[str, str]) -> bool:
        return False


def other_words(captions: Path, rows: Sequence[MixupRow]) -> list[MixupRow]:
    """``rows`` with mixes of other captions of two recordings than theirs."""
    said = defaultdict(list)
    with captions.open(newline="") as file:
        for row in csv.DictReader(file):
            said[row.get("youtube_id") or row.get("file_name")].append(row["caption"])
    several = [texts for name, texts in said.items() if name and len(texts) > 1]
    rng, found = random.Random(0), []
    for row in rows if several else ():
        with contextlib.suppress(NotMixed):
            (one, same), (other, too) = (rng.sample(texts, 2) for texts in rng.sample(several, 2))
            mix = mix_captions((same, too), row.pair).text
            found.append(replace(row, captions=(one, other), answer=mix))
    return found


def show_rules(captions: Path, rows: Sequence[MixupRow]) -> None:
    sets = {
        "good": rows,
        "answers to other pairs": [
            replace(row, answer=rows[n - 1].answer) for n, row in enumerate(rows)
        ],
        "other people's words": other_words(captions, rows),
    }
    some = [caption for row in rows[:128] for caption in row.captions]
    groups, likeness = dict(events._GROUPS_OF), events.Likeness(some)
    rules = {"words": ({}, WordsAlone()), "synonyms": (groups, WordsAlone())}
    rules["MiniLM"] = (groups, likeness)
    print(f"\n{'a mix of its captions by':<26}" + "".join(f"{name:>10}" for name in rules))
    for kind, made in sets.items():
        shares = []
        for known, judge in rules.values():
            events._GROUPS_OF = known
            fit = sum(events.mismatch(row.answer, row.captions, judge) is None for row in made)
            shares.append(f"{fit / len(made):>10.1%}" if made else f"{'-':>10}")
        print(f"{kind:<26}" + "".join(shares))


def show_servers(rows: Sequence[MixupRow], folder: Path) -> None:
    print(f"\n{'server':<26} {'answers':>8} {'rejected':>9}  reasons")
    for name, reply in SERVERS.items():
        made = [replace(row, answer=reply(n, rows), pair=n) for n, row in enumerate(rows)]
        found = filter_rows(made, folder, None)
        reasons = ", ".join(f"{reason} {count}" for reason, count in found.rejected.most_common())
        share = f"{found.rejected.total() / len(made):.1%}"
        print(f"{name:<26} {len(made):8} {share:>9}  {reasons}")


def filter_rows(
    rows: Sequence[MixupRow], folder: Path, detector: FluencyDetector | None
) -> Filtering:
    mixups = folder / "mixups.jsonl"
    mixups.write_text("".join(to_json(row, folder) + "\n" for row in rows))
    return filter_mixups(mixups, folder / "kept.jsonl", detector)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("captions", type=Path)
    parser.add_argument("--fluency", default="auricle")
    parser.add_argument("--mixups", type=Path)
    parser.add_argument("--broken", type=int, default=1_000)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    detector, rng = load_detector(options.fluency), random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = good_rows(options.captions, folder, GOOD + options.broken)
        good = rows[:GOOD]
        if options.mixups:
            good = list(islice(read_rows(options.mixups), GOOD))
        kinds = ["good"] * len(good)
        answers = [row.answer for row in good]
        made = list(good)
        for number, row in enumerate(rows[GOOD:]):
            kind = list(KINDS)[number % len(KINDS)]
            kinds.append(kind)
            answers.append(row.answer)
            made.append(replace(row, answer=KINDS[kind](rng, row)))
        made = [replace(row, pair=number) for number, row in enumerate(made)]
        found = filter_rows(made, folder, detector)
        rejected = {row["pair"]: row["reason"] for row in map(json.loads, found.listed.open())}
        kept = {
            int(clip.id.removeprefix("mixup-")): clip.captions[0]
            for clip in read_manifest(folder / "kept.jsonl")
        }
        assert len(kept) + len(rejected) == len(made)
        show_kinds(detector, kinds, answers, made, kept, rejected, options.show)
        show_rules(options.captions, good)
        show_servers(good, folder)


def show_kinds(
    detector: FluencyDetector,
    kinds: Sequence[str],
    answers: Sequence[str],
    made: Sequence[MixupRow],
    kept: Mapping[int, str],
    rejected: Mapping[int, str],
    show: bool,
) -> None:
    print(f"{detector.name}, threshold {detector.threshold:.3f}")
    print(f"{'kind':<22} {'rows':>5} {'rejected':>9} {'as it went in':>14}  reasons")
    places: dict[str, list[int]] = defaultdict(list)
    for number, kind in enumerate(kinds):
        places[kind].append(number)
    for kind, numbers in places.items():
        out = Counter(rejected[n] for n in numbers if n in rejected)
        whole = "-"
        if kind == "good" or kind.startswith(PACKED):
            same = sum(n in kept and bare(kept[n]) == bare(answers[n]) for n in numbers)
            whole = f"{same / len(numbers):.1%}"
        reasons = ", ".join(f"{reason} {count}" for reason, count in out.most_common())
        share = f"{out.total() / len(numbers):.1%}"
        print(f"{kind:<22} {len(numbers):5} {share:>9} {whole:>14}  {reasons}")
        if show:
            wrong = out if whole != "-" else [n for n in numbers if n in kept]
            if whole != "-":
                wrong = [n for n in numbers if bare(kept.get(n, "")) != bare(answers[n])]
            for n in wrong[:4]:
                print(f"    {made[n].answer!r} -> {kept.get(n, rejected.get(n))!r}")


def bare(text: str) -> str:
    return " ".join(text.rstrip(". ").split())


if __name__ == "__main__":
    main()
