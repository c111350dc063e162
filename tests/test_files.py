"""Tables of text (encodings, quotes, blank lines, faults named with their line), kept rows, what
hostile files may not do."""

import os
import signal
import subprocess
import sys

import pytest

from auricle.errors import DataError, ModelError
from auricle.files import (
    LINE_BYTES,
    append_rows,
    json_rows,
    kept_rows,
    load_json,
    parse_json,
    raw_lines,
    read_json,
    read_table,
)


def test_tables_in_latin_1_with_commas_and_blank_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes('name,text\n"Café, 01.wav", a  \n\nb,"c ""d"""\n'.encode("latin-1"))
    assert list(read_table(path, ("name",))) == [
        (2, {"name": "Café, 01.wav", "text": "a"}),
        (4, {"name": "b", "text": 'c "d"'}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2,3\n", ":2: 3 fields under 2 columns"),
        ("a,b\n1\n", ":2: 1 fields under 2 columns"),
        ("b\n1\n", "no column a; it has b"),
        ("", "is empty"),
        ("a,b,a\n1,2,3\n", "two columns are called a"),
        ('a,b\n1,2\n3,"4\n5,6\n', ":3: a double quote is opened and never closed"),
        ("a,b\n1,\0\n", ":2: holds NUL"),
        ("a,b\n1," + "x" * 200_000, ":2: not a row of CSV (field larger"),
    ],
)
def test_broken_tables(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        list(read_table(path, ("a",)))
    assert message in str(caught.value)


@pytest.mark.parametrize("torn", ["{", '{"b": ', '{"b": "é'])
def test_a_row_torn_by_a_kill_is_cut_off_and_others_are_added(tmp_path, torn):
    path = tmp_path / "new" / "rows.jsonl"
    assert list(kept_rows(path)) == []
    append_rows(path, [{"a": 1}, {"a": "é"}])
    with path.open("ab") as file:
        file.write(torn.encode()[:8])
    assert [row for _, row in kept_rows(path)] == [{"a": 1}, {"a": "é"}]
    append_rows(path, [{"a": 3}])
    path.write_bytes(path.read_bytes()[:-1])
    assert [row["a"] for _, row in kept_rows(path)] == [1, "é", 3]
    append_rows(path, [{"a": 4}])
    assert [row["a"] for _, row in kept_rows(path)] == [1, "é", 3, 4]


@pytest.mark.parametrize("content", ['{"a": 1}\n{"b\n{"c": 2}\n', "name,text"])
def test_a_file_of_other_rows_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=r"rows\.jsonl:[12]: not a line of JSON"):
        list(kept_rows(path))
    assert path.read_text() == content


def test_a_quote_that_is_closed_in_the_last_line_is_a_field_of_several_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"2\n3"')
    assert list(read_table(path)) == [(3, {"a": "1", "b": "2\n3"})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ('{"a": ' + "9" * 400 + "}", "too many digits"),
        ('{"a": ' + "9" * 1_000_000 + "}", "too many digits"),
        ('{"a": 1e400}', "too many digits"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"b": {"a": 1, "a": 2}}', "the same key twice: a"),
        ('{"a": "' + "x" * LINE_BYTES + '"}', "a line of more than 4 MB"),
    ],
)
def test_json_that_programs_read_differently_is_refused(tmp_path, line, message):
    with pytest.raises(DataError, match=message):
        parse_json(line.encode())
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    with pytest.raises(DataError, match=message) as caught:
        list(json_rows(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert len(str(caught.value)) < 400


def test_whole_numbers_and_floats_are_read_as_they_stand():
    text = b'{"a": 123456789012345678901234567890, "b": [-0.5, 1e-5, true, null]}'
    assert load_json(text) == {"a": 123456789012345678901234567890, "b": [-0.5, 1e-5, True, None]}


def test_a_line_without_end_takes_bounded_memory_and_the_next_one_is_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        for _ in range(64):
            file.write(b"[" * (1 << 20))
        file.write(b'\n{"a": 1}\n')
    code = (
        "import resource, sys, pathlib; from auricle.files import raw_lines\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "lines = raw_lines(pathlib.Path(sys.argv[1]))\n"
        "found = [(line.number, line.offset, len(line.content)) for line in lines]\n"
        "print(found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    end = (64 << 20) + 1
    assert ran.stdout.strip() == f"[(1, 0, {LINE_BYTES + 1}), (2, {end}, 9)] True"
    with pytest.raises(DataError, match=r"rows\.jsonl:1: a line of more than"):
        list(kept_rows(path))
    assert path.stat().st_size == end + 9  # not taken for a line torn by a kill


def test_a_row_over_many_lines_takes_bounded_memory(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + '"x\n",' * (LINE_BYTES // 4))
    with pytest.raises(DataError, match=r"t\.csv:2: a row of more than 4 MB"):
        list(read_table(path))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path, suffix):
    pipe, folder = tmp_path / f"pipe.{suffix}", tmp_path / f"folder.{suffix}"
    os.mkfifo(pipe)
    folder.mkdir()
    read = read_table if suffix == "csv" else json_rows
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("waits for a pipe"))
    signal.alarm(5)
    try:
        for path in (pipe, folder):
            with pytest.raises(DataError, match="not a regular file"):
                list(read(path))
        with pytest.raises(DataError, match="no table that can be read"):
            list(raw_lines(tmp_path / ("x" * 5000)))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"a": "\xff"}', "can't decode byte 0xff"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"a": 1, "a": 2}', "the same key twice: a"),
        (b"[]", "but a list"),
        (b"", "Expecting value"),
    ],
)
def test_json_of_strangers_fails_in_one_line(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json: not a JSON object") as caught:
        read_json(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "loop", "pipe", "huge"])
def test_what_is_no_file_of_json_is_not_read(tmp_path, kind):
    path = tmp_path / "config.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 1 << 33)  # takes no space
    with pytest.raises(ModelError, match="larger than" if kind == "huge" else "no such file"):
        read_json(path)


def test_json_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}')
    assert read_json(tmp_path / "a.json") == {"a": "\U0001f600"}
