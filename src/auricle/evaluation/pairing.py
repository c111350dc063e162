"""Pairs of predictions and clips; a row without a partner is named, never dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from auricle.data.reading import LeftOut
from auricle.errors import DataError
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference, References
from auricle.evaluation.rows import Faults
from auricle.text.normalise import is_blank


class PairingError(DataError):
    """Predictions and references that do not match; ``faults`` names the rows."""

    def __init__(self, message: str, faults: Faults) -> None:
        super().__init__(message)
        self.faults = faults


@dataclass(frozen=True)
class Pairs:
    """Clips with one prediction each, in the order of the references.

    Attributes:
        of: the number of clips in the references.
        faults: rows of both files without a pair, with reasons.
        notes: notes for readers of the scores.
    """

    predictions: tuple[Prediction, ...]
    references: tuple[Reference, ...]
    of: int
    faults: Faults
    notes: tuple[str, ...]

    @property
    def captions(self) -> list[str]:
        return [prediction.caption for prediction in self.predictions]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [reference.captions for reference in self.references]

    def only(self, ids: Container[str]) -> Pairs:
        """The pairs of the clips with these ids."""
        both = zip(self.predictions, self.references, strict=True)
        kept = [(prediction, clip) for prediction, clip in both if clip.id in ids]
        predictions, references = zip(*kept, strict=True)
        return replace(self, predictions=predictions, references=references)

    def rivals(self) -> list[list[str]] | None:
        """All candidates of each clip; None if every prediction has only its caption."""
        found = [
            list(dict.fromkeys((p.caption, *(c.text for c in p.candidates))))
            for p in self.predictions
        ]
        return found if any(len(texts) > 1 for texts in found) else None


def shared(first: Pairs, second: Pairs) -> tuple[Pairs, Pairs]:
    """Both, reduced to their common clips.

    Raises:
        PairingError: there are none.
    """
    common = {clip.id for clip in first.references} & {clip.id for clip in second.references}
    if not common:
        raise PairingError("the two files share no clip; give predictions of the same", Faults())
    return first.only(common), second.only(common)


def pair(
    predictions: Sequence[Prediction],
    references: References,
    partial: bool = False,
    drop_blank: bool = False,
) -> Pairs:
    """Match predictions with clips by id, file name, or file name without suffix.

    An empty caption is a prediction like any other, which scores 0; a note counts them.

    Args:
        partial: go on with what fits; the pairs still name what does not.
        drop_blank: leave out clips with an empty caption; the pairs still name them.

    Raises:
        PairingError: a prediction of no clip or of several, a clip without a prediction or with
            several, or nothing fits; ``partial`` lets only the last stop it.
    """
    clips = references.clips
    known = (*clips, *references.faulty)
    index = _index(known)
    faults = list(references.faults)
    by_clip: dict[int, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        found = _find(prediction.clip, index)
        if len(found) == 1:
            by_clip[found[0]].append(prediction)
        elif found:
            meant = " or ".join(known[number].id for number in found[:3])
            faults.append(
                LeftOut(prediction.where, "names several clips", f"{prediction.clip}: {meant}")
            )
        else:
            faults.append(
                LeftOut(prediction.where, "not among the references", prediction.clip or "no name")
            )
    pairs, blank = [], []
    for number, clip in enumerate(clips):
        rows = by_clip[number]
        if len(rows) > 1:
            faults += [LeftOut(row.where, "clip predicted twice", row.clip) for row in rows]
        elif not rows:
            faults.append(LeftOut(clip.where, "clip without a prediction", clip.id))
        else:
            empty = is_blank(rows[0].caption)
            if empty:
                blank.append(LeftOut(rows[0].where, "empty caption", rows[0].clip))
            if not (empty and drop_blank):
                pairs.append((rows[0], clip))
    wrong = Faults(tuple(faults + blank if drop_blank else faults))
    if not pairs or (faults and not partial):
        raise PairingError(_summary(len(pairs), len(clips), wrong), wrong)
    return Pairs(
        tuple(prediction for prediction, _ in pairs),
        tuple(clip for _, clip in pairs),
        len({clip.id for clip in known}),
        wrong,
        references.notes if drop_blank else (*references.notes, *_blank_notes(blank, len(pairs))),
    )


def _blank_notes(blank: Sequence[LeftOut], clips: int) -> list[str]:
    """How many of the captions are empty, and where they stand."""
    if not blank:
        return []
    what = "is empty and scores" if len(blank) == 1 else "are empty and score"
    counted = f"{len(blank):,} of {clips:,} captions {what} 0; --drop-blank leaves such clips out"
    return [counted, *Faults(tuple(blank)).lines()]


def _index(clips: Sequence[Reference]) -> dict[str, list[int]]:
    index: dict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        for name in dict.fromkeys(clip.names):
            index[name].append(number)
    return index


def _find(name: str, index: dict[str, list[int]]) -> list[int]:
    """The numbers of the clips that ``name`` may mean: one, several, or none."""
    path = PurePath(name.strip())
    several: list[int] = []
    for tried in dict.fromkeys((name.strip(), path.name, path.stem)):
        found = index.get(tried, [])
        if len(found) == 1:
            return found
        several = several or found
    return several


def _summary(fitting: int, clips: int, faults: Faults) -> str:
    reasons = {fault.reason for fault in faults.found}
    if not fitting:
        return "no prediction fits a clip of the references; are they of the same recordings?"
    count = len(faults.found)
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    return (
        f"{rows} amiss ({', '.join(sorted(reasons))}), {fitting:,} of {clips:,} clips fit; mend "
        "them, or score the clips that fit with --partial"
    )
