"""Two systems compared: identity, wins, the clips that differ most, the command."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.evaluation.assessment import Assessment
from auricle.evaluation.compare import as_json, compare, contrast_rows, divergence_lines
from auricle.evaluation.pairing import Pairs
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.evaluation.rows import Faults
from auricle.metrics import evaluate
from auricle.metrics.bootstrap import Difference

MEANT = (
    ("a dog barks", "a dog is barking"),
    ("rain falls on a roof", "it rains"),
    ("people talk", "a crowd is talking"),
    ("wind blows", "strong wind"),
)
FIRST = ["a dog barks", "rain falls", "people talk", "a car"]
SECOND = ["a cat", "rain falls", "a crowd is talking", "wind blows"]


def assessment(said, metrics=("cider-d", "bleu"), name="a.csv", n_clips=4):
    said, meant = said[:n_clips], MEANT[:n_clips]
    predictions = tuple(Prediction(str(n), text, f"{name}:{n}") for n, text in enumerate(said))
    clips = tuple(Reference(f"clip {n}", texts, "", ()) for n, texts in enumerate(meant))
    pairs = Pairs(predictions, clips, len(clips), Faults(), ())
    return Assessment(name, "r.csv", pairs, evaluate(said, meant, list(metrics)))


def test_the_same_captions_are_no_different():
    found = compare(assessment(FIRST), assessment(FIRST))
    for contrast in found.contrasts:
        assert contrast.difference == (0.0, 0.0, 0.0, 1.0)
        assert (contrast.wins, contrast.ties, contrast.losses) == (0, 4, 0)
    assert found.divergences == ()
    assert divergence_lines(found, 3) == ["4 clips have the same caption in both"]


def test_wins_and_the_clips_that_differ_most():
    found = compare(assessment(FIRST), assessment(SECOND))
    cider = next(c for c in found.contrasts if c.name == "CIDEr-D")
    assert (cider.wins, cider.ties, cider.losses) == (1, 1, 2)
    assert cider.difference.value == pytest.approx(cider.first - cider.second)
    gaps = [abs(d.scores[0] - d.scores[1]) for d in found.divergences]
    assert gaps == sorted(gaps, reverse=True)
    assert {d.id for d in found.divergences} == {"clip 0", "clip 2", "clip 3"}
    assert found.ranked_by == "CIDEr-D"
    back = compare(assessment(SECOND), assessment(FIRST)).contrasts
    for one, other in zip(found.contrasts, back, strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert one.difference.p == pytest.approx(other.difference.p)
        assert (one.wins, one.losses) == (other.losses, other.wins)
    assert contrast_rows(found)[-1][-1] == "1/1/2"
    assert json.loads(json.dumps(as_json(found)))["metrics"]["CIDEr-D"]["a_better"] == 1


def test_fewer_errors_are_a_win():
    broken = ["a dog barks and", *FIRST[1:]]
    found = compare(assessment(broken, ["fluency"]), assessment(FIRST, ["fluency"]))
    rate = found.contrasts[0]
    assert rate.first - rate.second == 0.25
    assert (rate.wins, rate.ties, rate.losses) == (0, 3, 1)


def test_a_figure_of_the_corpus_alone_has_no_interval():
    found = compare(assessment(FIRST, ["statistics"]), assessment(SECOND, ["statistics"]))
    words = found.contrasts[0]
    assert words.name == "Vocabulary (words)"
    assert (words.difference, words.wins) == (None, None)


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (Difference(0.1, 0.0003, 0.2, 0.04), ("+0.100 (+0.0003, +0.200)", "0.040")),
        (Difference(-0.1, -0.2, -1e-7, 0.04998), ("-0.100 (-0.200, -1e-07)", "<0.050")),
        (Difference(0.1, 0.0, 0.2, 0.0503), ("+0.100 (+0.000, +0.200)", "0.050")),
        (Difference(0.1, 0.05, 0.2, 0.0009), ("+0.100 (+0.050, +0.200)", "<0.001")),
        (Difference(0.0, 0.0, 0.0, 1.0), ("+0.000 (+0.000, +0.000)", "1.000")),
    ],
)
def test_rounding_does_not_turn_the_verdict(gap, said):
    found = compare(assessment(FIRST), assessment(SECOND))
    shown = replace(found, contrasts=(replace(found.contrasts[0], difference=gap),))
    assert contrast_rows(shown)[0][3:5] == said


def test_of_one_clip_nothing_is_certain():
    one, other = (assessment(said, n_clips=1) for said in (FIRST, SECOND))
    for contrast in compare(one, other).contrasts:
        assert contrast.difference is None or contrast.difference == (0.0, 0.0, 0.0, 1.0)
    assert contrast_rows(compare(one, other))[0][4] == "-"


def test_other_clips_are_refused():
    other = assessment(FIRST)
    clips = tuple(Reference(f"other {n}", texts, "", ()) for n, texts in enumerate(MEANT))
    pairs = Pairs(other.pairs.predictions, clips, 4, Faults(), ())
    with pytest.raises(ValueError, match="different clips"):
        compare(assessment(FIRST), Assessment("b", "r", pairs, other.evaluation))


@pytest.fixture
def files(tmp_path):
    names = [f"{n}.wav" for n in range(4)]
    columns = zip(names, MEANT, strict=True)
    rows = ["file_name,caption_1,caption_2", *(",".join((name, *texts)) for name, texts in columns)]
    (tmp_path / "r.csv").write_text("\n".join(rows))
    for name, said in (("a.csv", FIRST), ("b.csv", SECOND)):
        rows = [f"{clip},{text}" for clip, text in zip(names, said, strict=True)]
        (tmp_path / name).write_text("\n".join(["file_name,caption_predicted", *rows]))
    return tmp_path


def test_the_command_says_what_differs(files):
    options = ["--references", str(files / "r.csv"), "--metrics", "cider-d,bleu"]
    files_ab = [str(files / "a.csv"), str(files / "b.csv")]
    ran = CliRunner().invoke(app, ["compare", *files_ab, *options])
    assert ran.exit_code == 0, ran.output
    for said in ("4 clips", "CIDEr-D", "1/1/2", "clips have the same caption in both"):
        assert said in ran.stdout
    ran = CliRunner().invoke(app, ["compare", *files_ab, *options, "--format", "json"])
    assert json.loads(ran.stdout)["metrics"]["CIDEr-D"]["difference"]["p"] > 0
    ran = CliRunner().invoke(app, ["compare", *files_ab, *options, "--format", "markdown"])
    assert "| CIDEr-D |" in ran.stdout


def test_the_command_compares_what_both_have_when_told_to(files):
    text = (files / "b.csv").read_text()
    (files / "b.csv").write_text(text.replace("0.wav,a cat\n", ""))
    arguments = ["compare", str(files / "a.csv"), str(files / "b.csv")]
    arguments += ["--references", str(files / "r.csv"), "--metrics", "bleu"]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 2
    assert "clip without a prediction: 0.wav" in ran.stderr
    ran = CliRunner().invoke(app, [*arguments, "--partial"])
    assert ran.exit_code == 1
    assert "3 clips" in ran.stdout
