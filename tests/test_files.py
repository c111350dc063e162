"""Tables of text (encodings, quotes, blank lines, faults named with their line), kept rows."""

import pytest

from auricle.errors import DataError
from auricle.files import append_rows, kept_rows, read_table


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
