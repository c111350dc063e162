"""The map: places that are always the same, neighbours, and a page that escapes what it shows."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from auricle.errors import DataError
from auricle.search.map import layout, nearest_of_each, principal, write_map
from auricle.search.rows import Described, Indexed, Maker
from auricle.search.store import Index


@pytest.fixture
def vectors() -> np.ndarray:
    """Two groups of six, far apart."""
    rng = np.random.default_rng(0)
    found = 0.1 * rng.standard_normal((12, 8)) + np.repeat(np.eye(2, 8), 6, axis=0)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_groups_lie_apart_and_places_are_the_same_at_every_call(vectors):
    places, _ = layout(vectors)
    assert places.shape == (12, 2)
    assert places.min() == pytest.approx(0.0, abs=1e-6)
    assert places.max() == pytest.approx(1.0)
    assert np.array_equal(places, layout(vectors)[0])
    flat = principal(vectors)
    assert np.linalg.norm(flat[:6].mean(0) - flat[6:].mean(0)) > 3 * flat[:6].std()


def test_neighbours_are_the_others_with_the_greatest_cosines(vectors):
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    expected = np.argsort(-cosines, axis=1)[:, :5]
    assert nearest_of_each(vectors, 5).tolist() == expected.tolist()
    assert nearest_of_each(vectors[:3], 5).shape == (3, 2)


def test_the_page_has_every_recording_once_and_runs_nothing_that_a_name_says(vectors, tmp_path):
    with Index(tmp_path / "index", Maker("debug", "d")) as index:
        for n, row in enumerate(vectors):
            whole = Described(0.0, 1.0, f"</script><b>{n}", tags=("Dog",), vector=row)
            part = Described(0.0, 0.5, "a part", segment=True, vector=row)
            path = str(tmp_path / "sounds" / f"{n} #.wav")
            index.add([(Indexed(path, 1, 1, str(n), 1.0, "WAV"), [whole, part])])
        assert write_map(index, tmp_path / "pages" / "map.html", near=3) == 12
    page = (tmp_path / "pages" / "map.html").read_text(encoding="utf-8")
    (data,) = re.findall('<script type="application/json" id=points>(.*?)</script>', page)
    points = json.loads(data)
    assert [one["caption"] for one in points] == [f"</script><b>{n}" for n in range(12)]
    assert points[0]["address"] == "../sounds/0%20%23.wav"
    assert {len(one["near"]) for one in points} == {3}
    assert "12 recordings, placed by" in page


def test_a_map_needs_three_recordings(tmp_path):
    with Index(tmp_path / "index", Maker("debug", "d")) as index:
        index.add([(Indexed("/a.wav", 1, 1, "a"), [Described(0.0, 1.0, "a", vector=np.eye(4)[0])])])
        with pytest.raises(DataError, match="1 recordings with a sound; a map needs three"):
            write_map(index, tmp_path / "map.html")
