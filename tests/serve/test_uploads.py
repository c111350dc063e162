"""Uploads lie under random names; what a client calls them is only shown."""

from __future__ import annotations

import io

import pytest

from auricle.serve.uploads import LONGEST_NAME, base_name, store


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("rain.wav", "rain.wav"),
        ("../../etc/passwd", "passwd"),
        (r"C:\sounds\dog.mp3", "dog.mp3"),
        ("a\nb\x1b[31m.wav", r"a\nb\x1b[31m.wav"),
        ("", "recording"),
        (None, "recording"),
        ("folder/", "recording"),
        ("x" * 999, "x" * LONGEST_NAME),
        ("비.wav", "비.wav"),
    ],
)
def test_a_name_is_the_last_part_and_prints(given, name):
    assert base_name(given) == name


def test_an_upload_is_a_copy_under_a_random_name(tmp_path):
    file = io.BytesIO(b"sound")
    file.read()
    upload = store(file, "../evil.wav", tmp_path)
    assert (upload.path.parent, upload.name) == (tmp_path, "evil.wav")
    assert "evil" not in upload.path.name
    assert upload.path.read_bytes() == b"sound"
    upload.discard()
    upload.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_leaves_nothing(tmp_path):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        store(Broken(), "a.wav", tmp_path)
    assert list(tmp_path.iterdir()) == []
