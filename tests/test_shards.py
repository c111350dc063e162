"""Rows in files of Parquet and JSON Lines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from auricle.errors import DataError, OutputError
from auricle.shards import (
    as_bytes,
    copy_rows,
    job_of,
    read_folder,
    read_rows,
    shards_in,
    write_rows,
)


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    name: str | None = None


COLUMNS = {
    **{"id": str, "n": int | None, "ok": bool, "data": bytes},
    **{"points": tuple[Point, ...], "parts": [{"a": float}]},
}
WHOLE = {
    **{"id": "a", "n": 3, "ok": True, "data": b"\x00\xff"},
    **{"points": (Point(1.0, "é"),), "parts": [{"a": 0.5}]},
}
formats = pytest.mark.parametrize("suffix", ["parquet", "jsonl"])


@formats
def test_rows_come_back(tmp_path, suffix):
    path = tmp_path / f"shard-00000.{suffix}"
    write_rows(path, [WHOLE, {"id": "b"}], COLUMNS)
    whole, empty = read_rows(path)
    assert as_bytes(whole.pop("data")) == b"\x00\xff"
    assert whole == {
        **{"id": "a", "n": 3, "ok": True},
        **{"points": [{"x": 1.0, "name": "é"}], "parts": [{"a": 0.5}]},
    }
    assert empty == dict.fromkeys(COLUMNS) | {"id": "b"}
    assert list(read_folder(tmp_path, ("id", "n"))) == [{"id": "a", "n": 3}, {"id": "b", "n": None}]


@formats
def test_names_that_are_not_unicode_are_escaped(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_rows(path, [{"id": "a\udcff"}], {"id": str})
    ((_, name),) = next(read_rows(path)).items()
    assert name.encode("utf-8", "backslashreplace") == rb"a\udcff"


@formats
def test_rows_are_copied_by_choice(tmp_path, suffix):
    paths = [tmp_path / f"{n}.{suffix}" for n in range(3)]
    for n, path in enumerate(paths):
        write_rows(path, [WHOLE | {"n": 10 * n + k} for k in range(3)], COLUMNS)
    to = tmp_path / f"shard-00007.{suffix}"
    copy_rows(paths, to, COLUMNS, ("n",), lambda rows: [row["n"] % 2 == 0 for row in rows])
    assert [row["n"] for row in read_rows(to)] == [0, 2, 10, 12, 20, 22]
    assert next(read_rows(to)) == next(read_rows(paths[0]))


@formats
def test_faults_are_told(tmp_path, suffix):
    path = tmp_path / f"shard-00000.{suffix}"
    write_rows(path, [WHOLE], COLUMNS)
    with pytest.raises(DataError, match="has no column caption; is it of another task"):
        list(read_rows(path, ("caption",)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="copy it again"):
        list(read_rows(path))
    with pytest.raises(OutputError, match="cannot be written"):
        write_rows(path / f"b.{suffix}", [WHOLE], COLUMNS)


def test_shards_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("shard-100000.parquet", "shard-99999.parquet", "shard-x.parquet", "shard-1.txt"):
        (tmp_path / name).touch()
    assert [one.name for one in shards_in(tmp_path)] == [
        *("shard-99999.parquet", "shard-100000.parquet"),
    ]


def test_a_folder_without_shards_or_of_another_task(tmp_path):
    with pytest.raises(DataError, match="holds no shard"):
        list(read_folder(tmp_path))
    with pytest.raises(DataError, match="auricle batch --task embed"):
        job_of(tmp_path, "embed")
    (tmp_path / ".job").mkdir()
    (tmp_path / ".job" / "job.json").write_text('{"task": "caption"}')
    with pytest.raises(DataError, match="holds caption, not embed"):
        job_of(tmp_path, "embed")
