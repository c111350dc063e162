"""Recipes: TOML files that build on others, and changes "section.key=value"."""

from __future__ import annotations

import os
import re
import tempfile
from functools import cache
from pathlib import Path
from random import Random

from auricle.errors import AuricleError
from auricle.printable import printable
from auricle.recipes import PACKAGED
from auricle.training.recipe import load_recipe
from tests.fuzz.reader import Reader
from tests.fuzz.table_damage import BYTES

VALUES = [
    *"true false 0 -1 1 1.5 1e308 1e400 nan inf -inf 9223372036854775808 0x10 0o7 [] {}".split(),
    *('""', '"x"', '"../.."', '"/"', '"~nobody/x"', '"a\\u0000b"', '"\\ud800"', "'''\nx'''"),
    *("[[1]]", '["a", 1]', "{a = 1}", "1979-05-27T07:32:00Z", "07:32:00", "[" * 900 + "]" * 900),
    *("9" * 5000, '"' + "x" * 50_000 + '"', "[" * 20_000 + "]" * 20_000, '"yamnet"', '"cached"'),
    "{type = 'yamnet'}",
]
KEYS = [
    *("base", "start", "out", "name", "data", "unpaired", "model", "model.encoder", "training"),
    *("training.steps", "training.epochs", "data.train", "decoding", "tokenizer", "x", '""'),
    *(
        "a.b.c.d",
        ".".join("a" * 3000),
        '"a b"',
        '"\\n"',
        "training.preference",
        "training.tune_encoder",
        "augment.place",
    ),
]
BASES = ('"recipe"', '"./recipe.toml"', '"../../x"', '"/"', '["own-data", "recipe"]', "1", "[[]]")
BASES += ('"a\\u0000"', '"' + "x" * 5000 + '"', '["own-data"]', '"tiny"', "{}", '[1, "tiny"]', '""')


@cache
def _whole() -> list[str]:
    """The recipes of the package that are whole by themselves."""
    texts = [_by_names(path) for path in sorted(PACKAGED.rglob("*.toml"))]
    with tempfile.TemporaryDirectory() as place:
        return [text for text in texts if _is_read(Path(place, "recipe.toml"), text)]


def _is_read(path: Path, text: str) -> bool:
    path.write_text(text, encoding="utf-8")
    try:
        load_recipe(path)
    except AuricleError:
        return False
    return True


def _by_names(path: Path) -> str:
    """A recipe of the package, which names others so that they are found from anywhere."""

    def named(found: re.Match[str]) -> str:
        other = (path.parent / found[1]).resolve()
        return f'"{other.relative_to(PACKAGED).as_posix()}"' if other.is_file() else found[0]

    return re.sub(r'"([\w./-]+\.toml)"', named, path.read_text(encoding="utf-8"))


def write(random: Random, folder: Path) -> Path:
    text = random.choice(_whole())
    for _ in range(random.choice((1, 1, 2, 4))):
        text = random.choice(MUTATIONS)(random, text)
    content = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.1:
        content = random.choice(BYTES)(random, content)
    (folder / "other.toml").write_bytes(random.choice(_whole()).encode())
    (folder / "recipe.toml").write_bytes(content)
    if random.random() < 0.4:
        key, value = random.choice(KEYS), random.choice(VALUES)
        change = random.choice((f"{key}={value}", value, "other.toml", "recipe", f"{key} = {key}"))
        (folder / "change").write_bytes(change.encode("utf-8", "surrogatepass"))
    return folder / "recipe.toml"


def _value(random: Random, text: str) -> str:
    """Another value for a key of a line."""
    lines = text.splitlines() or [""]
    at = random.choice([n for n, line in enumerate(lines) if "=" in line] or [0])
    lines[at] = f"{lines[at].partition('=')[0] or 'x '}= {random.choice(VALUES)}"
    return "\n".join(lines) + "\n"


def _key(random: Random, text: str) -> str:
    """A key more, at the start or in the last section."""
    line = f"{random.choice(KEYS)} = {random.choice(VALUES)}\n"
    return line + text if random.random() < 0.5 else text + line


def _section(random: Random, text: str) -> str:
    line = random.choice((f"[{random.choice(KEYS)}]\n", f"[[{random.choice(KEYS)}]]\n"))
    return text + line + f"{random.choice(KEYS)} = {random.choice(VALUES)}\n"


def _base(random: Random, text: str) -> str:
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("base"))
    return f"base = {random.choice(BASES)}\n{kept}\n"


def _line(random: Random, text: str) -> str:
    lines = text.splitlines() or [""]
    at = random.randrange(len(lines))
    if random.random() < 0.5:
        del lines[at]
    else:
        lines.insert(at, random.choice(lines))
    return "\n".join(lines) + "\n"


def _letters(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice("\"'[]{}=.,#\n\0\ud800") + text[at + random.randrange(3) :]


MUTATIONS = (_value, _value, _value, _key, _section, _base, _line, _letters)


def read(path: Path) -> None:
    os.chdir(path.parent)  # of a user whose recipe it is
    change = path.with_name("change")
    changes = []
    if change.exists():
        changes.append(change.read_bytes().decode("utf-8", "surrogateescape"))
    try:
        load_recipe(path, changes).to_dict()
    except AuricleError as error:
        names = [path.name, "change ", *(printable(one[:20]) for one in changes)]
        if not any(name in str(error) for name in names):
            raise AssertionError(f"unnamed: {error}") from error
        raise


READER = Reader(write, read, named=False)
