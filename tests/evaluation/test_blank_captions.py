"""Empty captions: they score 0 and count, and a note says so; leaving them out is the option."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.evaluation.pairing import PairingError, pair
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import References, read_references
from auricle.metrics import Evaluation, evaluate
from auricle.metrics.inputs import MetricInputs

REFERENCES = [
    ["a dog barks", "barking of a dog"],
    ["rain falls on a roof", "it rains"],
    ["a man speaks", "a man is speaking"],
    ["birds chirp in a tree", "birds sing"],
]
SAID = ["a dog barks", "rain falls", "a man speaks", "birds chirp"]
BLANK = [*SAID[:2], "  ", ""]


@pytest.fixture(scope="module")
def with_blanks() -> Evaluation:
    return evaluate(BLANK, REFERENCES)


@pytest.fixture
def references(tmp_path: Path) -> Path:
    path = tmp_path / "references.csv"
    with path.open("w", newline="") as file:
        rows = [(f"{n}.wav", *texts) for n, texts in enumerate(REFERENCES)]
        csv.writer(file).writerows([("file_name", "caption_1", "caption_2"), *rows])
    return path


@pytest.fixture
def said(tmp_path: Path) -> Path:
    path = tmp_path / "said.csv"
    with path.open("w", newline="") as file:
        rows = [(f"{n}.wav", text) for n, text in enumerate(BLANK)]
        csv.writer(file).writerows([("file_name", "caption_predicted"), *rows])
    return path


def predictions(captions: list[str]) -> list[Prediction]:
    return [Prediction(f"{n}.wav", text, f"said.csv:{n + 2}") for n, text in enumerate(captions)]


SCORES = ("BLEU-", "ROUGE-L", "METEOR", "CIDEr-D", "SPICE", "SPIDEr", "SPIDEr-FL", "SBERT", "FENSE")


def test_every_metric_gives_an_empty_caption_0(with_blanks: Evaluation) -> None:
    found = [score for score in with_blanks.scores if score.name.startswith(SCORES)]
    assert len(found) >= 9
    for score in found:
        assert score.items[2:] == (0.0, 0.0), score.name
        assert min(score.items[:2]) > 0.0, score.name


def test_the_mean_counts_them(with_blanks: Evaluation) -> None:
    every = evaluate(SAID, REFERENCES, ["cider-d", "sbert"])
    for name in ("CIDEr-D", with_blanks["CIDEr-D"].name):
        whole = every[name].items  # references, and with them idf, are the same
        assert with_blanks[name].corpus == pytest.approx(sum(whole[:2]) / 4)


def test_an_empty_caption_is_an_error_of_fluency_by_any_detector(with_blanks: Evaluation) -> None:
    rate = next(s for s in with_blanks.scores if s.name.startswith("Fluency error rate"))
    assert rate.items[2:] == (1.0, 1.0)
    inputs = MetricInputs(BLANK, REFERENCES)
    inputs.judge = inputs.judge._replace(detector=Blind())  # type: ignore[misc]
    assert inputs.errors[:, -1].tolist() == [0.0, 0.0, 1.0, 1.0]


class Blind:
    """A detector that finds nothing."""

    def probabilities(self, texts: list[str]) -> np.ndarray:
        return np.zeros((len(texts), 6), np.float32)


def test_similarities_of_empty_captions_are_no_average(with_blanks: Evaluation) -> None:
    alike = next(s for s in with_blanks.scores if s.name.startswith("Self-similarity"))
    two = MetricInputs(SAID[:2], REFERENCES[:2]).vectors.candidates
    assert alike.corpus == pytest.approx(2 * float(two[0] @ two[1]) / 12)


@pytest.mark.slow
def test_nothing_but_empty_captions_scores_0() -> None:
    for score in evaluate(["", ""], REFERENCES[:2]).scores:
        if score.name.startswith(SCORES):
            assert score.corpus == 0.0, score.name


@pytest.mark.parametrize("partial", [False, True])
def test_they_are_paired_in_their_place_and_noted(references: Path, partial: bool) -> None:
    pairs = pair(predictions(BLANK), read_references(references), partial)
    assert pairs.captions == BLANK
    assert not pairs.faults.found
    assert pairs.notes[0].startswith("2 of 4 captions are empty and score 0; --drop-blank")
    assert pairs.notes[1:] == (
        "said.csv:4: empty caption: 2.wav",
        "said.csv:5: empty caption: 3.wav",
    )


def test_dropping_them_is_the_option(references: Path) -> None:
    data: References = read_references(references)
    pairs = pair(predictions(BLANK), data, drop_blank=True)
    assert pairs.captions == SAID[:2]
    assert [fault.reason for fault in pairs.faults.found] == ["empty caption"] * 2
    assert pairs.notes == data.notes
    with pytest.raises(PairingError, match="clip without a prediction"):
        pair(predictions(BLANK[:3]), data, drop_blank=True)  # other faults still stop it


def test_the_commands(references: Path, said: Path) -> None:
    told = ["evaluate", str(said), "--references", str(references), "--metrics=rouge-l"]
    told += ["--format=json"]
    scored = CliRunner().invoke(app, told)
    assert scored.exit_code == 0, scored.output
    assert "2 of 4 captions are empty and score 0" in scored.stderr
    dropped = CliRunner().invoke(app, [*told, "--drop-blank"])
    assert dropped.exit_code == 1, dropped.output
    assert "left out: " in dropped.stderr
    values = [json.loads(r.stdout)["scores"]["ROUGE-L"]["value"] for r in (scored, dropped)]
    assert values[0] == pytest.approx(values[1] / 2)
    both = ["compare", str(said), str(said), *told[2:]]
    assert json.loads(CliRunner().invoke(app, both).stdout)
    assert CliRunner().invoke(app, [*both, "--drop-blank"]).exit_code == 1
