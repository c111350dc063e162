"""Schema: plain values (of TOML or JSON) -> nested frozen dataclasses; keys and types checked."""

from __future__ import annotations

import dataclasses
import difflib
import reprlib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from auricle.errors import ModelError

T = TypeVar("T")
NAMES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
SHOWN = 80  # characters of a wrong value in a message
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = SHOWN


@dataclass(frozen=True)
class Range:
    """Bounds of a field, both allowed, as in ``layers: Annotated[int, Range(1, 100)]``; `check`
    reads them. Of a text or list they bound the length."""

    least: float
    most: float

    def __contains__(self, value: Any) -> bool:
        size = len(value) if isinstance(value, str | tuple) else value
        return bool(self.least <= size <= self.most)  # not for NaN

    def __str__(self) -> str:
        return f"from {self.least:,} to {self.most:,}"


SEEDS = Range(0, 2**63 - 1)  # of torch's generators, and of numpy's


def build(cls: type[T], values: Mapping[str, Any], where: str, section: str = "") -> T:
    """``cls(**values)`` for a dataclass; nested mappings become its nested dataclasses.

    Raises:
        ModelError: a key is unknown, missing or of the wrong type, or a value is out of range; the
            message names ``where``, the key and the nearest known key.
    """
    hints = _hints(cls)  # type: ignore[arg-type]
    built = {}
    for key, value in values.items():
        name = f"{section}.{key}" if section else key
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(hints)}"
            raise ModelError(f"{where}: key {shown(name)} is unknown; {hint}")
        built[key] = _fit(value, hints[key], where, name)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if field.name not in built and not optional:
            name = f"{section}.{field.name}" if section else field.name
            raise ModelError(f"{where}: key {name!r} is missing; it must be given")
    try:
        return cls(**built)
    except ValueError as error:
        raise ModelError(f"{where}: {section + ': ' if section else ''}{error}") from error


def check(config: object, rules: Mapping[str, tuple[bool, str]] | None = None) -> None:
    """Raise ValueError for the first field that breaks its rule (kept or not, rule in words) or is
    out of its `Range`."""
    for name, (kept, rule) in (rules or {}).items():
        if not kept:
            raise ValueError(f"{name}={shown(getattr(config, name))}: must be {rule}")
    for name, bounds in _ranges(type(config)).items():  # type: ignore[arg-type]
        if (value := getattr(config, name)) not in bounds:
            units = " characters" * isinstance(value, str) or " items" * isinstance(value, tuple)
            verb = "have" if units else "be"
            raise ValueError(f"{name}={shown(value)}: must {verb} {bounds}{units}")


def shown(value: object) -> str:
    """``value`` in a message: one short line."""
    text = _SHORT.repr(value)  # which does not descend for ever into what is nested
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _ranges(cls: type) -> dict[str, Range]:
    hints = get_type_hints(cls, include_extras=True)
    annotated = {name: get_args(h)[1] for name, h in hints.items() if get_origin(h) is Annotated}
    return {name: extra for name, extra in annotated.items() if isinstance(extra, Range)}


def _fit(value: Any, hint: Any, where: str, name: str) -> Any:
    """``value`` in the type of ``hint``: a whole number fits a number, a list becomes a tuple, a
    single string a tuple of one."""
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in options:
            return None
        kinds = [kind for kind in options if kind is not types.NoneType]
        return _fit(value, _kind(kinds, value, where, name), where, name)
    if dataclasses.is_dataclass(hint):
        if dataclasses.is_dataclass(value):
            return value
        if isinstance(value, Mapping):
            return build(hint, value, where, name)  # type: ignore[arg-type]
        raise _wrong(value, f"a section, [{name}]", where, name)
    if origin is Literal:
        if value not in options:
            raise _wrong(value, " or ".join(map(repr, options)), where, name)
        return value
    if origin is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise _wrong(value, "a list", where, name)
        return tuple(_fit(item, options[0], where, name) for item in items)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise _wrong(value, "a number that a computer can hold", where, name) from error
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _wrong(value, NAMES[hint], where, name)
    return value


def _kind(kinds: list[Any], value: Any, where: str, name: str) -> Any:
    """The dataclass that ``value`` names by its key "type"; the first if it names none."""
    if len(kinds) == 1:
        return kinds[0]
    by_type = {_hints(kind)["type"].__args__[0]: kind for kind in kinds}
    wanted = value.get("type", next(iter(by_type))) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and not (isinstance(wanted, str) and wanted in by_type):
        known = ", ".join(by_type)
        raise ModelError(f"{where}: {name} type {shown(wanted)} is unknown; known types: {known}")
    return by_type[wanted] if wanted else kinds[0]


def _wrong(value: Any, expected: str, where: str, name: str) -> ModelError:
    return ModelError(f"{where}: {name} is {shown(value)}, but must be {expected}")
