"""The digest of a model is that of what decides its captions."""

from __future__ import annotations

import pytest

from auricle.errors import ModelError
from auricle.fetch.identity import model_digest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m" / "members" / "one").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "README.md", "members/one/config.json"):
        (tmp_path / "m" / name).write_text(name)
    return tmp_path / "m"


def test_it_is_that_of_the_content_and_not_of_the_place(folder):
    before = model_digest(folder)
    moved = folder.rename(folder.with_name("other"))
    (moved / "README.md").write_text("another card")
    (moved / "tuning.json").write_text("a report")
    assert model_digest(moved) == before


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "members/one/config.json"])
def test_other_content_has_another_one(folder, name):
    before = model_digest(folder)
    (folder / name).write_text("trained again")
    assert model_digest(folder) != before


def test_new_files_count(folder):
    before = model_digest(folder)
    (folder / "calibration.json").write_text("{}")
    assert model_digest(folder) != before


def test_names_that_are_none():
    with pytest.raises(ModelError, match="no such model"):
        model_digest("nonsense")
    assert model_digest("tiny") == model_digest("tiny")
