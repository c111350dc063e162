"""Character sets of subtitle files: UTF-8, UTF-16, and older ones where the text tells them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HANGUL = re.compile(r"[가-힣]")
_KANA = re.compile(r"[ぁ-ゖァ-ヺー]")
_CYRILLIC = re.compile(r"[а-яА-ЯёЁ]")
_ACCENTED = re.compile(r"[À-ÖØ-öø-ÿŠšŒœŽžŸ‘’“”…–—«»¿¡°€£©®\u00a0]")
_SOME = 0.3  # of the letters: more accented ones stand in no language


def decoded(content: bytes) -> tuple[str, str] | None:
    """(text, the character set's name) of a file's content; None if it cannot be told.

    Without a mark, text is UTF-8 if it can be. Else it is UTF-16 if every second byte is nearly
    always NUL, an East Asian set or Windows-1251 if what stands beyond ASCII then is the script of
    its language, or Windows-1252 if that is a smaller part, of accented letters and quotes.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _strictly(content, name)
    if b"\0" in content[:4096]:
        half = len(content[:4096]) // 2 or 1
        sides = (content[1:4096:2].count(0) / half, content[0:4096:2].count(0) / half)
        return _strictly(content, "utf-16-le" if sides[0] > sides[1] else "utf-16-be")
    if found := _strictly(content, "utf-8"):
        return found
    for name, fits in _OLDER:
        if (found := _strictly(content, name)) and fits(found[0]):
            return found
    return None


def _strictly(content: bytes, name: str) -> tuple[str, str] | None:
    try:
        return content.decode(name), name
    except UnicodeDecodeError:
        return None


def _is_japanese(text: str) -> bool:
    return _share(text, _KANA) >= 0.3


def _is_korean(text: str) -> bool:
    return _share(text, _HANGUL) >= 0.9


def _is_chinese(text: str) -> bool:
    """Whether nearly all is common: Traditional Chinese, read as Simplified, is not."""
    beyond = _beyond_ascii(text)
    return len(beyond.encode("gb2312", "ignore").decode("gb2312")) >= 0.9 * len(beyond)


def _is_russian(text: str) -> bool:
    return _share(text, _CYRILLIC) >= 0.9 and _accented(text) > _SOME


def _is_western(text: str) -> bool:
    return _share(text, _ACCENTED) >= 0.9 and _accented(text) <= _SOME


def _beyond_ascii(text: str) -> str:
    return "".join(letter for letter in text if not letter.isascii())


def _share(text: str, letters: re.Pattern[str]) -> float:
    """Of what is beyond ASCII."""
    return len(letters.findall(text)) / len(_beyond_ascii(text))


def _accented(text: str) -> float:
    """The share of all letters that are beyond ASCII."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(not letter.isascii() for letter in letters) / (len(letters) or 1)


_OLDER: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("cp932", _is_japanese),
    ("cp949", _is_korean),
    ("gb18030", _is_chinese),
    ("cp1251", _is_russian),
    ("cp1252", _is_western),
)
