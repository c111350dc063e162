"""Filtering of generated mix-ups into a manifest for training; rejects, with reasons, beside it.

mixups.jsonl ─► cleaned ─► fluent ─► kept.jsonl
                   └─────────┴─────► kept.rejected.jsonl
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.data.clip import FOLLOWED_BY, TOGETHER, Clip, Mix
from auricle.data.manifest import to_json
from auricle.errors import DataError
from auricle.files import atomic_writer, raw_lines
from auricle.mixup.answers import MixupRow, read_rows
from auricle.mixup.answers import to_json as row_to_json
from auricle.mixup.cleaning import REASONS, CleanedAnswer, clean
from auricle.mixup.prompts import MAX_WORDS
from auricle.mixup.stems import order
from auricle.watch import Progress, silent

if TYPE_CHECKING:
    from auricle.text.fluency import FluencyDetector

DISFLUENT = "disfluent"
AGAIN = "pair there already"
BROKEN_ROW = "broken row"
ALL_REASONS = (BROKEN_ROW, *REASONS, DISFLUENT, AGAIN)  # in the order of the checks
EXAMPLES = 3  # answers per reason
READ_AT_ONCE = 512  # rows whose captions are judged together


@dataclass(frozen=True)
class Filtering:
    """The result of `filter_mixups`: kept rows, those among them whose recordings follow each
    other, rejected rows by reason, the first answers per reason, and the file of rejected rows."""

    kept: int
    in_turn: int
    rejected: Counter[str]
    examples: dict[str, list[str]]
    listed: Path


def filter_mixups(
    mixups: Path,
    output: Path,
    detector: FluencyDetector | None,
    max_words: int = MAX_WORDS,
    progress: Progress = silent,
) -> Filtering:
    """Write the rows of ``mixups`` that are good for training to the manifest ``output``.

    It and ``output`` with the suffix .rejected.jsonl are written completely or not at all. A row is
    a clip whose "mix" is the other recording (`auricle.audio.mixing`), with the id "mixup-<pair>"
    in the split "train"; its key "mixup" records its sources. If an answer has no relation, the
    caption decides whether one recording follows the other (`auricle.mixup.stems.order`). Without a
    ``detector``, no caption is disfluent. ``progress`` gets the number of finished rows.

    Raises DataError: ``mixups`` cannot be read, or is ``output``.
    """
    listed = output.with_suffix(".rejected.jsonl")
    if mixups.resolve() in (output.resolve(), listed.resolve()):
        raise DataError(f"{mixups}: would be overwritten; give another output")
    total = sum(1 for _ in raw_lines(mixups, "mix-ups"))
    kept = in_turn = done = 0
    seen: set[int] = set()
    rejected: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    with atomic_writer(listed) as bad, atomic_writer(output) as good:

        def reject(reason: str, answer: str, row: dict[str, Any]) -> None:
            rejected[reason] += 1
            if len(examples[reason]) < EXAMPLES:
                examples[reason].append(answer)
            bad.write(json.dumps({"reason": reason, **row}, ensure_ascii=False) + "\n")

        def broken(line: int, error: DataError) -> None:
            detail = str(error).removeprefix(f"{mixups}:{line}: ")
            reject(BROKEN_ROW, detail, {"line": line, "detail": detail})

        rows = read_rows(mixups, broken)
        while chunk := list(islice(rows, READ_AT_ONCE)):
            for row, cleaned, error in _judged(chunk, detector, max_words):
                reason = cleaned.reason or (AGAIN if row.pair in seen else None)
                if reason:
                    found: dict[str, Any] = {"text": cleaned.text}
                    found |= {} if error is None else {"error": round(error, 4)}
                    reject(reason, row.answer, found | json.loads(row_to_json(row, output.parent)))
                    continue
                clip = to_clip(row, cleaned.text)
                good.write(to_json(clip, output.parent) + "\n")
                seen.add(row.pair)
                kept += 1
                in_turn += clip.mix is not None and clip.mix.relation == FOLLOWED_BY
            done += len(chunk)
            progress("filtering", done + rejected[BROKEN_ROW], total)
    by_reason = Counter({name: rejected[name] for name in ALL_REASONS if rejected[name]})
    return Filtering(kept, in_turn, by_reason, dict(examples), listed)


def to_clip(row: MixupRow, caption: str) -> Clip:
    """The mix-up as a clip of a manifest, with its recordings in the order of their sounds."""
    in_turn, places = row.relation == FOLLOWED_BY, (0, 1)
    if row.relation is None and (found := order(caption, row.captions)):
        in_turn, places = True, found
    first, second = places
    sections = row.sections or ((None, None), (None, None))
    relation = FOLLOWED_BY if in_turn else TOGETHER
    made_of = {
        name: [getattr(row, name)[place] for place in places]
        for name in ("ids", "captions", "sources")
    }
    made_by = {name: getattr(row, name) for name in ("prompt", "model", "provider", "seed")}
    return Clip(
        audio=row.audio[first],
        captions=(caption,),
        id=f"mixup-{row.pair}",
        split="train",
        start_s=sections[first][0],
        end_s=sections[first][1],
        licence=_licence([row.licences[place] for place in places]),
        source=row.sources[first],
        mix=Mix(row.audio[second], *sections[second], relation=relation),
        extra={"mixup": made_of | made_by},
    )


def _judged(
    rows: Sequence[MixupRow], detector: FluencyDetector | None, max_words: int
) -> Iterator[tuple[MixupRow, CleanedAnswer, float | None]]:
    """Each row with its caption, and the error probability if there is a detector."""
    cleaned = [clean(row.answer, row.captions, max_words) for row in rows]
    texts = [one.text for one in cleaned if one.reason is None]
    errors = iter(map(float, detector.error(texts)) if detector and texts else ())
    for row, one in zip(rows, cleaned, strict=True):
        error = next(errors, None) if one.reason is None else None
        if detector and error is not None and error > detector.threshold:
            one = CleanedAnswer(one.text, DISFLUENT)
        yield row, one, error


def _licence(licences: Sequence[str | None]) -> str | None:
    """The licences of a mix, joined; None if neither is known."""
    if not any(licences):
        return None
    return " and ".join(dict.fromkeys(name or "not stated" for name in licences))
