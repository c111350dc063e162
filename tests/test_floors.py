"""The rooms stand on floors: no import climbs, and no imports go in a circle.

Every import counts: those inside functions, and those for types alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import auricle

SOURCE = Path(auricle.__file__).parent

# From the ground up. A room may import rooms of the lines before its own, and itself; rooms of one
# line do not know each other.
FLOORS = """
errors printable clock
files locks database watch schema processors allocator markdown extras
shards
fetch recipes llm ledger
audio
records
writers annotations model sidecars
jobs connection
text
data subtitles
decoding
hub
parts
hearing settings
sources outcomes describing
loaded timeline client
pipeline
metrics mixup
training
tuning evaluation
report tags tiny
search
parity serve batch
cli
""".strip().split("\n")
FLOOR = {room: number for number, line in enumerate(FLOORS) for room in line.split()}


def modules() -> dict[str, Path]:
    """Dotted name below auricle -> file, of every module; packages by their __init__."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: set[str]) -> Iterator[str]:
    """The modules of auricle that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            below = name.removeprefix("auricle.")
            if name.startswith("auricle.") and below in known:
                yield below


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    names = set(known) - {"__init__", "__main__"}
    found = {name: set(imports(known[name], names)) - {name} for name in names}
    for name, targets in found.items():  # a package's face is not what its files import
        found[name] = {t for t in targets if not name.startswith(f"{t}.")}
        faces = {t for t in targets if any(other.startswith(f"{t}.") for other in targets)}
        found[name] -= {face for face in faces if known[face].name == "__init__.py"}
    return found


def test_every_room_has_a_floor(graph):
    rooms = {name.partition(".")[0] for name in graph}
    assert rooms == set(FLOOR)


def test_no_import_climbs(graph):
    climbing = [
        f"{name} -> {target}"
        for name, targets in graph.items()
        for target in targets
        if (here := name.partition(".")[0]) != (there := target.partition(".")[0])
        and FLOOR[there] >= FLOOR[here]
    ]
    assert climbing == []


def test_no_imports_go_in_a_circle(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_the_reading_sees_imports_for_types_and_inside_functions(tmp_path):
    (tmp_path / "m.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from auricle.audio.load import load_audio\n"
        "def f():\n    import auricle.schema\n    from auricle.hub import folder\n"
    )
    known = {"audio.load", "schema", "hub.folder", "hub"}
    assert set(imports(tmp_path / "m.py", known)) == known
