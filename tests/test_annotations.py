"""Annotations, read back by small parsers that know the formats and not the writers."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

from auricle.annotations import ANNOTATIONS, lanes, span_ms
from tests.helpers.timed import timed

NASTY = 'a "dog" <barks> & \t\n rain\x00\x1b[31m \ufffe falls </script>'
OVERLAPPING = [
    timed(0.0, 2.0, "a dog barks"),
    timed(1.5, 4.0, "rain falls"),
    timed(2.0, 3.0, 'she says "hello"'),
    timed(5.25, 6.5, "a bell"),
]


def read_text_grid(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """Tiers of a long TextGrid; asserts what Praat needs."""
    head, *items = re.split(r"\n    item \[\d+\]:\n", text)
    assert head.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\n')
    xmax = float(re.search(r"^xmax = (\S+)$", head, re.MULTILINE)[1])
    assert int(re.search(r"^size = (\d+)$", head, re.MULTILINE)[1]) == len(items)
    tiers = {}
    for item in items:
        assert 'class = "IntervalTier"' in item
        numbers = r"intervals \[(\d+)\]:\n +xmin = (\S+)\n +xmax = (\S+)\n"
        found = re.findall(numbers + r' +text = "((?:[^"]|"")*)"(?:\n|\Z)', item)
        assert int(re.search(r"intervals: size = (\d+)\n", item)[1]) == len(found)
        assert [int(number) for number, *_ in found] == [*range(1, len(found) + 1)]
        spans = [(float(a), float(b), t.replace('""', '"')) for _, a, b, t in found]
        edges = [0.0, *(end for _, end, _ in spans)]
        assert [begin for begin, _, _ in spans] == edges[:-1]
        assert edges[-1] == xmax
        assert all(begin < end for begin, end, _ in spans)
        tiers[re.search(r'name = "(.*)"', item)[1]] = spans
    return tiers


def read_elan(text: str) -> tuple[ElementTree.Element, dict[str, list[tuple[int, int, str]]]]:
    root = ElementTree.fromstring(text.encode())
    slots = [(e.get("TIME_SLOT_ID"), int(e.get("TIME_VALUE"))) for e in root.iter("TIME_SLOT")]
    times = dict(slots)
    used = [a.get(f"TIME_SLOT_REF{n}") for a in root.iter("ALIGNABLE_ANNOTATION") for n in (1, 2)]
    assert sorted(used) == sorted(times)  # each once: to move one annotation moves no other
    assert len(times) == len(slots)
    assert [*times.values()] == sorted(times.values())
    tiers = {
        tier.get("TIER_ID"): [
            (
                times[one.get("TIME_SLOT_REF1")],
                times[one.get("TIME_SLOT_REF2")],
                one.findtext("ANNOTATION_VALUE"),
            )
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in root.iter("TIER")
    }
    return root, tiers


def written(format: str, captions, duration_s=7.0, media="sounds/비 #1.wav") -> str:
    text = ANNOTATIONS[format].write(captions, duration_s, media)
    assert text.encode("utf-8").decode() == text
    return text


def test_text_grids_have_no_overlaps_and_no_gaps():
    tiers = read_text_grid(written("textgrid", OVERLAPPING))
    assert tiers == {
        "captions": [
            (0.0, 2.0, "a dog barks"),
            (2.0, 3.0, 'she says "hello"'),
            (3.0, 5.25, ""),
            (5.25, 6.5, "a bell"),
            (6.5, 7.0, ""),
        ],
        "captions 2": [(0.0, 1.5, ""), (1.5, 4.0, "rain falls"), (4.0, 7.0, "")],
    }


def test_without_captions_there_is_an_empty_tier():
    assert read_text_grid(written("textgrid", [])) == {"captions": [(0.0, 7.0, "")]}
    assert read_elan(written("eaf", []))[1] == {"captions": []}
    assert written("audacity", []) == ""


def test_a_text_grid_covers_a_caption_beyond_the_end():
    tiers = read_text_grid(written("textgrid", [timed(0.5, 7.3)], 7.0))
    assert tiers["captions"][-1][1] == 7.3


def test_audacity_labels():
    text = written("audacity", OVERLAPPING[::-1])
    assert text.splitlines()[:2] == [
        "0.000000\t2.000000\ta dog barks",
        "1.500000\t4.000000\train falls",
    ]
    assert text.count("\n") == 4
    assert written("audacity", [timed(1, 2, NASTY)]).count("\t") == 2


def test_elan_documents():
    root, tiers = read_elan(written("eaf", OVERLAPPING))
    assert [child.tag for child in root] == [
        *("HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"),
        *["CONSTRAINT"] * 4,
    ]
    assert tiers == {
        "captions": [
            (0, 2000, "a dog barks"),
            (2000, 3000, 'she says "hello"'),
            (5250, 6500, "a bell"),
        ],
        "captions 2": [(1500, 4000, "rain falls")],
    }
    ids = [one.get("ANNOTATION_ID") for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert ids == ["a1", "a2", "a3", "a4"]
    types = {one.get("LINGUISTIC_TYPE_ID") for one in root.iter("LINGUISTIC_TYPE")}
    assert {tier.get("LINGUISTIC_TYPE_REF") for tier in root.iter("TIER")} == types


def test_elan_finds_the_recording():
    root, _ = read_elan(written("eaf", []))
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    address = urlsplit(media.get("MEDIA_URL"))
    assert address.scheme == "file"
    assert Path(unquote(address.path)) == Path("sounds/비 #1.wav").absolute()
    assert unquote(media.get("RELATIVE_MEDIA_URL")) == "./비 #1.wav"
    assert media.get("MIME_TYPE") == "audio/x-wav"
    for name, kind in {"a.MP4": "video/mp4", "a.strange": "unknown", "a\udcff": "unknown"}.items():
        root, _ = read_elan(written("eaf", [], media=name))
        assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MIME_TYPE") == kind
    address = "https://example.org/a.wav"
    root, _ = read_elan(written("eaf", [], media=address))
    assert root.find("HEADER/MEDIA_DESCRIPTOR").get("MEDIA_URL") == address


@pytest.mark.parametrize("format", ANNOTATIONS)
def test_a_caption_of_marks_stays_one_line_of_text(format):
    text = written(format, [timed(0.0, 1.0, NASTY)], 1.0)
    assert not re.search(r"[\x00\x1b\ufffe]", text)
    if format == "textgrid":
        assert read_text_grid(text)["captions"][0][2].startswith('a "dog" <barks> & rain\\x00')
    if format == "eaf":
        shown = read_elan(text)[1]["captions"][0][2]
        assert shown == 'a "dog" <barks> & rain\\x00\\x1b[31m \ufffd falls </script>'


def test_lanes_hold_no_overlaps_and_are_as_few_as_possible():
    drawn = random.Random(0)
    for _ in range(200):
        starts = [drawn.uniform(0, 20) for _ in range(drawn.randrange(1, 30))]
        captions = [timed(start, start + drawn.choice([0.0001, 0.5, 3, 8])) for start in starts]
        found = lanes(captions)
        assert sorted(map(id, captions)) == sorted(id(one) for lane in found for one in lane)
        spans = [[span_ms(one) for one in lane] for lane in found]
        for lane in spans:
            assert all(one[1] <= other[0] for one, other in pairwise(lane))
        every = [span for lane in spans for span in lane]
        at_once = max(sum(a <= begin < b for a, b in every) for begin, _ in every)
        assert len(found) == at_once
        tiers = read_text_grid(ANNOTATIONS["textgrid"].write(captions, 30.0, "a.wav"))
        assert len(tiers) == len(found)
