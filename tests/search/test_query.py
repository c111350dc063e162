"""Queries: what is wanted, what is not, and their words."""

from __future__ import annotations

import pytest

from auricle.errors import QueryError
from auricle.search.query import LONGEST, expression, parsed


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("rain without thunder", "rain", ("thunder",)),
        ("Rain, without any thunder or wind", "Rain", ("thunder", "wind")),
        ("a car but no horn", "a car", ("horn",)),
        ("birds, not crows, but with a stream", "birds a stream", ("crows",)),
        ("a knot in a rope", "a knot in a rope", ()),
        ("someone outside", "someone outside", ()),
    ],
)
def test_what_is_not_wanted_is_read_from_plain_english(text, wanted, unwanted):
    query = parsed(text)
    assert (query.text, query.unwanted) == (wanted, unwanted)


def test_exclude_adds_to_what_the_text_says():
    assert parsed("rain without thunder", ["music", "thunder"]).unwanted == ("thunder", "music")


def test_words_are_those_that_say_something_and_numbers():
    assert parsed("the sound of a dog barking, take 17").words == ("dog", "barking", "take", "17")
    assert "dog" in parsed("dogs").stems
    assert parsed("background noise").words == ("background", "noise")  # nothing else is left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty query"),
        (" \n ", "an empty query"),
        ("without music", "only what is not wanted: music"),
        ("x" * 10_000, "a query of 10,000 characters; 1,000 are the most"),
    ],
)
def test_queries_that_ask_for_nothing_or_too_much(text, message):
    with pytest.raises(QueryError, match=message):
        parsed(text)


def test_the_longest_query_is_taken():
    assert len(parsed("x" * LONGEST).text) == LONGEST


def test_a_quotation_mark_does_not_end_a_word():
    assert expression(['a"b', "c"]) == '"a b" AND "c"'
    assert expression(["a", "c"], every=False) == '"a" OR "c"'
