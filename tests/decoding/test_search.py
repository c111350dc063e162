"""The rules and the warping of scores, greedy decoding, and settings."""

import pytest
import torch

from auricle.decoding import search as search_module
from auricle.decoding.options import DecodeOptions
from auricle.decoding.processors import constrain, nucleus
from auricle.decoding.search import clips_together, decode
from auricle.model.config import DecoderConfig
from tests.helpers.debug_decoder import EOS, debug_model, read, slow_constrain, slow_log_p


@pytest.mark.parametrize("length", [1, 2, 4, 5, 8, 29])
@pytest.mark.parametrize("ngram", [0, 1, 2, 3])
def test_constraints_equal_the_slow_version(length, ngram):
    generator = torch.Generator().manual_seed(length)
    tokens = torch.randint(0, 4, (20, length), generator=generator)
    scores = torch.randn(20, 12, generator=generator)
    options = DecodeOptions(no_repeat_ngram=ngram)
    before = scores.clone()
    fast = constrain(scores, tokens, EOS, options)
    assert torch.equal(fast, slow_constrain(scores, tokens, options))
    assert torch.equal(scores, before)


def test_nucleus_keeps_the_smallest_set_that_reaches_top_p():
    scores = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    options = DecodeOptions(temperature=1.0, top_k=0, top_p=0.8)
    probabilities, ids = nucleus(scores, options)
    assert ids[0, :2].tolist() == [0, 1]
    torch.testing.assert_close(probabilities, torch.tensor([[0.625, 0.375, 0.0, 0.0]]))


def test_nucleus_keeps_one_token_at_least():
    probabilities, _ = nucleus(torch.randn(5, 30), DecodeOptions(top_p=1e-6))
    assert probabilities[:, 0].tolist() == [1.0] * 5


def test_greedy_takes_the_most_probable_token(model, memory):
    options = DecodeOptions("greedy")
    together = decode(model.decoder, read(model, memory), options)
    for clip in range(3):
        cross, ids = read(model, memory, slice(clip, clip + 1)), [EOS]
        while len(ids) < options.max_length and (len(ids) == 1 or ids[-1] != EOS):
            scores = slow_log_p(model, cross, ids).unsqueeze(0)
            ids.append(int(slow_constrain(scores, torch.tensor([ids]), options).argmax()))
        assert [s.ids for s in together[clip]] == [[i for i in ids[1:] if i != EOS]]


@pytest.mark.parametrize("method", ["greedy", "nucleus", "beam", "diverse-beam"])
def test_how_many_clips_go_together_changes_nothing(model, memory, method, monkeypatch):
    options = DecodeOptions(method, candidates=4, groups=2, max_length=12)
    cross = read(model, memory)
    together = decode(model.decoder, cross, options)
    monkeypatch.setattr(search_module, "MEMORY", 1)
    assert clips_together(model.decoder.config, options) == 1
    alone = decode(model.decoder, cross, options)
    assert [[s.ids for s in clip] for clip in alone] == [[s.ids for s in c] for c in together]


def test_the_memory_of_a_search_is_bounded_by_the_rows():
    small, large = DecodeOptions(candidates=10), DecodeOptions(candidates=50)
    config = DecoderConfig()
    assert clips_together(config, small) > clips_together(config, large) >= 1


@pytest.mark.parametrize("method", ["greedy", "beam", "nucleus"])
def test_the_longest_sequence_is_that_of_the_position_table(memory, method):
    from dataclasses import replace

    model = debug_model()
    model.decoder.config = replace(model.decoder.config, max_positions=7)
    options = DecodeOptions(method, candidates=2, max_length=50, min_length=40)
    for clip in decode(model.decoder, read(model, memory), options):
        for sequence in clip:
            assert len(sequence.ids) == 6  # and the start token
            assert sequence.log_probability is None  # for it never ended


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"top_p": 1.5},
        {"candidates": 0},
        {"method": "best"},
        {"groups": 3, "method": "diverse-beam", "candidates": 4},
    ],
)
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DecodeOptions(**wrong)
