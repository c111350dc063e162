"""Filtering of generated mix-ups into a manifest for training; rejects, with reasons, beside it.

mixups.jsonl ─► cleaned ─► of both captions ─► not repeated ─► fluent ─► kept.jsonl
                   └──────────────┴──────────────────┴───────────┴─────► kept.rejected.jsonl
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
from auricle.mixup.cleaning import REASONS, SENTENCES, CleanedAnswer, clean
from auricle.mixup.events import NEITHER, ONE, OTHERS, Likeness
from auricle.mixup.order import order
from auricle.mixup.pairs import digest
from auricle.mixup.prompts import MAX_WORDS
from auricle.mixup.repeats import FRAMED, REPEATED, Repeats
from auricle.watch import Progress, silent

if TYPE_CHECKING:
    from auricle.text.fluency import FluencyDetector

DISFLUENT = "disfluent"
AGAIN = "pair there already"
BROKEN_ROW = "broken row"
ALL_REASONS = (BROKEN_ROW, *REASONS, REPEATED, FRAMED, DISFLUENT, AGAIN)
UNLIKE = (None, SENTENCES, NEITHER, ONE, OTHERS)  # a repeated answer is the better reason
EXAMPLES = 3  # answers per reason
READ_AT_ONCE = 512  # rows whose captions are judged together
OTHER_CAPTIONS = 256  # that an answer is compared with


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
    caption decides whether one recording follows the other (`auricle.mixup.order.order`). Without a
    ``detector``, no caption is disfluent. ``progress`` gets the number of finished rows. The file
    is read several times, row by row.

    Raises DataError: ``mixups`` cannot be read, or is ``output``.
    """
    listed = rejects_of(output)
    if mixups.resolve() in (output.resolve(), listed.resolve()):
        raise DataError(f"{mixups}: would be overwritten; give another output")
    total = sum(1 for _ in raw_lines(mixups, "mix-ups"))
    checks = RowFilter(
        detector, max_words, Likeness(_captions(_rows(mixups))), Repeats(_rows(mixups))
    )
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
            for row, cleaned, error in checks.judged(chunk):
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


def rejects_of(manifest: Path) -> Path:
    """The file of the rows that were rejected when ``manifest`` was filtered."""
    return manifest.with_suffix(".rejected.jsonl")


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


@dataclass(frozen=True)
class RowFilter:
    """The checks of the rows of one file."""

    detector: FluencyDetector | None
    max_words: int
    likeness: Likeness
    repeats: Repeats

    def judged(
        self, rows: Sequence[MixupRow]
    ) -> Iterator[tuple[MixupRow, CleanedAnswer, float | None]]:
        """Each row with its caption, and the error probability if there is a detector."""
        cleaned = [self._cleaned(row) for row in rows]
        texts = [one.text for one in cleaned if one.reason is None]
        detector = self.detector
        errors = iter(map(float, detector.error(texts)) if detector and texts else ())
        for row, one in zip(rows, cleaned, strict=True):
            error = next(errors, None) if one.reason is None else None
            if detector and error is not None and error > detector.threshold:
                one = CleanedAnswer(one.text, DISFLUENT)
            yield row, one, error

    def _cleaned(self, row: MixupRow) -> CleanedAnswer:
        one = clean(row.answer, row.captions, self.max_words, self.likeness)
        repeated = self.repeats.fault(row) if one.reason in UNLIKE else None
        return CleanedAnswer(one.text, repeated) if repeated else one


def _rows(mixups: Path) -> Iterator[MixupRow]:
    """Those that can be read."""
    return read_rows(mixups, silent)


def _captions(rows: Iterable[MixupRow]) -> list[str]:
    """`OTHER_CAPTIONS` of ``rows``, drawn by their digests: the same in any order of rows."""
    found: dict[int, str] = {}
    for row in rows:
        found |= {digest(caption): caption for caption in row.captions}
        if len(found) > 2 * OTHER_CAPTIONS:
            found = dict(sorted(found.items())[:OTHER_CAPTIONS])
    return [caption for _, caption in sorted(found.items())[:OTHER_CAPTIONS]]


def _licence(licences: Sequence[str | None]) -> str | None:
    """The licences of a mix, joined; None if neither is known."""
    if not any(licences):
        return None
    return " and ".join(dict.fromkeys(name or "not stated" for name in licences))
