"""Keys by content: equal for equal sounds only, and without reading a file twice."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.data import keys as keys_module
from auricle.data.clip import Clip
from auricle.data.keys import ContentKeys, text_key
from auricle.data.manifest import parse_mix
from auricle.errors import AudioError


def clip(path: Path, **changes: object) -> Clip:
    return replace(Clip(path, ("a tone",), path.stem, "train"), **changes)  # type: ignore[arg-type]


def mixed(first: Path, second: Path, **mix: object) -> Clip:
    return clip(first, mix=parse_mix({"audio": str(second), **mix}, Path()))


@pytest.fixture
def keys(tmp_path: Path) -> ContentKeys:
    return ContentKeys(tmp_path / "cache")


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the file was read again")

    monkeypatch.setattr(keys_module.hashlib, "file_digest", refuse)


def test_the_content_counts_not_the_path(
    keys: ContentKeys, tmp_path: Path, write_tone: Callable[..., Path]
) -> None:
    one, copy, other = write_tone("1.wav"), write_tone("a/2.wav"), write_tone("3.wav", 1.5)
    assert keys.clip_key(clip(one)) == keys.clip_key(clip(copy))
    assert keys.clip_key(clip(one)) != keys.clip_key(clip(other))
    assert keys.clip_key(clip(one)) == ContentKeys(tmp_path / "elsewhere").clip_key(clip(one))


def test_sections_and_mixes_are_sounds_of_their_own(
    keys: ContentKeys, write_tone: Callable[..., Path]
) -> None:
    one, two = write_tone("1.wav"), write_tone("2.wav", 1.5)
    different = [
        clip(one),
        clip(two),
        clip(one, start_s=0.5),
        clip(one, end_s=0.5),
        clip(one, start_s=0.25, end_s=0.5),
        mixed(one, two),
        mixed(two, one),
        replace(mixed(one, two), id="another"),  # another draw
        mixed(one, two, level_db=3.0),
        mixed(one, two, offset_s=0.25),
        mixed(one, two, level_db=3.0, offset_s=0.25),
        mixed(one, two, level_db=3.0, offset_s=0.3),
        mixed(one, two, start_s=0.5),
        mixed(one, two, end_s=0.5),
        mixed(one, two, relation="followed by"),
        mixed(one, two, level_db=3.0, relation="followed by"),
    ]
    assert len({keys.clip_key(one) for one in different}) == len(different)
    assert keys.clip_key(clip(one)) == keys.clip_key(clip(one, start_s=0.0))
    fixed = mixed(one, two, level_db=3.0, offset_s=0.25)
    assert keys.clip_key(fixed) == keys.clip_key(replace(fixed, id="another"))
    placed = mixed(one, two, relation="followed by", offset_s=0.25)  # which means nothing there
    assert keys.clip_key(placed) == keys.clip_key(mixed(one, two, relation="followed by"))
    together = mixed(one, two, relation="together")
    assert keys.clip_key(together) == keys.clip_key(mixed(one, two))
    other_range = ContentKeys(keys._index.path.parent, mix_range_db=3.0)
    assert other_range.clip_key(mixed(one, two)) != keys.clip_key(mixed(one, two))
    assert other_range.clip_key(fixed) == keys.clip_key(fixed)


def test_files_are_not_read_again(
    tmp_path: Path, write_tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 0  # of a file whose hash ends in a zero byte, as one in 256 does
    while hashlib.sha256(str(number).encode()).digest()[-1]:
        number += 1
    zero = tmp_path / "zero.wav"
    zero.write_text(str(number))
    clips = [clip(path) for path in (write_tone("1.wav"), write_tone("2.wav", 2.0), zero)]
    first = ContentKeys(tmp_path / "cache")
    found = [first.clip_key(one) for one in clips]
    forbid_reading(monkeypatch)
    assert [first.clip_key(one) for one in clips] == found
    first.save()
    again = ContentKeys(tmp_path / "cache")
    assert [again.clip_key(one) for one in clips] == found
    assert [pickle.loads(pickle.dumps(again)).clip_key(one) for one in clips] == found
    again.save()  # with nothing new


def test_a_file_that_changed_is_read_again(
    keys: ContentKeys, write_tone: Callable[..., Path]
) -> None:
    path = write_tone("1.wav")
    old = keys.clip_key(clip(path))
    keys.save()
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)  # of the same size
    os.utime(path, ns=(1, 1))
    assert keys.clip_key(clip(path)) != old


def test_a_missing_file_is_named(keys: ContentKeys, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: cannot be read"):
        keys.clip_key(clip(tmp_path / "gone.wav"))


def test_text_keys() -> None:
    assert text_key("Ein Hündchen") == hashlib.sha256("Ein Hündchen".encode()).hexdigest()
    assert text_key("a") != text_key("a ")
    assert len(text_key("\udcff")) == 64  # what no encoding knows, as in broken file names
