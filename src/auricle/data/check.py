"""Checks of manifests: faults of audio and captions, duplicates, leaks between splits."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from auricle.audio.lookahead import in_order
from auricle.audio.measure import FLOOR_DBFS, SoundMeasures, measure
from auricle.data.captions import CaptionLimits, faults
from auricle.data.clip import Clip
from auricle.data.leaks import file_name, find_leaks, source_of
from auricle.data.manifest import read_lines
from auricle.errors import AudioError, DataError
from auricle.text.normalise import as_compared
from auricle.watch import Progress, silent

# Kind of finding -> its effect in a cleaned manifest.
ROW, CAPTION, KEPT = "row dropped", "caption dropped", "kept"
KINDS = {
    "broken row": ROW,
    "unreadable audio": ROW,
    "leak": ROW,
    "silent": ROW,
    "too short": ROW,
    "duplicate audio": ROW,
    "no caption": ROW,
    "duplicate id": KEPT,
    "too long": KEPT,
    "cut short": KEPT,
    "clipped": KEPT,
    "same file name": KEPT,
    "empty caption": CAPTION,
    "broken caption": CAPTION,
    "duplicate caption": KEPT,  # people agree, and references must stay
}
FATAL = ("broken row", "unreadable audio", "leak")  # the command fails


@dataclass(frozen=True)
class Limits:
    """Limits for clips without faults. The captioner hears 30 s; Clotho's clips have 15 to 30 s."""

    min_duration_s: float = 1.0
    max_duration_s: float = 30.5
    silent_dbfs: float = -60.0  # RMS; a good recording of a quiet room is about 10 dB above
    clipped_share: float = 0.001
    missing_s: float = 0.5  # against the header; mp3 headers are wrong by a frame or two
    captions: CaptionLimits = field(default_factory=CaptionLimits)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, of the row at ``manifest``:``line`` or of its caption number ``caption``."""

    kind: str
    manifest: str
    line: int
    id: str
    split: str
    detail: str
    caption: int | None = None


@dataclass(frozen=True)
class Report:
    """The result of a check; ``clips``, ``captions`` and ``duration_s`` count also faulty ones."""

    clips: int
    captions: int
    duration_s: float
    findings: list[Finding]

    @property
    def counts(self) -> Counter[str]:
        return Counter(finding.kind for finding in self.findings)

    @property
    def fatal(self) -> int:
        return sum(count for kind, count in self.counts.items() if kind in FATAL)


@dataclass(frozen=True, slots=True)
class _Row:
    manifest: Path
    line: int
    clip: Clip

    def finding(self, kind: str, detail: str, caption: int | None = None) -> Finding:
        clip = self.clip
        where = (str(self.manifest), self.line, clip.id, clip.split)
        return Finding(kind, *where, detail, caption)


def check(
    manifests: Iterable[Path],
    limits: Limits | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Check every row of ``manifests``, which form one data set, and its audio.

    ``workers`` threads decode audio (decoders release Python's lock; by default one per processor).
    ``progress`` gets decoded clips and their number. Broken rows become findings; DataError: a
    manifest cannot be opened.
    """
    limits = limits or Limits()
    manifests = [Path(manifest) for manifest in manifests]
    rows: list[_Row] = []
    findings: list[Finding] = []
    for manifest in manifests:

        def broken(line: int, error: DataError, name: str = str(manifest)) -> None:
            findings.append(Finding("broken row", name, line, "", "", str(error)))

        rows += [_Row(manifest, line, clip) for line, clip in read_lines(manifest, broken)]
    for row in rows:
        findings += _caption_findings(row, limits.captions)
    sounds: dict[int, SoundMeasures] = {}
    for number, measured in enumerate(_measured(rows, workers)):
        if isinstance(measured, SoundMeasures):
            sounds[number] = measured
            findings += _sound_findings(rows[number], measured, limits)
        else:
            findings.append(rows[number].finding("unreadable audio", str(measured)))
        progress("clips", number + 1, len(rows))
    findings += _identity_findings(rows, sounds, limits)
    order = {str(manifest): rank for rank, manifest in enumerate(manifests)}
    findings.sort(key=lambda item: (order[item.manifest], item.line))
    captions = sum(len(row.clip.captions) for row in rows)
    return Report(len(rows), captions, sum(s.duration_s for s in sounds.values()), findings)


def _measured(rows: list[_Row], workers: int | None) -> Iterator[SoundMeasures | AudioError]:
    """Each row's measures or its error, in order, a few rows ahead of the caller."""

    def measured(row: _Row) -> SoundMeasures | AudioError:
        try:
            return measure(row.clip.audio, row.clip.start_s, row.clip.end_s)
        except AudioError as error:
            return error

    return in_order(measured, rows, workers)


def _caption_findings(row: _Row, limits: CaptionLimits) -> Iterator[Finding]:
    if not row.clip.captions:
        yield row.finding("no caption", "the list of captions is empty")
    seen: dict[str, int] = {}
    for number, caption in enumerate(row.clip.captions):
        wrong = list(faults(caption, limits))
        key = as_compared(caption) or caption
        if "empty" in wrong:
            yield row.finding("empty caption", "no text", number)
        elif wrong:
            yield row.finding("broken caption", f"{', '.join(wrong)}: {caption!r}", number)
        elif key in seen:
            yield row.finding(
                "duplicate caption", f"as number {seen[key] + 1}: {caption!r}", number
            )
        seen.setdefault(key, number)


def _sound_findings(row: _Row, sound: SoundMeasures, limits: Limits) -> Iterator[Finding]:
    if sound.duration_s < limits.min_duration_s:
        detail = f"{sound.duration_s:.2f} s, under {limits.min_duration_s:g} s"
        yield row.finding("too short", detail)
    if sound.duration_s > limits.max_duration_s:
        yield row.finding("too long", f"{sound.duration_s:.1f} s, over {limits.max_duration_s:g} s")
    if sound.missing_s > limits.missing_s:
        yield row.finding("cut short", f"the file's last {sound.missing_s:.1f} s are missing")
    if sound.level_dbfs < limits.silent_dbfs:
        level = "digital" if sound.level_dbfs <= FLOOR_DBFS else f"{sound.level_dbfs:.0f} dBFS"
        yield row.finding("silent", f"{level} silence")
    if sound.clipped > limits.clipped_share:
        yield row.finding("clipped", f"{100 * sound.clipped:.2g} % of the samples")


def _identity_findings(
    rows: list[_Row], sounds: dict[int, SoundMeasures], limits: Limits
) -> Iterator[Finding]:
    """Leaks, duplicates and file names that two splits share; a row leaks once, for one reason."""
    splits = {number: row.clip.split for number, row in enumerate(rows)}
    audible = {n: s for n, s in sounds.items() if s.level_dbfs >= limits.silent_dbfs}
    sources = {n: source for n, row in enumerate(rows) if (source := source_of(row.clip))}
    leaking: set[int] = set()
    ways = {
        "the same source, {}": sources.items(),
        "the same samples": [(n, sound.digest) for n, sound in audible.items()],
        "the same file": [(n, os.path.realpath(row.clip.audio)) for n, row in enumerate(rows)],
    }
    for way, keys in ways.items():
        for leak in find_leaks(keys, splits):
            if leak.row not in leaking:
                leaking.add(leak.row)
                detail = f"{way.format(leak.key)}, as {_named(rows[leak.other])}"
                yield rows[leak.row].finding("leak", detail)
    names = [(n, file_name(row.clip)) for n, row in enumerate(rows) if n not in sources]
    for leak in find_leaks(names, splits):
        if leak.row not in leaking:
            yield rows[leak.row].finding("same file name", f"as {_named(rows[leak.other])}")
    first: dict[tuple[str, str], int] = {}
    for number, sound in audible.items():
        other = first.setdefault((sound.digest, splits[number]), number)
        if other != number:
            yield rows[number].finding("duplicate audio", f"as {_named(rows[other])}")
    ids: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        ids[row.clip.id].append(row)
    for same in ids.values():
        for row in same[1:]:
            yield row.finding("duplicate id", f"as {same[0].manifest}:{same[0].line}")


def _named(row: _Row) -> str:
    return f"{row.clip.id} in {row.clip.split}"
