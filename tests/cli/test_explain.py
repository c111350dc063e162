"""The table of --explain: readable at 80 columns, complete, without columns of unknown terms."""

from auricle.cli.explain import print_candidates
from auricle.records import Candidate, Caption


def told(capsys, *candidates, confidence=None, caption="a dog barks"):
    record = Caption("[x].wav", 0, 1, caption, 0.1, candidates, "m", "nucleus", 0, confidence)
    print_candidates(record)
    return capsys.readouterr().out


def test_a_table_of_80_columns_tells_all_of_the_candidates(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = " ".join(["a dog barks while rain falls"] * 3)
    found = told(
        capsys,
        Candidate("a dog barks", -1.234, 0.56, 0.1, True, -12.3, 0.99, 0.7, 3, "one"),
        Candidate(long, -2.0, 0.5, -0.1, True, -20.0, 0.98, 0.6, 1, "two", "score 0.2 below"),
        confidence=0.75,
    )
    assert max(map(len, found.splitlines())) <= 80
    assert found.startswith("[x].wav: a dog barks (confidence 0.75)")
    first = next(line for line in found.splitlines() if line.strip().startswith("1 "))
    assert first.split()[:8] == ["1", "0.10", "-1.23", "-12.3", "0.56", "0.99", "0.70", "3"]
    said = " ".join(found.split())
    for text in ("→ chosen", "[one]", "[two]", "→ score 0.2 below", "LL: mean log-likelihood"):
        assert text in said
    words = [word for word in long.split() if word in said.split()]
    assert len(words) == len(long.split())


def test_unknown_terms_have_no_column(capsys):
    found = told(capsys, Candidate("a dog barks", -1.0, None, -0.3, True))
    heading = next(line for line in found.splitlines() if "score" in line)
    assert heading.split()[:4] == ["#", "score", "LL", "n"]
    assert told(capsys, caption="no recognisable sound") == "[x].wav: no recognisable sound\n\n"
