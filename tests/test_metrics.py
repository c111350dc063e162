"""CIDEr-D against other tools' values, recall against a slow count, intervals against theory."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from auricle.errors import MissingDependencyError
from auricle.metrics.bootstrap import bootstrap
from auricle.metrics.cider import cider_d
from auricle.metrics.retrieval import recall_at, retrieval_ranks

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "metrics"


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="needs the project's shared data folder")
def test_cider_d_equals_what_other_tools_computed():
    pytest.importorskip("pycocoevalcap")
    golden = json.loads((GOLDEN / "scores_aac_metrics.json").read_text())
    found = {}
    for kind in ("tokenized", "inputs"):
        clips = json.loads((GOLDEN / f"audiocaps_test_loo1_{kind}.json").read_text())
        found[kind] = cider_d([c["candidate"] for c in clips], [c["references"] for c in clips])
    assert found["tokenized"][1] == pytest.approx(golden["sentences"]["cider_d"], abs=1e-9)
    assert found["tokenized"][0] == pytest.approx(golden["corpus"]["cider_d"], abs=1e-9)
    simple = found["inputs"][0]  # what simple tokens change on 975 clips
    assert simple == pytest.approx(golden["corpus"]["cider_d"], abs=1e-3)


def test_cider_d_ignores_case_and_punctuation_and_clips_repetition():
    pytest.importorskip("pycocoevalcap")
    references = [["A dog barks.", "dogs bark loudly"], ["rain falls on a roof"], ["a man talks"]]
    said = ["a dog barks", "rain falls on a roof", "a man talks"]
    corpus, each = cider_d(said, references)
    assert corpus == pytest.approx(np.mean(each))
    assert each[1] > each[0] > 0  # the second reference of the first clip says something else
    assert cider_d(["A, dog barks!", *said[1:]], references)[1] == pytest.approx(each)
    repeated = ["a dog barks", "rain rain rain rain rain", "a man talks"]
    assert cider_d(repeated, references)[1][1] < 0.3 * each[1]


@pytest.mark.parametrize(
    ("candidates", "references"),
    [([], []), (["a dog"], [[]]), (["a dog", "a cat"], [["a dog"]])],
)
def test_cider_d_refuses_what_it_cannot_score(candidates, references):
    with pytest.raises(ValueError, match="at least one"):
        cider_d(candidates, references)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocoevalcap.cider.cider", None)
    with pytest.raises(MissingDependencyError, match=r"auricle\[train\]"):
        cider_d(["a"], [["a"]])


def slow_ranks(queries, keys, belongs):
    """By the definition: one more than the keys that are as near and not the query's own."""
    ranks = []
    for q, query in enumerate(queries):
        cosines = [float(query @ key) for key in keys]
        best = max(c for k, c in enumerate(cosines) if belongs(q, k))
        ranks.append(1 + sum(c >= best and not belongs(q, k) for k, c in enumerate(cosines)))
    return ranks


def test_ranks_equal_a_slow_count_in_chunks_of_any_size(monkeypatch):
    torch.manual_seed(0)
    audio, text = (F.normalize(torch.randn(n, 6, dtype=torch.float64), dim=-1) for n in (20, 50))
    owner = torch.cat([torch.arange(20), torch.randint(20, (30,))])
    expected_audio = slow_ranks(audio, text, lambda clip, caption: owner[caption] == clip)
    expected_text = slow_ranks(text, audio, lambda caption, clip: owner[caption] == clip)
    for chunk in (1, 7, 1024):
        monkeypatch.setattr("auricle.metrics.retrieval.CHUNK", chunk)
        found = retrieval_ranks(audio, text, owner)
        assert found["audio_to_text"].tolist() == expected_audio
        assert found["text_to_audio"].tolist() == expected_text
    recall = recall_at(audio, text, owner, ks=(1, 5))
    assert recall["audio_to_text_r5"] == pytest.approx(np.mean(np.array(expected_audio) <= 5))
    assert recall["text_to_audio_r1"] == pytest.approx(np.mean(np.array(expected_text) <= 1))
    assert set(recall) == {f"{way}_r{k}" for way in found for k in (1, 5)}


def test_a_model_that_says_the_same_of_everything_finds_nothing():
    text = torch.eye(8)
    for audio in (torch.ones(8, 8), torch.full((8, 8), torch.nan)):
        recall = recall_at(audio, text, torch.arange(8), ks=(1, 7, 8))
        assert recall["audio_to_text_r7"] == recall["text_to_audio_r7"] == 0.0
        assert recall["audio_to_text_r8"] == 1.0


def test_clips_captioned_alike_are_no_errors_of_each_other():
    audio, text = torch.eye(3)[[0, 0, 1, 2]], torch.eye(3)[[0, 0, 1, 2]]  # clips 0 and 1: "a dog"
    assert set(recall_at(audio, text, torch.arange(4), ks=(1,)).values()) == {1.0}
    other = text + torch.tensor([[0.0], [0.1], [0.0], [0.0]])  # said in other words
    ranks = retrieval_ranks(audio, other, torch.arange(4))
    assert ranks["audio_to_text"].tolist() == [1, 2, 1, 1]


def test_a_clip_without_captions_is_a_miss():
    ranks = retrieval_ranks(torch.eye(3), torch.eye(3)[:2], torch.tensor([0, 1]))
    assert ranks["audio_to_text"].tolist() == [1, 1, 3]


def test_an_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [bootstrap(rng.exponential(size=60), seed=i) for i in range(200)]
    covered = np.mean([low <= 1.0 <= high for _, low, high in found])
    assert 0.88 < covered <= 0.99  # theory: 0.95, a little less for few skewed values
    width = np.mean([high - low for _, low, high in found])
    assert width == pytest.approx(2 * 1.96 / np.sqrt(60), rel=0.1)


def test_an_interval_is_fixed_by_its_seed_and_weights_count():
    scores, weights = np.linspace(0, 1, 9) ** 2, [1, 3, 1, 1, 2, 1, 1, 4, 1]
    found = bootstrap(scores, weights)
    assert found == bootstrap(scores, weights)
    assert found.low != bootstrap(scores, weights, seed=1).low
    assert found.value == pytest.approx(np.average(scores, weights=weights))
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert bootstrap([0.3]) == pytest.approx((0.3, 0.3, 0.3))
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])
