"""The recipes in the package, by name: ``own-data``, ``paper/pretrain`` ….

In a command a recipe is a TOML file, with or without its suffix, or a name; a file wins. A recipe
of the package is read as if it stood in the folder ``recipes`` of the working folder, where
`copy_recipe` puts it, so that its results lie in ``runs`` beside that.
"""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePath

from auricle.errors import ModelError
from auricle.files import is_file, listed

PACKAGED = Path(__file__).resolve().parent
FOLDER = "recipes"  # in names and copies
TABLES = PACKAGED / "tiny"  # that the recipe tiny names


def recipe_names() -> list[str]:
    """The names of the recipes in the package, overlays included."""
    files = (file for file in PACKAGED.rglob("*.toml") if file.parent != TABLES)
    return sorted(file.relative_to(PACKAGED).with_suffix("").as_posix() for file in files)


def recipe_file(name: str | Path, folder: Path = Path()) -> Path:
    """The file ``name`` in ``folder``, with ``.toml`` after it, or ``recipe.toml`` in it; else the
    recipe of the package with this name, which may begin with ``recipes/``.

    Raises ModelError: there is none; lists the names.
    """
    path = folder / name
    for file in (path, path.parent / f"{path.name}.toml", path / "recipe.toml"):
        if is_file(file):
            return file
    return packaged_file(name)


def packaged_file(name: str | Path) -> Path:
    """The file of a recipe of the package; raises as `recipe_file`."""
    path = PurePath(name)
    known = path.relative_to(FOLDER) if path.parts[:1] == (FOLDER,) else path
    text = known.as_posix().removesuffix(".toml")
    if text not in recipe_names():
        raise ModelError(
            f"{listed([name], letters=200)}: no such recipe; give a TOML file, or one of"
            f" {', '.join(recipe_names())}"
        )
    return PACKAGED / f"{text}.toml"


def home(file: Path) -> Path:
    """The folder that the paths in a recipe's file are meant from."""
    if file.is_relative_to(PACKAGED):
        return Path.cwd() / FOLDER / file.parent.relative_to(PACKAGED)
    return file.parent


def about(name: str) -> str:
    """The first comment of a recipe of the package."""
    first = packaged_file(name).read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip()


def copy_recipe(name: str, to: Path) -> list[Path]:
    """Copy a recipe of the package, what it builds on and the tables it names, into the folder
    ``to``; equal files stay. Returns the files, the recipe first.

    Raises ModelError: there is no such recipe, or a file would be overwritten by another.
    """
    sources = list(dict.fromkeys(_with_parents(packaged_file(name))))
    targets = [to / source.relative_to(PACKAGED) for source in sources]
    for source, target in zip(sources, targets, strict=True):
        if target.exists() and not (
            target.is_file() and target.read_bytes() == source.read_bytes()
        ):
            raise ModelError(
                f"{target}: exists and differs from the packaged recipe; give another folder"
            )
    for source, target in zip(sources, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return targets


def _with_parents(file: Path) -> list[Path]:
    """The recipe, the recipes it builds on, and the tables that it names."""
    text = file.read_text(encoding="utf-8")
    bases = tomllib.loads(text).get("base", [])
    found = [file]
    for base in [bases] if isinstance(bases, str) else bases:
        found += _with_parents(recipe_file(base, file.parent))
    tables = sorted(TABLES.glob("*.toml"))
    return found + [table for table in tables if f'"{TABLES.name}/{table.name}"' in text]
