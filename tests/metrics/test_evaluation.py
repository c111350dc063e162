"""All metrics of one set: labels, what is missing, intervals; FENSE against published values."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import auricle.metrics
from auricle.errors import DataError, MissingDependencyError
from auricle.metrics import evaluate
from auricle.metrics.bootstrap import intervals, resample
from auricle.metrics.fense import Judge, Sentences, fense, fluency_errors, similarities
from auricle.metrics.inputs import MetricInputs
from auricle.metrics.retrieval import average_precisions
from auricle.metrics.scores import Missing, MissingMetricError, Score
from auricle.metrics.statistics import distinct, length_spread, novel, self_similarity, vocabulary
from auricle.text.fluency import default_detector

SAID = ["a dog barks", "rain falls on a roof", "a dog barks and", "people talk", "wind blows"]
MEANT = [
    ["a dog is barking", "a dog barks"],
    ["rain falls", "it rains on a metal roof"],
    ["a cat meows"],
    ["people are talking", "a crowd talks"],
    ["strong wind blows outside"],
]


class FewWords:
    """A sentence model without a model: each word a fixed direction, a sentence their sum."""

    def __init__(self):
        self.asked = []

    def embed(self, texts):
        self.asked.append(list(texts))
        return F.normalize(torch.stack([sum(map(self._word, t.split())) for t in texts]), dim=-1)

    def _word(self, word):
        generator = torch.Generator().manual_seed(sum(map(ord, word)))
        return torch.randn(16, generator=generator)


@pytest.fixture
def words(monkeypatch):
    embedder = FewWords()
    monkeypatch.setattr(MetricInputs, "sentences", Sentences(embedder, "MiniLM"))
    return embedder


@pytest.fixture
def spice(monkeypatch):
    """SPICE's official program is absent, and what stands in for it says 0.5 of everything."""
    import auricle.metrics.spice

    def absent(candidates, references):
        raise MissingMetricError(Missing("SPICE", "its parser is not here", "auricle data metrics"))

    def half(candidates, references):
        return Score("SPICE (spice-py)", 0.5, (0.5,) * len(candidates))

    monkeypatch.setattr(auricle.metrics.spice, "spice", absent)
    monkeypatch.setattr(auricle.metrics.spice, "spice_py", half)


def test_scores_of_the_corpus_and_of_each_item():
    found = evaluate(SAID, MEANT, ["bleu", "CIDEr_D", "rouge-l"])
    assert [score.name for score in found.scores] == [
        "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr-D",
    ]  # fmt: skip
    assert found["CIDEr-D"].corpus == pytest.approx(np.mean(found["CIDEr-D"].items))
    assert len(found["BLEU-1"].items) == found.clips == 5
    for name in ("BLEU-1", "ROUGE-L", "CIDEr-D"):
        value, low, high = found.intervals[name]
        assert value == pytest.approx(found[name].corpus)
        assert low < value < high
    with pytest.raises(KeyError, match="there are"):
        found["SPICE"]


def test_the_package_itself_stays_light():
    assert auricle.metrics.evaluate is evaluate
    assert "Evaluation" in auricle.metrics.__all__
    with pytest.raises(AttributeError):
        auricle.metrics.nothing  # noqa: B018


def test_the_interval_of_corpus_bleu_is_that_of_corpora_drawn_again():
    from auricle.metrics.bleu import bleu

    found = next(m for m in evaluate(SAID, MEANT, ["bleu"]).measured if m.score.name == "BLEU-2")
    said, meant = [text.split() for text in SAID], [[t.split() for t in texts] for texts in MEANT]
    drawn = np.random.default_rng(7).integers(5, size=(100, 5))  # the first of the resamples
    slow = [bleu([said[n] for n in clips], [meant[n] for n in clips])[1].corpus for clips in drawn]
    assert resample([found.sums], seed=7)[0, :100] == pytest.approx(slow)
    assert found.sums.value == pytest.approx(found.score.corpus)


def test_what_stands_in_is_labelled_and_what_is_missing_says_how_to_get_it(words, spice):
    found = evaluate(SAID, MEANT, ["spice", "spider", "spider-fl", "fense", "sbert"])
    assert [score.name for score in found.scores] == [
        "SPICE (spice-py)",
        "SPIDEr (spice-py)",
        "SPIDEr-FL (spice-py, auricle detector)",
        "SBERT similarity (MiniLM)",
        "FENSE (auricle detector, MiniLM)",
    ]
    commands = {missing.name: missing.command for missing in found.missing}
    assert commands == {
        "SPICE": "auricle data metrics",
        "SPIDEr": "auricle data metrics",
        "SPIDEr-FL": "auricle data metrics",
        "SBERT similarity": "auricle models fetch fense",
        "FENSE": "auricle models fetch fense",
    }
    broken_off = SAID.index("a dog barks and")
    fl, plain = (
        found["SPIDEr-FL (spice-py, auricle detector)"].items,
        found["SPIDEr (spice-py)"].items,
    )
    assert fl[broken_off] == pytest.approx(0.1 * plain[broken_off])
    assert fl[0] == plain[0]
    assert len(words.asked) == 1  # all texts in one batch


def test_one_metric_that_fails_does_not_take_the_others_with_it(monkeypatch):
    import auricle.metrics.rouge

    def fails(*_):
        raise MissingDependencyError("no rouge in the house")

    monkeypatch.setattr(auricle.metrics.rouge, "rouge_l", fails)
    found = evaluate(SAID, MEANT, ["rouge-l", "cider-d"])
    assert [score.name for score in found.scores] == ["CIDEr-D"]
    assert [(m.name, m.reason) for m in found.missing] == [("ROUGE-L", "no rouge in the house")]


def test_spider_max_is_the_best_of_the_candidates(spice):
    rivals = [[text, *meant] for text, meant in zip(SAID, MEANT, strict=True)]
    found = evaluate(SAID, MEANT, ["spider", "spider-max"], rivals=rivals)
    best, chosen = found["SPIDEr-max (spice-py)"], found["SPIDEr (spice-py)"]
    assert all(a >= b for a, b in zip(best.items, chosen.items, strict=True))
    alone = evaluate(SAID, MEANT, ["spider", "spider-max"], rivals=[[text] for text in SAID])
    assert alone["SPIDEr-max (spice-py)"].items == pytest.approx(chosen.items)
    assert evaluate(SAID, MEANT, ["spider-max"]).scores == ()  # no clip has candidates


@pytest.mark.parametrize("data", ["clotho_eval", "audiocaps_test"])
def test_fense_recomputes_from_its_published_parts(golden_metrics, data):
    rows = [row["scores"] for row in golden_metrics(f"conette_{data}.jsonl")]
    corpus = golden_metrics(f"conette_{data}_corpus.json")
    errors = [row["fer.error_prob"] for row in rows]
    found = fense([row["sbert_sim"] for row in rows], errors, 0.9)
    assert found.items == pytest.approx([row["fense"] for row in rows], abs=1e-7)
    assert found.corpus == pytest.approx(corpus["fense"], abs=1e-6)
    kinds = ("add_tail", "repeat_event", "repeat_adv", "remove_conj", "remove_verb", "error")
    table = np.array([[row[f"fer.{kind}_prob"] for kind in kinds] for row in rows])
    rate = fluency_errors(table, 0.9)[0]
    assert rate.items == tuple(row["fer"] for row in rows)
    assert rate.corpus == pytest.approx(corpus["fer"], abs=1e-9)
    assert rate.details["add_tail"] == pytest.approx(table[:, 0])


def test_similarity_is_the_mean_over_references():
    rows = F.normalize(torch.randn(9, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    said, meant, counts = rows[:3], rows[3:], [1, 3, 2]
    slow = [float(said[0] @ meant[0]), float((meant[1:4] @ said[1]).mean())]
    slow.append(float((meant[4:] @ said[2]).mean()))
    assert similarities(said, meant, counts) == pytest.approx(slow, abs=1e-6)


def test_named_errors_are_rates_by_kind(monkeypatch):
    monkeypatch.setattr(MetricInputs, "judge", Judge(default_detector(), None))
    found = evaluate(["a dog barks and", "a dog barks"], [["a dog"], ["a dog"]], ["fluency"])
    assert found["Fluency error rate"].items == (1.0, 0.0)
    assert found["Error: incomplete end"].items == (1.0, 0.0)
    assert found["Error: repeated event"].corpus == 0.0
    assert found.intervals["Error: repeated event"][:2] == (0.0, 0.0)  # and at most 66 % (Wilson)
    assert not found.missing


def test_statistics_of_words_and_lengths():
    tokens = [("a", "dog", "barks"), ("a", "dog"), ("rain",)]
    assert vocabulary(tokens).corpus == 4
    assert distinct(tokens, 1).corpus == pytest.approx(4 / 6)
    assert distinct(tokens, 2).corpus == pytest.approx(2 / 3)
    assert distinct([("a",)], 2).corpus == 0
    spread, sums = length_spread(tokens)
    assert spread.corpus == pytest.approx(np.std([3, 2, 1]))
    assert intervals([sums])[0].low >= 0
    assert novel(["A dog barks.", "a new one"], ["a dog barks"]).items == (0.0, 1.0)
    rows = F.normalize(torch.randn(6, 4), dim=-1)
    slow = np.mean([float(rows[i] @ rows[j]) for i, j in product(range(6), repeat=2) if i != j])
    assert self_similarity(rows).corpus == pytest.approx(slow, abs=1e-6)


@pytest.mark.parametrize(
    ("said", "meant", "wrong"),
    [
        ([], [], "no captions"),
        ("a dog", [["a dog"]], "no captions"),
        (["a", "b"], [["a"]], "2 captions and references of 1"),
        (["a"], [[]], "clip 0"),
        (["a"], ["a dog"], "clip 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(said, meant, wrong):
    with pytest.raises(DataError, match=wrong):
        evaluate(said, meant)


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(DataError, match="did you mean cider-d"):
        evaluate(SAID, MEANT, ["cidre-d"])


def slow_average_precision(cosines, own, k):
    order = sorted(range(len(cosines)), key=lambda n: (-cosines[n], n in own))
    relevant = [n in own for n in order[:k]]
    precisions = [sum(relevant[: n + 1]) / (n + 1) for n, hit in enumerate(relevant) if hit]
    return sum(precisions) / min(k, len(own))


def test_mean_average_precision_equals_a_slow_count(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    audio, text = (torch.randn(n, 5, generator=generator) for n in (12, 30))
    owner = torch.cat([torch.arange(12), torch.randint(12, (18,), generator=generator)])
    cosines = F.normalize(audio, dim=-1) @ F.normalize(text, dim=-1).T
    slow = {
        "audio_to_text": [
            slow_average_precision(
                cosines[n].tolist(), set(torch.where(owner == n)[0].tolist()), 10
            )
            for n in range(12)
        ],
        "text_to_audio": [
            slow_average_precision(cosines[:, n].tolist(), {int(owner[n])}, 10) for n in range(30)
        ],
    }
    for chunk in (5, 1024):
        monkeypatch.setattr("auricle.metrics.retrieval.CHUNK", chunk)
        found = average_precisions(audio, text, owner, 10)
        for way, values in slow.items():
            assert found[way].tolist() == pytest.approx(values, abs=1e-6)


def test_equal_vectors_of_others_count_against_precision():
    audio = torch.ones(3, 4)
    text = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 1]])
    found = average_precisions(audio, text, torch.arange(3))
    assert found["text_to_audio"].tolist() == pytest.approx([1 / 3] * 3)
