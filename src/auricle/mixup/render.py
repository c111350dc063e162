"""Rendering of a manifest's mix-ups to waveform files, or to a manifest that training mixes.

kept.jsonl ─► both recordings ─► level, offset, order ─► FOLDER/audio/<id>.flac
                 (threads)                             └► FOLDER/manifest.jsonl
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from auricle.audio.header import probe
from auricle.audio.load import SAMPLE_RATES_HZ
from auricle.audio.lookahead import in_order
from auricle.audio.mixing import LEVEL_RANGE_DB
from auricle.data.clip import Clip, Mix, Mixed, load_mix
from auricle.data.manifest import portable, read_lines, write_manifest
from auricle.errors import AudioError, DataError
from auricle.files import raw_lines
from auricle.mixup.waveforms import FORMATS, read_comment, write_waveform
from auricle.watch import OnSkip, Progress, silent

_Named: TypeAlias = tuple[Clip, Mix, str]  # a row, its mix, the name of its file
_Made: TypeAlias = tuple[Clip, Clip | str, bool]  # a row, its clip or a reason, whether it is new


@dataclass(frozen=True)
class Rendering:
    """Options of rendering.

    ``mix_range_db``: largest difference of levels that are drawn (published: 5);
    ``max_duration_s``: longest mix, as the model hears it; ``seed`` fixes the draws, with a row's
    id.
    """

    sample_rate_hz: int = 16_000
    format: str = "flac"
    seed: int = 0
    mix_range_db: float = LEVEL_RANGE_DB
    max_duration_s: float = 30.0

    def __post_init__(self) -> None:
        lowest, highest = SAMPLE_RATES_HZ
        if not lowest <= self.sample_rate_hz <= highest:
            rule = f"it must lie between {lowest} and {highest}"
            raise DataError(f"a sample rate of {self.sample_rate_hz} Hz; {rule}")
        if self.format not in FORMATS:
            raise DataError(f'the format "{self.format}"; known are {", ".join(FORMATS)}')

    def mixed(self, clip: Clip, other: Mix) -> Mixed:
        """The mix of ``clip`` and ``other``; AudioError if one cannot be read."""
        return load_mix(
            clip,
            other,
            self.sample_rate_hz,
            self.max_duration_s,
            self.seed,
            mix_range_db=self.mix_range_db,
        )


@dataclass(frozen=True)
class Rendered:
    """Counts of mix-ups: new, already there, failed; and their manifest."""

    made: int
    there: int
    failed: int
    manifest: Path


def render(
    manifest: Path,
    folder: Path,
    rendering: Rendering | None = None,
    workers: int | None = None,
    on_skip: OnSkip = silent,
    progress: Progress = silent,
) -> Rendered:
    """Mix every row of ``manifest`` into a file below ``folder``, and write their manifest there.

    A row keeps all keys except "mix"; its key "mixed" names both recordings, the level and the
    offset. Files of an earlier call with the same recordings and options are kept. Rows that cannot
    be mixed go to ``on_skip``. ``progress`` gets the number of finished rows.

    Raises DataError: ``manifest`` cannot be read, or no row can be mixed.
    """
    make = partial(_rendered, folder, rendering or Rendering())
    return _written(manifest, folder, make, workers, on_skip, partial(progress, "rendering"))


def refer(
    manifest: Path,
    folder: Path,
    workers: int | None = None,
    on_skip: OnSkip = silent,
    progress: Progress = silent,
) -> Rendered:
    """Write the rows of ``manifest`` whose recordings can be opened as the manifest of ``folder``;
    training mixes them and draws level and offset. Otherwise as `render`."""
    return _written(manifest, folder, _checked, workers, on_skip, partial(progress, "checking"))


def mixups(manifest: Path, on_skip: OnSkip = silent) -> Iterator[tuple[Clip, Mix]]:
    """The rows of ``manifest`` with their mix; rows without one go to ``on_skip``."""

    def broken(line: int, error: DataError) -> None:
        on_skip(f"{manifest}:{line}", str(error).removeprefix(f"{manifest}:{line}: "))

    for line, clip in read_lines(manifest, broken):
        if clip.mix:
            yield clip, clip.mix
        else:
            on_skip(f"{manifest}:{line}", 'not a mix-up: it has no "mix"')


def _written(
    manifest: Path,
    folder: Path,
    make: Callable[[_Named], _Made],
    workers: int | None,
    on_skip: OnSkip,
    progress: Callable[[int, int], None],
) -> Rendered:
    """The manifest of ``folder``, with the result of ``make`` for each mix-up."""
    target = folder / "manifest.jsonl"
    if target.resolve() == manifest.resolve():
        raise DataError(f"{manifest}: would be overwritten; give another output folder")
    total = sum(1 for _ in raw_lines(manifest, "manifest"))
    counts, skips = Counter[bool](), _Skips(on_skip)

    def clips() -> Iterator[Clip]:
        for row, found, new in in_order(make, _named(mixups(manifest, skips)), workers):
            if isinstance(found, str):
                skips(row.id, found)
            else:
                counts[new] += 1
                yield found
            progress(counts.total() + skips.count, total)
        if not counts:
            raise DataError(f"{manifest}: no mix-up that can be mixed; {skips.first or 'no rows'}")

    write_manifest(target, clips())
    return Rendered(counts[True], counts[False], skips.count, target)


class _Skips:
    """An `OnSkip` that passes rows on, counts them, and keeps the first reason."""

    def __init__(self, on_skip: OnSkip) -> None:
        self.count, self.first, self._on_skip = 0, "", on_skip

    def __call__(self, where: str, why: str) -> None:
        self.count += 1
        self.first = self.first or f"the first, {where}: {why}"
        self._on_skip(where, why)


def _named(rows: Iterator[tuple[Clip, Mix]]) -> Iterator[_Named]:
    """Each row with a unique file name for any file system."""
    taken: set[str] = set()
    for clip, other in rows:
        plain = name = re.sub(r"[^\w.-]", "_", clip.id).strip(".")[:80] or "_"
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        yield clip, other, name


def _rendered(folder: Path, rendering: Rendering, row: _Named) -> _Made:
    """The row with the clip of its file, which is written if needed."""
    clip, other, name = row
    path = folder / "audio" / f"{name}.{rendering.format}"
    try:
        request = _request(clip, other, rendering)
        found, new = read_comment(path), False
        if found.pop("request", None) != request:
            mixed, new = rendering.mixed(clip, other), True
            level_db = round(mixed.mix.level_db or 0.0, 4)
            found = {"level_db": level_db, "offset_s": mixed.mix.offset_s}
            comment = {"request": request, **found}
            write_waveform(path, mixed.waveform, rendering.sample_rate_hz, comment)
    except AudioError as error:
        return clip, str(error), False
    mixed_from = {
        "audio": [portable(part.audio, folder) for part in (clip, other)],
        "sections": [[part.start_s, part.end_s] for part in (clip, other)],
        "relation": other.relation,
        **found,
    }
    extra = {**clip.extra, "mixed": mixed_from}
    done = replace(clip, audio=path, start_s=None, end_s=None, mix=None, extra=extra)
    return clip, done, new


def _request(clip: Clip, other: Mix, rendering: Rendering) -> str:
    """A digest of a file's sources and options; if it changes, the file is rendered again."""
    parts: list[Any] = [clip.id, asdict(rendering), asdict(other), clip.start_s, clip.end_s]
    for path in (clip.audio, other.audio):
        try:
            status = path.stat()
        except OSError as error:
            raise AudioError(
                f"{path}: cannot be read ({error.strerror}); check the path"
            ) from error
        parts += [str(path), status.st_size, status.st_mtime_ns]
    return hashlib.blake2b(json.dumps(parts, default=str).encode(), digest_size=12).hexdigest()


def _checked(row: _Named) -> _Made:
    """The unchanged row, if both recordings can be opened."""
    clip, other, _ = row
    try:
        for part in (clip, other):
            probe(part.audio)
    except AudioError as error:
        return clip, str(error), False
    return clip, clip, True
