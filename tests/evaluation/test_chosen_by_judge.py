"""Fluency scores by the detector that chose the captions: a note says so, where it is so."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.evaluation.assessment import Assessment, as_json
from auricle.evaluation.compare import compare, contrast_rows
from auricle.evaluation.pairing import Pairs
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.evaluation.rows import Faults
from auricle.evaluation.table import markdown
from auricle.metrics import evaluate
from auricle.records import Candidate
from auricle.text.fluency import default_detector

SAID = ["a dog barks", "rain falls on a roof", "people talk"]
MEANT = (("a dog is barking",), ("it rains",), ("a crowd is talking",))
NOTE = "no evidence of fluency"


def assessment(metrics, factor=1.0, rivals=1, known=True):
    """Captions with candidates whose figures are the detector's times ``factor``."""
    errors = factor * default_detector().error(SAID).astype(float)
    predictions = []
    for number, (text, error) in enumerate(zip(SAID, errors, strict=True)):
        chosen = Candidate(text, -1.0, 0.5, 0.1, True, fluency=1 - error if known else None)
        other = replace(chosen, text="a cat and", fluency=0.1, fluent=False)
        predictions.append(Prediction(str(number), text, "", (chosen, *[other] * rivals)))
    clips = tuple(Reference(str(n), texts, "", ()) for n, texts in enumerate(MEANT))
    pairs = Pairs(tuple(predictions), clips, 3, Faults(), ())
    return Assessment("s", "r", pairs, evaluate(SAID, MEANT, metrics))


@pytest.fixture(autouse=True)
def _our_own_judge(monkeypatch):
    from auricle.metrics import fense

    own = fense.Judge(default_detector(), "auricle detector")
    monkeypatch.setattr(fense, "fluency_judge", lambda device="cpu": own)


def test_the_note_names_the_scores_and_stands_in_every_form():
    found = assessment(["fluency", "cider-d", "spider-fl"])
    (note,) = [note for note in found.notes if NOTE in note]
    assert note.startswith("SPIDEr-FL (spice-py, auricle detector), Fluency error rate (auricle")
    assert "CIDEr-D" not in note
    assert note in as_json(found)["notes"]
    assert NOTE in markdown(found)


@pytest.mark.parametrize(
    "other",
    [{"factor": 1.01}, {"factor": 0.9}, {"rivals": 0}, {"known": False}, {"metrics": ["cider-d"]}],
)
def test_nothing_is_said_of_another_detector_or_of_no_choice(other):
    found = assessment(**{"metrics": ["fluency"], **other})
    assert not any(NOTE in note for note in found.notes)


def test_a_comparison_says_of_whom():
    both = compare(assessment(["fluency"]), assessment(["fluency"], factor=2))
    (note,) = [note for note in both.notes if NOTE in note]
    assert note.startswith("A: Fluency error rate")
    assert sum("intervals are rough" in note for note in both.notes) == 1
    assert contrast_rows(both)


@pytest.mark.parametrize(("fluency", "said"), [("own", True), ("off", False)])
def test_of_a_model_and_of_its_file(write_tone, tmp_path, fluency, said, tiny):
    options = ["--candidates", "6", "--fluency", fluency]
    clips = [Clip(write_tone(f"{n}.wav", 1.0), MEANT[n], str(n), "test") for n in range(2)]
    write_manifest(tmp_path / "data.jsonl", clips)
    data = ["--references", str(tmp_path / "data.jsonl"), "--metrics", "fluency"]
    kept = str(tmp_path / "said.jsonl")
    ran = CliRunner().invoke(app, ["evaluate", "tiny", *data, "--captions", kept, *options])
    assert ran.exit_code == 0, ran.output
    assert (NOTE in " ".join(ran.stdout.split())) == said
    ran = CliRunner().invoke(app, ["evaluate", kept, *data, "--format", "json"])
    notes = json.loads(ran.stdout)["notes"]
    assert any(NOTE in note for note in notes) == said
