"""Dropping: a manifest without its faults, and a list of the dropped rows with reasons."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from auricle.data.check import CAPTION, KINDS, ROW, Finding, Report
from auricle.data.manifest import read_lines, to_json
from auricle.files import atomic_writer


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The result of `clean`: kept clips, dropped rows and single captions, the file that lists
    them."""

    kept: int
    rows: int
    captions: int
    dropped: Path


def clean(manifests: Iterable[Path], report: Report, out: Path) -> Cleaned:
    """Write the rows of ``manifests`` without the faults in ``report`` to the manifest ``out``.

    A row without captions is dropped. ``out`` with the suffix .dropped.jsonl gets a line for every
    changed row: the row with its dropped captions, and ``reasons``. Both files are written
    completely or not at all.
    """
    found: dict[tuple[str, int], list[Finding]] = defaultdict(list)
    for finding in report.findings:
        if KINDS[finding.kind] in (ROW, CAPTION):
            found[finding.manifest, finding.line].append(finding)
    dropped = out.with_suffix(".dropped.jsonl")
    kept = rows = captions = 0
    with atomic_writer(dropped) as bad, atomic_writer(out) as good:
        for manifest in map(Path, manifests):
            broken: list[int] = []
            for line, clip in read_lines(manifest, lambda line, _: broken.append(line)):  # noqa: B023
                wrong = found[str(manifest), line]
                faulty = {item.caption for item in wrong if item.caption is not None}
                left = tuple(c for n, c in enumerate(clip.captions) if n not in faulty)
                whole = not left or any(KINDS[item.kind] == ROW for item in wrong)
                if whole:
                    rows += 1
                    left = ()
                else:
                    kept += 1
                    captions += len(faulty)
                    good.write(to_json(replace(clip, captions=left), out.parent) + "\n")
                if wrong:
                    lost = tuple(c for n, c in enumerate(clip.captions) if whole or n in faulty)
                    reasons = [f"{item.kind}: {item.detail}" for item in wrong]
                    row = replace(clip, captions=lost)
                    place = f"{manifest}:{line}"
                    text = to_json(row, out.parent, reasons=reasons, row=place, whole_row=whole)
                    bad.write(text + "\n")
            for line in broken:
                rows += 1
                reasons = [item.detail for item in found[str(manifest), line]]
                bad.write(json.dumps({"row": f"{manifest}:{line}", "reasons": reasons}) + "\n")
    return Cleaned(kept, rows, captions, dropped)
