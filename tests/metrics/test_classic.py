"""BLEU, ROUGE-L and CIDEr-D against stored values, pycocoevalcap, and slow counts by definition."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from auricle.metrics.bleu import bleu, bleu_counts
from auricle.metrics.cider import cider_d, cider_d_simple
from auricle.metrics.ngrams import count_ngrams
from auricle.metrics.ptb import by_rules
from auricle.metrics.rouge import common_subsequence, rouge_l

EXACT = 1e-9


def scored(candidates, references):
    """Every score here by the names of the stored files."""
    found = {f"bleu_{n}": score for n, score in enumerate(bleu(candidates, references), 1)}
    found["rouge_l"] = rouge_l(candidates, references)
    found["cider_d"] = cider_d(candidates, references)
    return found


def tokens_of(clips):
    candidates = [by_rules(clip["candidate"]) for clip in clips]
    references = [[by_rules(text) for text in clip["references"]] for clip in clips]
    assert None not in candidates
    assert None not in [tokens for texts in references for tokens in texts]
    return candidates, references


@pytest.mark.parametrize("tool", ["pycocoevalcap", "aac_metrics"])
def test_scores_equal_those_other_tools_computed(golden_metrics, tool):
    clips = golden_metrics("audiocaps_test_loo1_tokenized.json")
    expected = golden_metrics(f"scores_{tool}.json")
    for part in (expected["corpus"], expected["sentences"]):  # CIDEr-D is "Cider" to one of them
        part.setdefault("cider_d", part.get("cider(pycocoevalcap Cider class)"))
    split = [clip["candidate"].split() for clip in clips]
    found = scored(split, [[text.split() for text in clip["references"]] for clip in clips])
    for name, score in found.items():
        assert score.corpus == pytest.approx(expected["corpus"][name], abs=EXACT), name
        assert score.items == pytest.approx(expected["sentences"][name], abs=EXACT), name


def kept_whole(tokens):
    """With "woman's" as one token."""
    return tuple(" ".join(tokens).replace(" 's", "'s").split())


@pytest.mark.parametrize(
    ("name", "as_published"),
    # The published scores of AudioCaps count its two possessives, "a woman's soft voice" and "a
    # vehicle's engine", as one token; with the tokenizer's two, CIDEr-D of 121 clips differs.
    [("conette_clotho_eval", tuple), ("conette_audiocaps_test", kept_whole)],
)
def test_scores_equal_published_ones(golden_metrics, name, as_published):
    clips, corpus = golden_metrics(f"{name}.jsonl"), golden_metrics(f"{name}_corpus.json")
    candidates, references = tokens_of(clips)
    whole = [[as_published(tokens) for tokens in texts] for texts in references]
    for metric, score in scored(candidates, whole).items():
        assert score.corpus == pytest.approx(corpus[metric], abs=EXACT), metric
        stored = [clip["scores"][metric] for clip in clips]
        assert score.items == pytest.approx(stored, abs=EXACT), metric


def made_clips(seed: int, clips: int = 30):
    """Short captions of few words, so that much is shared, repeated, equal or empty."""
    rng = random.Random(seed)
    words = ["a", "dog", "barks", "caf\u00e9", "1\xa01/2", "'s", "rain"]

    def caption():
        return tuple(rng.choices(words, k=rng.choice([0, 1, 2, 3, 5, 8, 12])))

    references = [[caption() for _ in range(rng.randint(1, 5))] for _ in range(clips)]
    said = [rng.choice([caption(), rng.choice(texts)]) for texts in references]
    return said, references


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("clips", [1, 2, 30])
def test_scores_equal_pycocoevalcap(seed, clips):
    pytest.importorskip("pycocoevalcap.cider.cider")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    said, references = made_clips(seed, clips)
    result = {i: [" ".join(tokens)] for i, tokens in enumerate(said)}
    truth = {i: [" ".join(tokens) for tokens in texts] for i, texts in enumerate(references)}
    found = scored(said, references)
    corpus, each = Bleu(4).compute_score(truth, result, verbose=0)
    for n in range(4):
        assert found[f"bleu_{n + 1}"].corpus == pytest.approx(corpus[n], abs=EXACT)
        assert found[f"bleu_{n + 1}"].items == pytest.approx(each[n], abs=EXACT)
    for name, tool in (("rouge_l", Rouge()), ("cider_d", Cider())):
        if name == "cider_d" and not any(" ".join(t).split() for ts in references for t in ts):
            continue  # of nothing at all that tool has no value
        corpus, each = tool.compute_score(truth, result)
        assert found[name].corpus == pytest.approx(corpus, abs=EXACT)
        assert found[name].items == pytest.approx(each, abs=EXACT)


def slow_grams(tokens):
    return Counter(
        tuple(tokens[i : i + n]) for n in (1, 2, 3, 4) for i in range(len(tokens) + 1 - n)
    )


def test_ngrams_equal_a_slow_count():
    said, _ = made_clips(0, 20)
    captions = [tuple(" ".join(tokens).split()) for tokens in said]
    found = count_ngrams(captions)
    expected = [slow_grams(tokens) for tokens in captions]
    assert found.lengths.tolist() == [len(tokens) for tokens in captions]
    assert found.kinds == len(set().union(*expected))
    for i, counts in enumerate(expected):
        mine = found.caption == i
        by_order = list(zip(found.order[mine] + 1, found.count[mine], strict=True))
        assert Counter(by_order) == Counter((len(gram), n) for gram, n in counts.items())
    for gram in range(found.kinds):  # one name means one n-gram
        owners = set(found.caption[found.gram == gram])
        assert any(
            owners == {i for i, c in enumerate(expected) if g in c} for g in set().union(*expected)
        )


def test_the_subsequence_equals_the_table_of_textbooks():
    for seed in range(20):
        said, references = made_clips(seed, 3)
        for first, second in zip(said, (texts[0] for texts in references), strict=True):
            table = np.zeros((len(first) + 1, len(second) + 1), dtype=int)
            for i, a in enumerate(first):
                for j, b in enumerate(second):
                    more = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
                    table[i + 1, j + 1] = more
            assert common_subsequence(first, second) == table[-1, -1]


def test_bleu_counts_make_the_bleu_of_any_corpus_of_the_clips():
    said, references = made_clips(3)
    counts, clips = bleu_counts(said, references), np.array([[4, 4, 9, 1], [0, 1, 2, 3]])
    for row, found in zip(clips, counts.of(clips).bleu(), strict=True):
        expected = bleu([said[i] for i in row], [references[i] for i in row])
        assert found == pytest.approx([score.corpus for score in expected], abs=EXACT)


def test_documents_make_a_part_of_a_set_score_as_in_the_whole():
    said, references = made_clips(5)
    whole = cider_d(said, references)
    part = cider_d(said[4:9], references[4:9], documents=references)
    assert part.items == pytest.approx(whole.items[4:9], abs=EXACT)
    assert cider_d(said[4:9], references[4:9]).items != pytest.approx(whole.items[4:9], abs=1e-3)


def test_simple_tokens_ignore_case_and_punctuation_and_repetition_is_clipped():
    references = [["A dog barks.", "dogs bark loudly"], ["rain falls on a roof"], ["a man talks"]]
    said = ["a dog barks", "rain falls on a roof", "a man talks"]
    corpus, each = cider_d_simple(said, references)
    assert corpus == pytest.approx(np.mean(each))
    assert each[1] > each[0] > 0  # the second reference of the first clip says something else
    assert cider_d_simple(["A, dog barks!", *said[1:]], references)[1] == pytest.approx(each)
    repeated = ["a dog barks", "rain rain rain rain rain", "a man talks"]
    assert cider_d_simple(repeated, references)[1][1] < 0.3 * each[1]


def test_simple_tokens_differ_little_from_the_published(golden_metrics):
    clips = golden_metrics("audiocaps_test_loo1_inputs.json")
    found = cider_d_simple([c["candidate"] for c in clips], [c["references"] for c in clips])[0]
    assert found == pytest.approx(
        golden_metrics("scores_aac_metrics.json")["corpus"]["cider_d"], abs=1e-3
    )


@pytest.mark.parametrize("metric", [bleu, rouge_l, cider_d])
def test_what_cannot_be_scored_is_refused(metric):
    dog = ("a", "dog")
    for said, references in (([], []), ([dog], [[]]), ([dog, dog], [[dog]])):
        with pytest.raises(ValueError, match="at least one"):
            metric(said, references)
    with pytest.raises(TypeError, match="takes tokens"):
        metric(["a dog"], [["a dog"]])


def test_a_caption_like_its_reference_scores_full_marks():
    said = [("rain", "falls", "on", "a", "roof"), ("a", "dog", "barks", "twice")]
    found = scored(said, [[tokens] for tokens in said])
    assert found["bleu_4"].items == pytest.approx([1.0, 1.0], abs=1e-8)
    assert found["rouge_l"].items == (1.0, 1.0)
    # "a" is in every reference set and weighs nothing, the other n-grams agree: 10 x a cosine of 1.
    assert found["cider_d"].items == pytest.approx([10.0, 10.0])
    assert math.isclose(found["cider_d"].corpus, 10.0)
