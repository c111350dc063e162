"""scripts/paper/evaluate.py on a stand-in: decoded twice, ranked three times, gone on with."""

import json
import runpy

import pytest

from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.decoding.options import RerankWeights
from auricle.evaluation.predictions import Prediction
from auricle.records import Candidate
from tests.helpers.paths import SCRIPTS

SCRIPT = SCRIPTS / "paper" / "evaluate.py"
METHODS = ("beam-search", "decoder", "encoder", "hybrid")


@pytest.fixture(scope="module")
def recipe():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def manifest(write_tone, tmp_path):
    tones = [write_tone(f"{n}.wav", 1.0 + n) for n in range(2)]
    clips = [Clip(tone, ("a tone", "beeping"), str(n), "test") for n, tone in enumerate(tones)]
    write_manifest(tmp_path / "data.jsonl", clips)
    return tmp_path / "data.jsonl"


def test_the_same_candidates_are_ranked_by_each_weight(recipe):
    likely, similar, broken = (
        Candidate("likely", -0.5, 0.1, 0.0, True),
        Candidate("similar", -3.0, 0.8, 0.0, True),
        Candidate("broken", -0.1, 0.9, 0.0, False),
    )
    said = Prediction("0", "x", "", (similar, broken, likely))
    by = {
        name: recipe["reranked"](said, weights).caption
        for name, weights in recipe["RERANKED"].items()
    }
    assert by == {"decoder": "likely", "encoder": "similar", "hybrid": "likely"}
    assert recipe["RERANKED"]["hybrid"] == RerankWeights(0.3, similarity=0.7)


def test_the_table_of_the_paper_on_a_stand_in(recipe, manifest, capsys):
    output = manifest.parent / "out"
    arguments = [str(manifest), "--model", "tiny", "--output", str(output)]
    arguments += ["--candidates", "6", "--metrics", "cider-d"]
    recipe["main"](arguments)
    said = capsys.readouterr().out
    assert "32.6" in said
    assert "CIDEr-D" in said
    for method in METHODS:
        stored = json.loads((output / f"single-{method}.json").read_text())
        assert stored["clips"] == 2
    assert (output / "table.md").read_text().count("| CIDEr-D |") == 1
    (output / "single-beam.jsonl").unlink()
    sampled = (output / "single-nucleus.jsonl").stat().st_mtime_ns
    recipe["main"](arguments)
    assert (output / "single-beam.jsonl").exists()
    assert (output / "single-nucleus.jsonl").stat().st_mtime_ns == sampled  # not made again


def test_a_recording_that_is_gone_is_named(recipe, manifest, capsys):
    (manifest.parent / "1.wav").unlink()
    arguments = [str(manifest), "--model", "tiny", "--output", str(manifest.parent / "out")]
    with pytest.raises(SystemExit, match="clip without a prediction"):
        recipe["main"]([*arguments, "--candidates", "2", "--metrics", "cider-d"])
    assert "1: " in capsys.readouterr().err
