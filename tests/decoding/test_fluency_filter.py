"""The fluency filter of decoding: our own detector, FENSE's, or none."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from auricle.cli import app
from auricle.decoding.hypothesis import Hypothesis, Scorer
from auricle.decoding.likelihood import Likelihood
from auricle.decoding.options import DecodeOptions, RerankWeights
from auricle.decoding.rerank import choose, score_candidates
from auricle.errors import ModelError
from auricle.fetch.names import BUNDLED
from auricle.hub.folder import load_bundle
from auricle.pipeline import Captioner
from auricle.records import Candidate
from auricle.schema import build
from auricle.text import fluency
from auricle.text.fluency import FluencyDetector, FluencyFilter, fense
from auricle.training.recipe import load_recipe
from tests.helpers.paths import GOLDEN, RECIPES, SCRIPTS

BROKEN, WHOLE, THIRD = "a dog barks and", "a dog barks", "rain falls on a roof"


class Finds(FluencyDetector):
    """An error in every text that holds ``word``."""

    threshold = 0.9

    def __init__(self, word: str) -> None:
        self.name, self.word = f"finds {word}", word

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), 6), np.float32)
        found[[self.word in text for text in texts], -1] = 1.0
        return found


@pytest.fixture
def detectors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """FENSE's detectors in the place of those that are downloaded."""
    fluency.default_detector()
    by_name = {"fense-base": Finds("barks"), "fense-tiny": Finds("a dog barks and")}
    monkeypatch.setattr(fluency, "load_detector", lambda name, **_: by_name[name])
    fluency._fense_filter.cache_clear()
    yield
    fluency._fense_filter.cache_clear()


@pytest.fixture
def nothing_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fense, "ADDRESS", (tmp_path / "nowhere").as_uri())
    fluency._fense_filter.cache_clear()


def ranked(options: DecodeOptions) -> list[Candidate]:
    texts = (BROKEN, WHOLE, THIRD)  # best first by likelihood
    hypotheses = [Hypothesis(text, (), None, count=1) for text in texts]
    likelihoods = [Likelihood(-float(place), -float(place)) for place in range(1, 4)]
    scorer = Scorer("one", None, None, None, 1.0, 1.0)  # type: ignore[arg-type]
    zeros = [torch.zeros(1, 4)]
    return score_candidates([scorer], zeros, [hypotheses], [[likelihoods]], options)[0]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("own", WHOLE), ("fense-base", THIRD), ("fense-tiny", WHOLE), ("off", BROKEN)],
)
def test_the_first_caption_that_the_chosen_detector_passes_wins(
    name: FluencyFilter, chosen: str, detectors: None
) -> None:
    assert choose(ranked(DecodeOptions(fluency=name))).text == chosen


def test_off_judges_none_and_loads_no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fluency, "default_detector", lambda: pytest.fail("a detector is loaded"))
    monkeypatch.setattr(fluency, "load_detector", lambda *_, **__: pytest.fail("… is loaded"))
    for candidate in ranked(DecodeOptions(fluency="off")):
        assert candidate.fluent is None
        assert candidate.fluency is None
        assert "not fluent" not in (candidate.reason or "")


def test_a_weight_of_fluency_takes_a_detector() -> None:
    weights = RerankWeights(fluency=1.0)
    with pytest.raises(ModelError, match='fluency has a weight, but the fluency filter is "off"'):
        ranked(DecodeOptions(rerank=weights, fluency="off"))
    assert ranked(DecodeOptions(rerank=weights))


def test_there_are_four_filters() -> None:
    with pytest.raises(ValueError, match="own, fense-base, fense-tiny or off"):
        DecodeOptions(fluency="fense")  # type: ignore[arg-type]


def test_a_missing_detector_is_said_before_anything_is_heard(nothing_fetched: None) -> None:
    captioner = Captioner.from_pretrained("tiny")
    with pytest.raises(ModelError) as error:
        captioner.stream(["no-such-file.wav"], fluency="fense-base")
    assert "auricle models fetch fense" in str(error.value)
    assert "--fluency own" in str(error.value)


def test_model_folders_from_before_keep_our_own(tmp_path: Path) -> None:
    config = json.loads((BUNDLED / "tiny" / "config.json").read_text())
    assert "fluency" not in config["decoding"]
    assert load_bundle("tiny").decoding.fluency == "own"
    assert build(DecodeOptions, {"fluency": "off"}, "decoding").fluency == "off"
    captioner = Captioner.from_pretrained("tiny")
    captioner.save_pretrained(tmp_path / "copy")
    saved = json.loads((tmp_path / "copy" / "config.json").read_text())
    assert saved["decoding"]["fluency"] == "own"


def test_the_published_system_filters_by_fenses_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auricle.hub.folder.tokenizer_folder", lambda: BUNDLED / "tiny")
    published = load_bundle(GOLDEN)
    assert published.decoding.fluency == "fense-base"
    recipes = RECIPES / "paper"
    for stage in ("pretrain", "finetune"):
        changes = ["start="] if stage == "finetune" else []
        assert load_recipe(recipes / f"{stage}.toml", changes).decoding.fluency == "fense-base"
    debug = load_recipe(recipes / "pretrain.toml", [str(recipes / "debug.toml")])
    assert debug.decoding.fluency == "own"


@pytest.mark.parametrize("name", ["off", "own"])
def test_the_command_line_chooses(name: str, write_tone: Callable[..., Path]) -> None:
    path = write_tone("one.wav")
    told = ["caption", str(path), "--format=jsonl", "--candidates=4", f"--fluency={name}"]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    candidates = json.loads(result.stdout)["candidates"]
    assert all((candidate["fluent"] is None) == (name == "off") for candidate in candidates)


def test_evaluate_of_a_model_chooses(write_tone: Callable[..., Path], tmp_path: Path) -> None:
    path = write_tone("one.wav")
    row = {"audio": str(path), "captions": ["a tone", "beeping"]}
    (tmp_path / "data.jsonl").write_text(json.dumps(row) + "\n")
    kept = tmp_path / "said.jsonl"
    told = ["evaluate", "tiny", "--references", str(tmp_path / "data.jsonl"), "--metrics=bleu"]
    told += ["--candidates=4", "--fluency=off", "--captions", str(kept)]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    assert all(c["fluent"] is None for c in json.loads(kept.read_text())["candidates"])


def test_the_papers_table_is_made_by_the_filter_chosen(
    write_tone: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"audio": str(write_tone(f"{n}.wav", 1.0 + n)), "captions": ["a tone"]} for n in (0, 1)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = [str(tmp_path / "data.jsonl"), "--model=tiny", "--metrics", "cider-d"]
    told += ["--candidates=4", "--fluency=off", f"--output={tmp_path / 'out'}"]
    runpy.run_path(str(SCRIPTS / "paper" / "evaluate.py"))["main"](told)
    sampled = (tmp_path / "out" / "single-nucleus-off.jsonl").read_text().splitlines()
    assert all(c["fluent"] is None for line in sampled for c in json.loads(line)["candidates"])
