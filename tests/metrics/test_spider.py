"""SPIDEr and what is made of it: recomputed from published parts, and named after them."""

import numpy as np
import pytest

from auricle.metrics.cider import cider_d
from auricle.metrics.scores import Score
from auricle.metrics.spider import spider, spider_fl, spider_max

CIDER = Score("CIDEr-D", 0.6, (0.4, 0.8))
SPICE = Score("SPICE", 0.2, (0.1, 0.3))


@pytest.mark.parametrize("name", ["conette_clotho_eval", "conette_audiocaps_test"])
def test_published_scores_follow_from_their_parts(golden_metrics, name):
    clips, corpus = golden_metrics(f"{name}.jsonl"), golden_metrics(f"{name}_corpus.json")

    def stored(metric: str) -> Score:
        return Score(metric, corpus[metric], tuple(clip["scores"][metric] for clip in clips))

    both = spider(stored("cider_d"), stored("spice"))
    fluent = spider_fl(both, stored("fer.error_prob").items)
    for found, metric in ((both, "spider"), (fluent, "spider_fl")):
        assert found.items == pytest.approx(stored(metric).items, abs=1e-12)
        assert found.corpus == pytest.approx(corpus[metric], abs=1e-12)
    assert fluent.details["error"] == stored("fer").items
    assert sum(fluent.details["error"]) > 0


def test_a_score_is_named_after_its_parts():
    own = Score("SPICE (spice-py)", SPICE.corpus, SPICE.items)
    assert spider(CIDER, SPICE).name == "SPIDEr"
    assert spider(CIDER, own).name == "SPIDEr (spice-py)"
    assert spider_fl(spider(CIDER, SPICE), [0, 0]).name == "SPIDEr-FL"
    named = spider_fl(spider(CIDER, own), [0, 0], detector="auricle detector")
    assert named.name == "SPIDEr-FL (spice-py, auricle detector)"
    assert spider_max(spider(CIDER, own), [2]).name == "SPIDEr-max (spice-py)"
    simple = Score("CIDEr-D (simple tokens)", CIDER.corpus, CIDER.items)
    assert spider(simple, own).name == "SPIDEr (simple tokens, spice-py)"


def test_what_is_no_sentence_keeps_a_tenth_above_the_threshold():
    both = spider(CIDER, SPICE)
    assert both.items == pytest.approx([0.25, 0.55])
    found = spider_fl(both, [0.9, 0.9001])
    assert found.items == pytest.approx([0.25, 0.055])
    assert found.corpus == pytest.approx(np.mean([0.25, 0.055]))
    assert spider_fl(both, [0.5, 0.6], threshold=0.55).items == pytest.approx([0.25, 0.055])


def test_the_best_of_each_clips_candidates_counts():
    scores = Score("SPIDEr", 0.0, (0.1, 0.3, 0.2, 0.5))
    found = spider_max(scores, [3, 1])
    assert found.items == (0.3, 0.5)
    assert found.corpus == pytest.approx(0.4)
    for counts in ([], [4, 0], [3, 2]):
        with pytest.raises(ValueError, match="SPIDEr-max takes one score"):
            spider_max(scores, counts)


def test_candidates_scored_together_score_as_one_by_one():
    references = [
        [("a", "dog", "barks"), ("dogs", "bark")],
        [("rain",), ("a", "rain")],
        [("wind",)],
    ]
    candidates = [[("a", "dog"), ("a", "whale")], [("a", "rain")], [("wind",), (), ("a", "wind")]]
    counts = [len(found) for found in candidates]
    repeated = [texts for texts, n in zip(references, counts, strict=True) for _ in range(n)]
    together = cider_d([c for found in candidates for c in found], repeated, documents=references)
    first = cider_d([found[0] for found in candidates], references)
    assert [together.items[i] for i in (0, 2, 3)] == pytest.approx(first.items, abs=1e-12)


def test_parts_of_different_captions_are_refused():
    with pytest.raises(ValueError, match="zip"):
        spider(CIDER, Score("SPICE", 0.2, (0.1,)))
    with pytest.raises(ValueError, match="zip"):
        spider_fl(CIDER, [0.1])
    with pytest.raises(ValueError, match="no captions"):
        spider_fl(Score("SPIDEr", 0.0), [])
