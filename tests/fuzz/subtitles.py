"""Subtitle files: SRT, WebVTT, ASS and SSA, in many character sets. What is read is written again
in both formats, and read from there."""

from __future__ import annotations

from pathlib import Path
from random import Random

from auricle.records import Caption
from auricle.subtitles.documents import read_document
from auricle.subtitles.guidelines import preset
from auricle.subtitles.merge import merged
from auricle.subtitles.strip import stripped
from tests.fuzz.damage import damaged
from tests.fuzz.reader import Reader

SRT = """1
00:00:01,000 --> 00:00:02,500
- A door <i>slams</i>.
{\\an8}Who is there?

2
00:00:04,000 --> 00:00:06,000 X1:100 X2:200
Écoute… <font color="red">ça</font>

3
00:01:00,000 --> 01:00:02,500
♪ la la ♪
"""
VTT = """WEBVTT - title

STYLE
::cue { color: red }

NOTE a comment

intro
00:01.000 --> 00:02.500 align:start line:0
<v Ann>Hello <c.loud>there</c> &amp; you

00:04.000 --> 00:00:06.000
- <00:05.000>one
- two

REGION
id:x
"""
ASS = """[Script Info]
ScriptType: v4.00+
PlayResX: 384

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Alignment, MarginL, Encoding
Style: Default,Arial,20,&H00FFFFFF,0,0,2,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Hello{\\i0}\\Nthere
Dialogue: 0,0:00:04.00,0:00:06.00,Default,Ann,0,0,0,,a, b {\\p1}m 0 0{\\p0}
"""
SSA = (ASS.replace("v4.00+", "v4.00").replace("V4+", "V4").replace("Layer", "Marked")).replace(
    "Dialogue: 0", "Dialogue: Marked=0"
)
WHOLE = {"srt": SRT, "vtt": VTT, "ass": ASS, "ssa": SSA}
CAPTIONS = [
    Caption("a.wav", start_s, start_s + 3, text, None, (), "tiny", "beam", 0)
    for start_s, text in ((0.5, "a dog barks --> <loudly>"), (7.0, "rain falls"), (50.0, "a & b"))
]
CHARSETS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
CHARSETS += ("cp1252", "cp1251", "shift_jis", "euc_kr", "gb18030", "big5", "utf-7")
STAMPS = (
    *("99:59:59,999", "100:00:00,000", "-1:00:00,000", "00:00:00", "0:0:0.1", "00:61:61,000"),
    *("9" * 500 + ":00:00,000", "00:00:00,0000", "٠٠:٠٠:٠١,٠٠٠", "0", "", "00:00:01;000"),
    *("00:00:02,500", "00:00:00,001", "²:00:00,000", "00:00:1.5", "0:00:01.00", "9:99:99.99"),
)
PIECES = (
    *("-->", " --> ", "\n\n", "\n", "\r", "\r\n", "WEBVTT\n\n", "NOTE", "STYLE\n", "\0", "\ufeff"),
    *("<i>", "</i>", "<", "&lt;", "&#0;", "&#x110000;", "&#xD800;", "{\\an8}", "{\\p1}", "}"),
    *("\u2028", "\x85", "\x0b", "\x1b[2J", "7", "99", "[Events]\n", "[Fonts]\nfontname: a\n", "\t"),
    *("00:00:01,000 --> 00:00:02,000", "x" * 6000, "<b>" * 3000, "{" * 3000, "-" * 3000 + ">"),
    *("Dialogue: ", "Dialogue: 0,a,b\n", "Format: Text, Start\n", "Comment: 0,0,0,,,,,,,x\n"),
    *("--->", "---->", "00:01 ---> 00:02", *(letter * 100_000 for letter in " \n-0<{[\t:")),
    *("\u202e", "\ud800", "1\n" * 500, "00:00:01,000 --> " * 200, "0" * 30_000 + ":"),
)


def write(random: Random, folder: Path) -> Path:
    kind = random.choice(list(WHOLE))
    text = WHOLE[kind]
    for _ in range(random.choice((0, 1, 1, 2, 3, 8))):
        text = random.choice(MUTATIONS)(random, text)
    errors = random.choice(("replace", "replace", "surrogatepass"))
    try:
        content = text.encode(random.choice(CHARSETS), errors)
    except UnicodeEncodeError:  # the set has no such letters
        content = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.3:
        other = WHOLE[random.choice(list(WHOLE))].encode()
        content = damaged(random, content or b" ", other)
    path = folder / f"film.{kind}"
    path.write_bytes(content)
    return path


def _piece(random: Random, text: str) -> str:
    at = random.randint(0, len(text))
    return text[:at] + random.choice(PIECES) + text[at + random.choice((0, 0, 1, 5)) :]


def _stamp(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = random.choice([n for n, line in enumerate(lines) if ":0" in line] or [0])
    words = lines[at].replace(",", " , ", 0).split(" ")
    words[random.randrange(len(words))] = random.choice(STAMPS)
    lines[at] = " ".join(words)
    return "".join(lines)


def _line(random: Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, random.choice(lines))
        case 2:
            lines[at] = lines[at].rstrip("\n")
        case _:
            other = random.choice(list(WHOLE.values())).splitlines(keepends=True)
            lines.insert(at, random.choice(other))
    return "".join(lines)


MUTATIONS = (_piece, _piece, _stamp, _line, _line)


def read(path: Path) -> None:
    document = read_document(path)
    stripped(document)
    for form in ("srt", "vtt"):
        written = merged(document.to(form), CAPTIONS, preset("netflix", "adults"))
        again = path.with_name(f"again.{form}")
        again.write_text(str(written), encoding="utf-8", newline="")
        found = read_document(again)
        assert len(found.events) == len(written.events)
        assert str(found) == str(written)


READER = Reader(write, read)
