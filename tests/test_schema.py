"""Ranges of fields, and wrong values in messages."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from auricle.errors import ModelError
from auricle.schema import Range, build, check


@dataclass(frozen=True)
class Sizes:
    layers: Annotated[int, Range(1, 100)] = 2
    scale: Annotated[float, Range(0, 1)] = 0.5
    names: Annotated[tuple[str, ...], Range(0, 3)] = ()

    def __post_init__(self):
        check(self, {"layers": (self.layers != 13, "another number than 13")})


def nested(depth):
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": 10**6}, "f: layers=1000000: must be from 1 to 100"),
        ({"layers": 0}, "must be from 1 to 100"),
        ({"layers": 13}, "another number"),
        ({"scale": 10**400}, "a number that a computer can hold"),
        ({"scale": float("nan")}, "scale=nan: must be from 0 to 1"),
        ({"scale": float("inf")}, "scale=inf"),
        ({"names": list("abcd")}, "must have from 0 to 3 items"),
        ({"layers": True}, "layers is True, but must be a whole number"),
        ({"k" * 10_000: 1}, "is unknown"),
        ({"layers": "x" * 10_000}, "must be a whole number"),
        ({"layers": nested(900)}, "must be a whole number"),
    ],
)
def test_a_value_out_of_range_is_named_in_one_short_line(values, message):
    with pytest.raises(ModelError) as caught:
        build(Sizes, values, "f")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_bounds_are_allowed_and_rules_hold_in_code_too():
    assert Sizes(100, 1, ("a",)).layers == 100
    with pytest.raises(ValueError, match="layers=101"):
        Sizes(101)
