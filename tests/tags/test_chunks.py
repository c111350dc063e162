"""bext, LIST INFO and iXML: what is written, and what stays."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from auricle.tags import chunks
from tests.helpers.waves import BEXT, INFO, IXML

NEW_BEXT_VERSION = b"\1\0"


def test_a_description_leaves_the_other_fields():
    written = chunks.with_bext(BEXT, {"Description": "a dog barks"})
    assert written[:256] == b"a dog barks".ljust(256, b"\0")
    assert written[256:] == BEXT[256:]


def test_a_new_bext_claims_nothing_but_the_description():
    written = chunks.with_bext(b"", {"Description": "x" * 256})
    assert len(written) == 602
    assert written == b"x" * 256 + bytes(90) + NEW_BEXT_VERSION + bytes(254)
    assert chunks.bext(written) == {"Description": "x" * 256}


@pytest.mark.parametrize("length", [1, 256, 601])
def test_a_bext_that_is_too_short_is_refused(length):
    with pytest.raises(ValueError, match="602"):
        chunks.with_bext(b"x" * length, {"Description": ""})


def test_items_of_info_are_replaced_appended_and_taken_out():
    assert chunks.info(INFO) == {"ISFT": "Zoom", "ICRD": "2020"}
    written = chunks.with_info(INFO, {"ICMT": "빗소리"})
    assert chunks.info(written) == {"ISFT": "Zoom", "ICRD": "2020", "ICMT": "빗소리"}
    assert written.startswith(INFO)
    assert len(written) % 2 == 0
    assert chunks.with_info(written, {"ICMT": ""}) == INFO
    assert chunks.info(chunks.with_info(INFO, {"ISFT": "x"})) == {"ISFT": "x", "ICRD": "2020"}
    assert chunks.with_info(b"", {"ICMT": "a"}) == b"INFOICMT\2\0\0\0a\0"


@pytest.mark.parametrize(
    "content", [INFO + b"IC", INFO + b"ICMT\xff\0\0\0a", INFO + b"\0\0\0\0\1\0\0\0"]
)
def test_broken_info_is_refused(content):
    with pytest.raises(ValueError, match="no item"):
        chunks.info(content)


def test_padding_of_info_is_none_of_its_items():
    assert chunks.info(INFO + bytes(20)) == chunks.info(INFO)


def test_ixml_is_merged_into_what_is_there():
    texts = {"NOTE": "a < b & c", "AURICLE/CAPTION": "비", "AURICLE/MODEL": "tiny"}
    written = chunks.with_ixml(IXML, texts)
    root = ElementTree.fromstring(written)
    assert root.findtext("NOTE") == "a < b & c"
    assert root.findtext("AURICLE/CAPTION") == "비"
    assert root.findtext("PROJECT") == "Film & more"
    assert root.findtext("USER/X") == "1"
    assert b"<!-- by a recorder -->" in written
    again = chunks.with_ixml(written, {"NOTE": "", "AURICLE/MODEL": "large"})
    root = ElementTree.fromstring(again)
    assert root.find("NOTE") is None
    assert [(one.tag, one.text) for one in root.find("AURICLE")] == [
        ("CAPTION", "비"),
        ("MODEL", "large"),
    ]


@pytest.mark.parametrize(
    "note", [b"<NOTE/>", b"<NOTE a='x>y' />", b"<NOTE></NOTE >", b"<NOTE>old</NOTE>"]
)
def test_every_form_of_an_element_is_replaced(note):
    written = chunks.with_ixml(b"<A><X/>" + note + b"<Z/></A>", {"NOTE": "new"})
    assert written == b"<A><X/><NOTE>new</NOTE><Z/></A>"


def test_an_old_encoding_of_ixml_stays():
    old = '<?xml version="1.0" encoding="ISO-8859-1"?><A><B>é</B></A>'.encode("latin-1")
    root = ElementTree.fromstring(chunks.with_ixml(old, {"NOTE": "빗"}))
    assert (root.findtext("B"), root.findtext("NOTE")) == ("é", "빗")


@pytest.mark.parametrize(
    "content",
    [
        b"<A>",
        b"no xml",
        b"<A/>",
        b"<A>&b;</A>",
        b'<!DOCTYPE A [<!ENTITY b "c">]><A>&b;</A>',
        "<A></A>".encode("utf-16"),
        b'<?xml version="1.0" encoding="nonsense"?><A></A>',
    ],
)
def test_ixml_that_cannot_be_merged_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        chunks.with_ixml(content, {"NOTE": "new"})


def test_characters_that_xml_forbids_are_replaced():
    written = chunks.with_ixml(b"", {"NOTE": "a\x00b\x1b\ud800"})
    assert chunks.ixml(written)["NOTE"] == "a\ufffdb\ufffd\ufffd"
