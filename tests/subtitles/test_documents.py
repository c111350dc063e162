"""Subtitle files: what is kept, character sets, broken files, what other programs read."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pysubs2
import pytest
import webvtt

from auricle.errors import DataError, MissingDependencyError
from auricle.subtitles.compose import composed
from auricle.subtitles.cues import Cue
from auricle.subtitles.documents import MOST_BYTES, Document, Event, Format, read_document
from auricle.subtitles.guidelines import Guidelines
from tests.helpers.subtitle_checker import parse
from tests.helpers.timed import some_captions

FILM = Path(__file__).parent / "film.srt"
SRT = "1\n00:00:01,000 --> 00:00:02,500\n{}\n"
VTT = """WEBVTT - a film

STYLE
::cue(.loud) { color: red }

REGION
id:top
width:40%

NOTE the opening

intro
00:00:00.500 --> 00:00:03.000 align:start line:10%
<v Anna>Tom &amp; I <i>wait</i>
<c.loud>here</c></v>

NOTE between
the cues

2
00:00:05.000 --> 00:00:06.000
Who?

NOTE
of a cue without a name

00:07.000 --> 00:08.000
Me.

NOTE the end
"""
WHOLE = VTT.replace("00:07.000 --> 00:08", "00:00:07.000 --> 00:00:08")
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Hello{\\i0}\\Nthere
Comment: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,nobody sees this
"""


@pytest.fixture
def saved(tmp_path: Path):
    def save(content: str | bytes, name: str = "film.srt") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save


def test_a_file_comes_back_as_it_was(saved) -> None:
    assert str(read_document(FILM)) == FILM.read_text(encoding="utf-8")
    assert str(read_document(saved(VTT))) == WHOLE


def test_a_cue_at_once_after_the_first_line_counts(saved) -> None:
    assert len(read_document(saved("WEBVTT\n00:01.000 --> 00:02.000\nHi\n")).events) == 1


def test_the_cues_are_those_that_pysubs2_reads() -> None:
    events = read_document(FILM).events
    others = pysubs2.load(str(FILM), keep_html_tags=True)
    assert [(round(e.start_s * 1000), round(e.end_s * 1000)) for e in events] == [
        (other.start, other.end) for other in others
    ]
    assert [e.text for e in events] == [other.text.replace("\\N", "\n") for other in others]


def test_a_new_cue_leaves_styles_comments_and_identifiers_where_they_are(saved) -> None:
    merged = str(read_document(saved(VTT)).with_cues([Cue(3.5, 4.5, "[a < b]"), Cue(0, 0.4, "x")]))
    first = "00:00:00.000 --> 00:00:00.400\nx\n\n"
    second = "00:00:03.500 --> 00:00:04.500\n[a &lt; b]\n\n"
    assert merged.replace(first, "").replace(second, "") == WHOLE
    assert merged.index("STYLE") < merged.index(first) < merged.index("intro")
    assert merged.index("here") < merged.index(second) < merged.index("NOTE between")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_numbers_blank_lines_and_line_ends_do_not_matter(saved, ends: str) -> None:
    loose = "\n\n7\n0:0:1,0 --> 00:00:02.5 X1:3\nHi\n\nthere\n\n00:00:03,000 --> 00:00:04,000\n10\n"
    events = read_document(saved(loose.replace("\n", ends))).events
    assert events == (Event(1.0, 2.5, "Hi\nthere", "X1:3"), Event(3.0, 4.0, "10"))


@pytest.mark.parametrize(
    ("said", "charset"),
    [
        ("Déjà vu – “naïve” Straße", "utf-8"),
        ("Déjà vu", "utf-8-sig"),
        ("Déjà vu, 안녕", "utf-16"),
        ("Déjà vu", "utf-16-le"),
        ("Déjà vu", "utf-16-be"),
        ("Déjà vu – “naïve” Straße, c’est l’été", "cp1252"),
        ("어디 있어요? 문이 열려 있어요.", "cp949"),
        ("誰かいますか。ドアが開いています。", "cp932"),
        ("你在哪里？门开着。", "gb18030"),
        ("Где ты? Дверь открыта.", "cp1251"),
    ],
)
def test_a_character_set_is_told_by_its_text(saved, said: str, charset: str) -> None:
    document = read_document(saved(SRT.format(said).encode(charset)))
    assert document.events[0].text == said
    assert bool(document.notes) == (charset not in ("utf-8", "utf-8-sig", "utf-16"))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello", "no cue"),
        (b"WEBVTT\n\nNOTE nothing\n", "no cue"),
        (SRT.format(""), "no cue"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", "binary|character set"),
        (bytes(range(128, 256)) * 9, "character set"),
        (SRT.format("x").replace("00:00:01,000", "-00:00:01,000"), ":2: no times of a cue"),
        (SRT.format("x").replace("00:00:01,000", "00:00:0a,000"), ":2: no times of a cue"),
        (SRT.format("x").replace("00:00:01", "00:00:09"), "ends before it starts"),
        (SRT.format("x").replace("00:00:02", "100:00:02"), "after 99:59:59"),
        (ASS.replace("0:00:02.50", "nine"), "not a file of ASS"),
        (ASS.replace("0:00:01.00", "-0:00:01.00"), "before 0:00"),
        (SRT.format("x") + " " * MOST_BYTES, "more than 16 MB"),
        (SRT.format("[x] " * 2000), "over 5,000 characters"),
    ],
)
def test_a_broken_file_is_one_line_of_what_and_where(
    saved, content: str | bytes, rule: str
) -> None:
    path = saved(content)
    with pytest.raises(DataError, match=rule) as caught:
        read_document(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_or_nothing_is_no_subtitle_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.srt"):
        with pytest.raises(DataError, match="no subtitle file"):
            read_document(path)


def test_ass_becomes_srt_with_a_note(saved) -> None:
    document = read_document(saved(ASS, "film.ass"))
    assert document.events == (Event(1.0, 2.5, "<i>Hello</i>\nthere"),)
    assert "converted to SRT" in document.notes[0]


def test_ass_without_pysubs2_names_the_extra(saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysubs2", None)
    with pytest.raises(MissingDependencyError, match=r"\[subtitles\]"):
        read_document(saved(ASS))
    assert read_document(FILM).events


def test_what_the_other_format_cannot_hold_is_noted(saved) -> None:
    srt = read_document(saved(VTT)).to("srt")
    assert srt.events[0] == Event(0.5, 3.0, "Tom & I <i>wait</i>\nhere")
    assert "not kept in SRT" in srt.notes[0]
    vtt = read_document(saved(SRT.format("{\\an8}<font color=red>A < B</font> <b>&</b>"))).to("vtt")
    assert vtt.events[0] == Event(1.0, 2.5, "A &lt; B <b>&amp;</b>", "line:0")
    assert "not kept in WebVTT" in vtt.notes[0]
    assert read_document(FILM).to("srt").notes == ()


def test_a_cue_beyond_what_subtitles_can_hold_is_refused() -> None:
    with pytest.raises(DataError, match="99:59:59"):
        str(Document("srt").with_cues([Cue(400_000, 400_001, "x")]))


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_other_programs_read_what_is_written(format: Format, tmp_path: Path) -> None:
    film = read_document(FILM).to(format)
    cases = [Document(format), film]
    for seed in range(8):
        captions = some_captions(random.Random(seed), 300)
        cases += [composed(captions, format), composed(captions, format, Guidelines())]
        cases.append(composed(captions, format, Guidelines(), film))
    for document in cases:
        count = len(document.events)
        assert len(pysubs2.SSAFile.from_string(str(document), format_=format)) == count
        if format == "srt":
            assert len(parse(str(document))) == count
        if count or format == "vtt":
            assert len(webvtt.from_buffer(io.StringIO(str(document)), format=format)) == count


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_ffprobe_counts_the_same_cues(format: Format, tmp_path: Path) -> None:
    captions = some_captions(random.Random(1), 300)
    document = composed(captions, format, Guidelines(), read_document(FILM).to(format))
    path = tmp_path / f"film.{format}"
    path.write_text(str(document), encoding="utf-8")
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_packets",
        "-show_streams",
        "-of",
        "json",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    (stream,) = json.loads(done.stdout)["streams"]
    assert int(stream["nb_read_packets"]) == len(document.events)
    assert not done.stderr


def test_a_section_of_ass_in_a_cue_is_its_text(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nlook:\n[Events]\n")
    (event,) = read_document(tmp_path / "a.srt").events
    assert event.text == "look:\n[Events]"


def test_a_text_with_longer_arrows_gives_no_times(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\ngo ---> in, ----> home\n")
    document = read_document(tmp_path / "a.srt")
    assert "go -> in, -> home" in str(document)
    assert "go --&gt; in, --&gt; home" in str(replace(document, format="vtt"))


def test_a_brace_of_ass_that_is_not_closed_is_left_out(tmp_path):
    (tmp_path / "a.ass").write_text(ASS.replace("Hello", "{Hello{"))
    (event,) = read_document(tmp_path / "a.ass").events
    assert event.text == "<i>Hello</i>\nthere"


@pytest.mark.parametrize(
    "text",
    [
        "1:" + "-" * 60_000 + "x y-->",
        "00:01.0 --> 00:02.0 a" + " " * 60_000 + "b\n",
        "[Events]\n" + "\n" * 60_000 + "x",
        ASS.replace("there", "{" * 100_000),
    ],
)
def test_no_line_takes_more_than_its_length(tmp_path, text):
    (tmp_path / "a.srt").write_text(f"{text}\n\n00:00:01,000 --> 00:00:02,000\nhello\n")
    began = time.process_time()
    with contextlib.suppress(DataError):
        read_document(tmp_path / "a.srt")
    assert time.process_time() - began < 2
