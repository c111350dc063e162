"""Keywords, categories and tables for sound libraries."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from auricle.tags.entry import Entry
from auricle.tags.keywords import keywords
from auricle.tags.table import Table
from auricle.tags.ucs import _rules, category


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Dogs are barking in the distance", ["dog", "bark"]),
        (
            "several birds sing while people's glasses clink",
            ["bird", "sing", "person", "glass", "clink"],
        ),
        ("a bus passes, children run", ["bus", "pass", "child", "run"]),
        ("birds and a bird", ["bird"]),
        ("a series of electronic beeps", ["electronic", "beep"]),
        ("", []),
    ],
)
def test_keywords_are_content_words_in_their_base_forms(caption, words):
    assert keywords(caption) == words


@pytest.mark.parametrize(
    ("caption", "cat_id"),
    [
        ("a dog barks while a car passes", "ANMLDog"),
        ("a car passes while a dog barks", "VEHCar"),
        ("someone knocks on a wooden door", "DOORKnck"),
        ("rain falls and thunder rumbles", "STORM"),
        ("rain falls on a roof", "RAIN"),
        ("the church bells are ringing", "BELLLrg"),
        ("a man is snoring", "HMNSnor"),
        ("a steady hiss of white noise", None),
    ],
)
def test_the_category_of_a_caption(caption, cat_id):
    found = category(caption)
    assert (found and found.cat_id) == cat_id


def test_every_word_of_the_table_can_be_a_keyword_and_leads_to_one_category():
    rules = [rule for rule, _ in _rules()]
    assert len(set(rules)) == len(rules)
    for rule in rules:
        for word in rule:
            assert keywords(word) == [word]
    names = {one.cat_id: one.full for _, one in _rules()}
    assert len(set(names.values())) == len(names)
    assert names["ANMLDog"] == "ANIMALS-DOG"


def rows(style: str, caption: str, name: str = "a.wav") -> tuple[str, list[dict[str, str]]]:
    stream = io.StringIO()
    table = Table(stream, style)
    for _ in range(2):
        table.write(Path("/sounds") / name, Entry(caption, "0.71", "tiny", "2026-01-02"))
    text = stream.getvalue()
    return text, list(csv.DictReader(io.StringIO(text, newline="")))


def test_soundminer():
    text, (row, again) = rows("soundminer", 'a dog barks, "loudly"')
    assert (
        row
        == again
        == {
            "FileName": "a.wav",
            "Pathname": str(Path("/sounds/a.wav").absolute()),
            "Description": 'a dog barks, "loudly"',
            "Keywords": "dog, bark, loudly",
            "Category": "ANIMALS",
            "SubCategory": "DOG",
            "CategoryFull": "ANIMALS-DOG",
            "CatID": "ANMLDog",
        }
    )
    assert text.startswith("FileName,Pathname,")
    assert text.count("\r\n") == text.count("\n") == 3


def test_bwf_metaedit():
    _, (row, _) = rows("bwfmetaedit", "a dog barks " + "and barks " * 40)
    assert list(row) == ["FileName", "Description", "ICMT", "IKEY"]
    assert row["FileName"] == str(Path("/sounds/a.wav").absolute())
    assert len(row["Description"]) <= 256
    assert row["IKEY"] == "dog; bark"
    assert rows("bwfmetaedit", "개가 짖는다")[1][0]["Description"] == ""


@pytest.mark.parametrize("style", ["soundminer", "bwfmetaedit"])
def test_no_text_begins_with_a_formula_and_names_are_exact(style):
    _, (row, _) = rows(style, "=HYPERLINK(1)", name="=1.wav")
    assert row["Description"] == "HYPERLINK(1)"
    assert row["FileName"].endswith("=1.wav")
    assert all(
        not value.startswith(("=", "+", "-", "@"))
        for key, value in row.items()
        if key != "FileName"
    )


def test_a_caption_without_a_category_has_empty_cells():
    _, (row, _) = rows("soundminer", "something")
    assert {
        row[key] for key in ("Category", "SubCategory", "CategoryFull", "CatID", "Keywords")
    } == {""}
