"""Tables of text: encodings, quotes, blank lines, and faults named with their line."""

import pytest

from auricle.errors import DataError
from auricle.files import read_table


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
