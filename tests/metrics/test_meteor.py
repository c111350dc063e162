"""METEOR against stored values and its own program; what happens when that program misbehaves."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from auricle.errors import AuricleError, MissingDependencyError
from auricle.metrics import meteor as module
from auricle.metrics.java import INSTALL, carried, find_java
from auricle.metrics.meteor import meteor, meteor_of
from auricle.metrics.scores import MissingMetricError
from tests.helpers.skips import skipped_if_missing

# The program's answers to a line of "SCORE" and then to "EVAL" of it.
ANSWER = "3.0 4.0 1.0 1.0 2.0 2.0 1.0 1.0" + " 0.0" * 12 + " 1.0 3.0 3.0"
SCORE = 0.3799461194352912


@pytest.fixture
def program(tmp_path, monkeypatch):
    """``program(script)`` stands in the place of Java."""
    pytest.importorskip("pycocoevalcap.meteor.meteor")

    def write(script: str) -> None:
        path = tmp_path / "java"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(module, "find_java", lambda: path)

    return write


@pytest.fixture
def needs_java():
    with skipped_if_missing():
        find_java(), carried("meteor", "meteor-1.5.jar")


def perfect(tokens: float) -> np.ndarray:
    """The statistics of a caption that is its reference, of content words alone."""
    return np.array([tokens, tokens, 0, 0, tokens, tokens, *[0] * 14, 0, tokens, tokens])


def test_the_score_of_statistics_is_the_programs():
    statistics = np.array([float(value) for value in ANSWER.split()])
    assert meteor_of(statistics) == pytest.approx(SCORE, abs=1e-12)
    assert meteor_of(2 * statistics) == pytest.approx(SCORE, abs=1e-12)
    assert meteor_of(perfect(7)) == 1.0
    assert meteor_of(np.zeros((2, 23))).tolist() == [0.0, 0.0]


def test_every_clip_is_asked_for_once_with_its_captions_cleaned(program, tmp_path):
    program(f'while read -r line; do echo "$line" >> {tmp_path}/asked; echo "{ANSWER}"; done')
    said = [("a", "dog"), "Rain,\nfalls!"]
    found = meteor(said, [[("the", "dog"), ("x|||y",)], ["it's rain"]])
    assert found.items == pytest.approx([SCORE, SCORE])
    assert found.corpus == pytest.approx(SCORE)
    assert (tmp_path / "asked").read_text().splitlines() == [
        "SCORE ||| the dog ||| x y ||| a dog",
        "SCORE ||| it 's rain ||| rain falls",
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "cat > /dev/null; echo out of memory >&2; exit 3",
            r"0 answers to 1 clips.*3.*out of memory",
        ),
        ("cat > /dev/null; echo Error: no such option", r"1 answers to 1 clips.*no such option"),
        (f"cat > /dev/null; echo {ANSWER}; echo {ANSWER}", r"2 answers to 1 clips"),
    ],
)
def test_a_program_that_fails_is_an_error(program, script, message):
    program(script)
    with pytest.raises(AuricleError, match=message):
        meteor([("a",)], [[("a",)]])


def test_a_program_that_hangs_is_ended(program, monkeypatch):
    program("exec sleep 60")
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.2)
    start = time.monotonic()
    with pytest.raises(AuricleError, match="no answer within"):
        meteor([("a",)], [[("a",)]])
    assert time.monotonic() - start < 30


def test_without_java_the_metric_is_missing(monkeypatch):
    pytest.importorskip("pycocoevalcap.meteor.meteor")

    def refuse():
        raise MissingDependencyError(f"no Java; {INSTALL}")

    monkeypatch.setattr(module, "find_java", refuse)
    with pytest.raises(MissingMetricError) as raised:
        meteor([("a",)], [[("a",)]])
    assert raised.value.missing.name == "METEOR"
    assert raised.value.missing.command == INSTALL
    with pytest.raises(ValueError, match="at least one"):
        meteor([("a",)], [[]])


@pytest.mark.slow
def test_the_score_equals_what_other_tools_computed(golden_metrics, needs_java):
    clips = golden_metrics("audiocaps_test_loo1_inputs.json")
    found = meteor([c["candidate"] for c in clips], [c["references"] for c in clips])
    for tool in ("pycocoevalcap", "aac_metrics"):
        expected = golden_metrics(f"scores_{tool}.json")
        assert found.corpus == pytest.approx(expected["corpus"]["meteor"], abs=1e-9)
        assert found.items == pytest.approx(expected["sentences"]["meteor"], abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conette_clotho_eval", "conette_audiocaps_test"])
def test_the_score_equals_published_ones(golden_metrics, needs_java, name):
    clips, corpus = golden_metrics(f"{name}.jsonl"), golden_metrics(f"{name}_corpus.json")
    found = meteor([c["candidate"] for c in clips], [c["references"] for c in clips])
    assert found.corpus == pytest.approx(corpus["meteor"], abs=1e-9)
    assert found.items == pytest.approx([c["scores"]["meteor"] for c in clips], abs=1e-9)


@pytest.mark.slow
def test_corpora_of_odd_captions_score_as_by_pycocoevalcap(needs_java):
    if not shutil.which("java"):
        pytest.skip("pycocoevalcap takes the Java on the PATH alone")
    from pycocoevalcap.meteor.meteor import Meteor

    references = [
        [("a", "dog", "barks"), ("dogs", "bark", "loudly")],
        [("rain",)],
        [("caf\u00e9", "noise", "at", "5", "p.m.")],
        [("the", "the", "the"), ()],
        [()],
        [("it", "'s", "-lrb-", "rock/metal", "-rrb-")] * 3,
    ]
    said = [texts[0] for texts in references]
    said += [(), ("rain", "rain"), ("noise",), ("the",) * 9, (), ("metal", "rocks")]
    references += references
    truth = {i: [" ".join(tokens) for tokens in texts] for i, texts in enumerate(references)}
    corpus, each = Meteor().compute_score(truth, {i: [" ".join(t)] for i, t in enumerate(said)})
    with ThreadPoolExecutor(2) as pool:  # side by side
        found, part = pool.map(meteor, [said, said[:3]], [references, references[:3]])
    assert found.corpus == pytest.approx(corpus, abs=1e-9)
    assert found.items == pytest.approx(each, abs=1e-9)
    assert part.items == found.items[:3]
