"""AudioSet's classes as YAMNet counts them, and which class is a kind of which."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

# YAMNet has no classes for the speaker's sex; its Speech hears both (AudioSet ids).
MERGED = {"/m/05zppz": "/m/09x0r", "/m/02zsn": "/m/09x0r"}


class Ontology:
    """C classes in the encoder's order.

    Args:
        names: display names, as `Yamnet.class_names` gives them.
        folder: holds AudioSet's ``ontology.json`` (CC BY-SA 4.0) and ``class_labels_indices.csv``.

    Attributes:
        ancestors: [C, C] bool, ``ancestors[c, a]`` when c is a kind of a.
    """

    def __init__(self, names: Sequence[str], folder: str | Path) -> None:
        self.names = tuple(names)
        self.index = {name: i for i, name in enumerate(self.names)}
        with (Path(folder) / "class_labels_indices.csv").open(encoding="utf-8") as file:
            named = {row["mid"]: row["display_name"] for row in csv.DictReader(file)}
        # Two display names differ between AudioSet's list and YAMNet's only in their mids' order.
        self._by_mid = {mid: self.index[n] for mid, n in named.items() if n in self.index}
        self._by_mid.update({old: self._by_mid[new] for old, new in MERGED.items()})
        tree = json.loads((Path(folder) / "ontology.json").read_text(encoding="utf-8"))
        children = {node["id"]: node["child_ids"] for node in tree}
        self.ancestors = np.zeros((len(self), len(self)), dtype=bool)
        for mid, index in self._by_mid.items():
            for below in _descendants(mid, children):
                kind = self._by_mid.get(below, index)
                if kind != index:
                    self.ancestors[kind, index] = True

    def __len__(self) -> int:
        return len(self.names)

    def targets(self, mids: Iterable[str]) -> np.ndarray:
        """AudioSet ids -> [C] float32 of zeros and ones; ids YAMNet lacks are left out."""
        row = np.zeros(len(self), dtype=np.float32)
        row[[self._by_mid[mid] for mid in mids if mid in self._by_mid]] = 1.0
        return row


def _descendants(mid: str, children: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    stack = list(children.get(mid, ()))
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(children.get(node, ()))
    return found
