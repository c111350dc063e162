"""Broken and hostile tables: what is read or refused, on a small run of the benchmark."""

import runpy

import pytest

from auricle.errors import DataError
from tests.helpers.paths import ROOT

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "benchmarks/hostile")  # as when it runs as a program
    BENCHMARK = runpy.run_path(str(ROOT / "benchmarks/hostile/tables.py"))


def test_no_mutation_escapes_and_none_is_unnamed():
    counts, faults = BENCHMARK["run"](170, seed=1, in_place=False)
    assert faults == []
    assert set(counts) == set(BENCHMARK["KINDS"])
    total = sum((found for found in counts.values()), type(counts["check"])())
    assert total.total() == 170
    assert total["read"] > 17
    assert total["refused"] > 34


@pytest.mark.parametrize("fault", [ValueError("x"), DataError("no name"), DataError("t/k.x: a\nb")])
def test_a_fault_is_counted(tmp_path, fault):
    def read(path):
        raise fault

    kind = BENCHMARK["Kind"]("k.x", "", read)
    assert BENCHMARK["outcome"](kind, tmp_path / "k.x")[0] not in ("read", "refused")
