"""What a terminal would obey is escaped, everything that people write stays."""

import json

import pytest

from auricle.printable import printable, printable_json, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rain  on a roof.wav", "rain  on a roof.wav"),
        (
            "비 소리 é ‌ ‍ 　 \\n 🐕‍🦺",
            "비 소리 é ‌ ‍ 　 \\n 🐕‍🦺",
        ),  # joiners and wide spaces are writing
        ("a\tb\r\nc", r"a\tb\r\nc"),
        ("\x1b]0;title\x07\x7f\x9b31m\0", r"\x1b]0;title\x07\x7f\x9b31m\x00"),
        ("\u202egpj.wav\u2066\u200f\u2028", r"\u202egpj.wav\u2066\u200f\u2028"),
        (b"\xff\x80.wav".decode("utf-8", "surrogateescape"), r"\xff\x80.wav"),
        ("\ud800", r"\ud800"),
        ("\ufeffa\u200b.wav", r"\ufeffa\u200b.wav"),  # marks that nobody sees
    ],
)
def test_one_line_that_prints(text, shown):
    assert printable(text) == shown
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text


def test_lines_stay_lines():
    assert printable_json('{\n "a\u202e": 1\n}') == '{\n "a\\u202e": 1\n}'
    assert printable_lines("one\n\x1btwo\n") == "one\n\\x1btwo\n"
