"""Chunks of WAV files: which are read, which are refused, and what stays when one changes."""

from __future__ import annotations

import io
import struct

import pytest

from auricle.errors import AudioError
from auricle.tags.riff import read_wave
from tests.helpers.waves import (
    BEXT,
    FORMAT,
    FULL,
    INFO,
    IXML,
    PLAIN,
    SAMPLES,
    chunk,
    read_chunks,
    wave,
)


def read(content: bytes):
    return read_wave(io.BytesIO(content), "a.wav")


@pytest.mark.parametrize("kind", [b"RIFF", b"RF64", b"BW64"])
@pytest.mark.parametrize("chunks", [PLAIN, FULL])
def test_other_chunks_stay_in_order(kind, chunks, tmp_path, tagged):
    path = tmp_path / "a.wav"
    path.write_bytes(wave(chunks, kind))
    tagged(path)
    content = path.read_bytes()
    found = read_chunks(content)
    ours = {b"bext", b"iXML", b"LIST", b"ds64"}
    rest = [one for one in found if one[0] not in ours or one[1].startswith(b"adtl")]
    assert rest == [one for one in chunks if one[0] not in ours or one[1].startswith(b"adtl")]
    size = struct.unpack_from(
        "<Q" if kind != b"RIFF" else "<I", content, 20 if kind != b"RIFF" else 4
    )
    assert size[0] == len(content) - 8
    if chunks is FULL:
        assert [one[0] for one in found if one[0] != b"ds64"] == [one[0] for one in chunks]


def test_the_texts_of_other_programs_stay(tmp_path, tagged):
    path = tmp_path / "a.wav"
    path.write_bytes(wave(FULL))
    tagged(path)
    found = dict(read_chunks(path.read_bytes()))
    assert found[b"bext"] == BEXT  # its description is someone's
    assert INFO[4:] in found[b"LIST"]
    assert b"ICMT" in found[b"LIST"]
    head = IXML.rstrip(b"\0").removesuffix(b"\n</BWFXML>")
    assert found[b"iXML"].startswith(head)
    assert b"<AURICLE><CAPTION>a dog barks</CAPTION>" in found[b"iXML"]


def test_odd_chunks(tmp_path, tagged):
    """Without its pad byte at the end, without it in the middle, and behind the declared size."""
    odd = SAMPLES + b"\1"
    format_and_data = chunk(b"fmt ", FORMAT) + chunk(b"data", odd, pad=b"")
    cue = chunk(b"cue ", b"\0" * 4)
    for body, declared in (
        (format_and_data, 0),
        (format_and_data, 1),
        (format_and_data + cue, 0),
        (format_and_data + b"\0", -1),
        (format_and_data + b"\0" + cue, 0),
    ):
        path = tmp_path / "odd.wav"
        path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body) + declared) + b"WAVE" + body)
        tagged(path)
        content = path.read_bytes()
        assert dict(read_chunks(content))[b"data"] == odd
        assert struct.unpack_from("<I", content, 4)[0] == len(content) - 8


def test_an_empty_sound_is_tagged(tmp_path, tagged):
    path = tmp_path / "empty.wav"
    path.write_bytes(wave(((b"fmt ", FORMAT), (b"data", b""))))
    assert tagged(path) == "tagged"


def piped(riff: int, data: int) -> bytes:
    body = chunk(b"fmt ", FORMAT) + b"data" + struct.pack("<I", data) + SAMPLES
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a WAV file"),
        (b"RIFF\0\0\0\0AVI ", "not a WAV file"),
        (piped(0xFFFFFFFF, 0xFFFFFFFF), "written to a pipe"),
        (piped(0, 0), "written to a pipe"),
        (piped(36 + len(SAMPLES), 0), "no chunk at byte"),
        (piped(36 + len(SAMPLES), 0xFFFFFFFF), "no chunk at byte"),
        (piped(36, 0), "behind the declared sound"),
        (wave(PLAIN)[:-100], "cut off"),
        (wave(PLAIN[:1]), "not one chunk 'data'"),
        (wave(PLAIN[1:]), "not one chunk 'fmt '"),
        (wave((*PLAIN, PLAIN[1])), "not one chunk 'data'"),
        (wave((*PLAIN, (b"\x01abc", b""))), "no chunk at byte"),
        (b"RF64" + wave(PLAIN)[4:], "no chunk 'ds64'"),
        (wave(PLAIN, b"RF64")[:30], "cut off"),
    ],
)
def test_files_that_are_in_doubt_are_refused(content, reason):
    with pytest.raises(AudioError, match=rf"^a\.wav: .*{reason}"):
        read(content)


def test_the_table_of_ds64_has_sizes_of_other_chunks():
    axml = chunk(b"axml", b"<x/>").replace(struct.pack("<I", 4), b"\xff\xff\xff\xff", 1)
    body = chunk(b"fmt ", FORMAT) + axml + b"data\xff\xff\xff\xff" + SAMPLES
    sizes = struct.pack("<QQQI4sQ", 4 + 48 + len(body), len(SAMPLES), 0, 1, b"axml", 4)
    found = read(b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", sizes) + body)
    assert [(one.name, one.span.length) for one in found.chunks[1:]] == [
        (b"fmt ", 16),
        (b"axml", 4),
        (b"data", len(SAMPLES)),
    ]


def test_a_file_does_not_grow_beyond_4_gib(tmp_path, tagged):
    path = tmp_path / "large.wav"
    head = chunk(b"fmt ", FORMAT)
    size = 0xFFFFFFFF - 200
    with path.open("wb") as file:  # sparse
        file.write(b"RIFF" + struct.pack("<I", 4 + len(head) + 8 + size) + b"WAVE" + head)
        file.write(b"data" + struct.pack("<I", size))
        file.truncate(12 + len(head) + 8 + size)
    with pytest.raises(AudioError, match="4 GiB"):
        tagged(path)
    assert [one.name for one in tmp_path.iterdir()] == ["large.wav"]
