"""A validation split, held out of a data set that has none."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from auricle.data.clip import Clip
from auricle.data.leaks import file_name, source_of


def hold_out(
    clips: Sequence[Clip], share: float, among: Collection[int] | None = None, split: str = "val"
) -> list[Clip]:
    """``clips`` in order, with about ``share`` of those at the indices ``among`` (by default all)
    moved to ``split``: at least one recording, and never all.

    Clips of one source or file stay together. The hash of a recording's name decides its split, so
    a data set keeps most of its split when it grows or moves.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place in range(len(clips)) if among is None else among:
        groups[source_of(clips[place]) or file_name(clips[place])].append(place)
    wanted = share * sum(map(len, groups.values()))
    held: set[int] = set()
    for name in sorted(groups, key=_hash)[: len(groups) - 1]:
        if held and len(held) + len(groups[name]) / 2 > wanted:
            break
        held.update(groups[name])
    return [replace(clip, split=split) if n in held else clip for n, clip in enumerate(clips)]


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "backslashreplace"), digest_size=16).digest()
