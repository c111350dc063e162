"""Greedy, beam and nucleus decoding against slow, obvious versions of themselves."""

import pytest
import torch

from auricle.decoding.options import DecodeOptions
from auricle.decoding.processors import constrain, nucleus
from auricle.decoding.search import decode
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config

VOCAB, EOS = 300, 2


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = AudioCaptioner(debug_config(VOCAB)).eval()
    # Peaked enough that methods differ, flat enough that samples do.
    torch.nn.init.normal_(model.decoder.tokens.weight, std=0.3)
    return model


@pytest.fixture(scope="module")
def memory(model):
    with torch.no_grad():
        return model.encode([torch.randn(n) * 0.1 for n in (16_000, 12_000, 9_000)])


def read(model, memory, clips=slice(None)):
    return model.decoder.read_memory(memory.memory[clips], memory.lengths[clips])


def slow_constrain(scores, tokens, options):
    """The same rules, one row and one n-gram at a time."""
    scores, n = scores.clone(), options.no_repeat_ngram
    for row, ids in enumerate(tokens.tolist()):
        for i in range(len(ids) - n + 1):
            if n > 1 and ids[i : i + n - 1] == ids[len(ids) - n + 1 :]:
                scores[row, ids[i + n - 1]] = -torch.inf
        if len(ids) < options.min_length:
            scores[row, EOS] = -torch.inf
        if len(ids) == options.max_length - 1:
            scores[row] = -torch.inf
            scores[row, EOS] = 0.0
    return scores


@pytest.mark.parametrize("length", [1, 2, 3, 4, 8, 29])
def test_constraints_equal_the_slow_version(length):
    generator = torch.Generator().manual_seed(length)
    tokens = torch.randint(0, 4, (20, length), generator=generator)
    scores = torch.randn(20, 12, generator=generator)
    options = DecodeOptions()
    fast = constrain(scores, tokens, EOS, options)
    assert torch.equal(fast, slow_constrain(scores, tokens, options))


def test_nucleus_keeps_the_smallest_set_that_reaches_top_p():
    scores = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    options = DecodeOptions(temperature=1.0, top_k=0, top_p=0.8)
    probabilities, ids = nucleus(scores, options)
    assert ids[0, :2].tolist() == [0, 1]
    torch.testing.assert_close(probabilities, torch.tensor([[0.625, 0.375, 0.0, 0.0]]))


def test_nucleus_keeps_one_token_at_least():
    probabilities, _ = nucleus(torch.randn(5, 30), DecodeOptions(top_p=1e-6))
    assert probabilities[:, 0].tolist() == [1.0] * 5


def test_samples_follow_the_distribution(model, memory):
    """Chi-square of 20,000 first tokens against their probabilities, at the 0.1 % level."""
    options = DecodeOptions(candidates=20_000, temperature=2.0, max_length=3, min_length=0)
    cross = read(model, memory, slice(0, 1))
    first = torch.tensor(
        [s.ids[0] if s.ids else EOS for s in decode(model.decoder, cross, options, 0)[0]]
    )
    with torch.no_grad():
        logits = model.decoder(torch.tensor([[EOS]]), cross)[:, -1]
    start = torch.tensor([[EOS]])
    probabilities, ids = nucleus(constrain(logits, start, EOS, options), options)
    kept = probabilities[0] > 0
    expected = probabilities[0][kept] * len(first)
    counts = (first[:, None] == ids[0][kept]).sum(0)
    assert counts.sum() == len(first)
    frequent = expected >= 5
    statistic = ((counts - expected) ** 2 / expected)[frequent].sum().item()
    degrees = int(frequent.sum()) - 1
    assert degrees > 5
    # Wilson-Hilferty's approximation of the 99.9 % quantile.
    limit = degrees * (1 - 2 / (9 * degrees) + 3.09 * (2 / (9 * degrees)) ** 0.5) ** 3
    assert statistic < limit


def test_a_seed_fixes_the_samples_whatever_the_batch(model, memory):
    options = DecodeOptions(candidates=5)
    together = decode(model.decoder, read(model, memory), options, seed=3)
    for i in range(3):
        alone = decode(model.decoder, read(model, memory, slice(i, i + 1)), options, seed=3)
        assert [s.ids for s in alone[0]] == [s.ids for s in together[i]]
        assert [s.log_probability for s in alone[0]] == pytest.approx(
            [s.log_probability for s in together[i]], abs=1e-4
        )
    assert decode(model.decoder, read(model, memory), options, seed=4) != together


def test_greedy_takes_the_most_probable_token(model, memory):
    cross = read(model, memory, slice(0, 1))
    options = DecodeOptions("greedy")
    ids = torch.tensor([[EOS]])
    with torch.no_grad():
        while ids.shape[1] < options.max_length and (ids.shape[1] == 1 or ids[0, -1] != EOS):
            scores = slow_constrain(model.decoder(ids, cross)[:, -1], ids, options)
            ids = torch.cat([ids, scores.argmax(-1, keepdim=True)], dim=1)
    found = decode(model.decoder, cross, options)
    assert len(found[0]) == 1
    assert found[0][0].ids == [i for i in ids[0, 1:].tolist() if i != EOS]


def slow_beam_search(model, cross, options):
    """Beam search with a list of hypotheses and no cache."""
    beams, ended = [([EOS], 0.0)], []
    while len(ended) < options.candidates and len(beams[0][0]) < options.max_length:
        grown = []
        for ids, total in beams:
            tokens = torch.tensor([ids])
            with torch.no_grad():
                log_p = model.decoder(tokens, cross)[:, -1].log_softmax(-1)
            scores = slow_constrain(log_p, tokens, options)[0]
            grown += [([*ids, i], total + s) for i, s in enumerate(scores.tolist())]
        grown.sort(key=lambda hypothesis: -hypothesis[1])
        beams = []
        for rank, (ids, total) in enumerate(grown[: 2 * options.candidates]):
            if ids[-1] != EOS:
                beams.append((ids, total))
            elif rank < options.candidates:
                ended.append((ids[1:-1], total / (len(ids) - 1)))
        beams = beams[: options.candidates]
    return sorted(ended, key=lambda hypothesis: -hypothesis[1])[: options.candidates]


def test_beam_search_equals_the_slow_version(model, memory):
    options = DecodeOptions("beam", candidates=3, max_length=12)
    together = decode(model.decoder, read(model, memory), options)
    for i in range(3):
        slow = slow_beam_search(model, read(model, memory, slice(i, i + 1)), options)
        assert [s.ids for s in together[i]] == [ids for ids, _ in slow]
        assert [s.score for s in together[i]] == pytest.approx(
            [score for _, score in slow], rel=1e-4
        )


def test_lengths_keep_to_the_limits(model, memory):
    options = DecodeOptions(candidates=30, min_length=6, max_length=9, temperature=3.0)
    lengths = {
        len(s.ids) for c in decode(model.decoder, read(model, memory), options, 0) for s in c
    }
    assert min(lengths) >= 5  # with the start token: six
    assert max(lengths) <= 7  # with the start and the end token: nine


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0}, {"top_p": 1.5}, {"candidates": 0}, {"method": "best"}]
)
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DecodeOptions(**wrong)
