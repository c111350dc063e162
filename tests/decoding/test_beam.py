"""Beam search and diverse beam search against lists of hypotheses without a cache."""

import pytest
import torch

from auricle.decoding.options import DecodeOptions
from auricle.decoding.search import decode
from tests.helpers.debug_decoder import EOS, read, slow_constrain, slow_log_p


def slow_search(model, cross, options, groups=1):
    """A list of hypotheses (ids, score) per group, grown one by one."""
    width = options.candidates // groups
    beams = [[([EOS], 0.0)] for _ in range(groups)]
    ended = [[] for _ in range(groups)]
    for length in range(1, options.max_length):
        if all(len(group) >= width for group in ended):
            break
        said, full = [], [len(group) >= width for group in ended]
        for group in range(groups):
            grown = []
            for ids, total in beams[group]:
                log_p = slow_log_p(model, cross, ids).unsqueeze(0)
                scores = slow_constrain(log_p, torch.tensor([ids]), options)[0].tolist()
                grown += [
                    ([*ids, i], total + s - options.diversity_penalty * said.count(i))
                    for i, s in enumerate(scores)
                ]
            grown.sort(key=lambda hypothesis: -hypothesis[1])
            beams[group] = []
            for rank, (ids, total) in enumerate(grown[: 2 * width]):
                if ids[-1] != EOS:
                    beams[group].append((ids, total))
                elif rank < width and not full[group]:
                    ended[group].append((ids[1:-1], total / length**options.length_penalty))
            beams[group] = beams[group][:width]
            said += [ids[-1] for ids, _ in beams[group]]
    best = [h for group in ended for h in sorted(group, key=lambda h: -h[1])[:width]]
    return sorted(best, key=lambda hypothesis: -hypothesis[1])


@pytest.mark.parametrize(
    ("method", "candidates", "groups", "penalty"),
    [
        ("beam", 3, 1, 0.5),
        ("diverse-beam", 6, 3, 0.7),
        ("diverse-beam", 4, 4, 2.0),
        ("diverse-beam", 4, 2, 0.0),
    ],
)
def test_beams_equal_the_slow_version(model, memory, method, candidates, groups, penalty):
    options = DecodeOptions(
        method, candidates, max_length=10, groups=groups, diversity_penalty=penalty
    )
    together = decode(model.decoder, read(model, memory), options)
    for i in range(3):
        cross = read(model, memory, slice(i, i + 1))
        slow = slow_search(model, cross, options, groups)
        assert [s.ids for s in together[i]] == [ids for ids, _ in slow]
        assert [s.score for s in together[i]] == pytest.approx(
            [score for _, score in slow], rel=1e-4
        )


def test_one_group_is_beam_search(model, memory):
    beam = DecodeOptions("beam", candidates=4, max_length=12)
    diverse = DecodeOptions("diverse-beam", candidates=4, max_length=12, groups=1)
    cross = read(model, memory)
    assert decode(model.decoder, cross, diverse) == decode(model.decoder, cross, beam)


def test_groups_without_penalty_find_the_same(model, memory):
    options = DecodeOptions(
        "diverse-beam", candidates=4, max_length=12, groups=2, diversity_penalty=0.0
    )
    for clip in decode(model.decoder, read(model, memory), options):
        ids = [tuple(s.ids) for s in clip]
        assert len(ids) == 4
        assert len(set(ids)) == 2


def test_a_penalty_spreads_the_first_tokens(model, memory):
    beam = DecodeOptions("beam", candidates=6, max_length=12)
    diverse = DecodeOptions(
        "diverse-beam", candidates=6, groups=6, diversity_penalty=50.0, max_length=12
    )
    first = [
        {s.ids[0] for s in decode(model.decoder, read(model, memory, slice(0, 1)), options)[0]}
        for options in (beam, diverse)
    ]
    assert len(first[1]) == 6 > len(first[0])


@pytest.mark.parametrize("method", ["beam", "diverse-beam"])
def test_log_probabilities_are_those_of_the_raw_distribution(model, memory, method):
    """Also where the end was forced, and whatever a group was penalised."""
    options = DecodeOptions(method, candidates=4, groups=2, max_length=8)
    for clip, sequences in enumerate(decode(model.decoder, read(model, memory), options)):
        cross = read(model, memory, slice(clip, clip + 1))
        for sequence in sequences:
            ids = [EOS, *sequence.ids, EOS]
            log_p = sum(
                float(slow_log_p(model, cross, ids[:i])[ids[i]]) for i in range(1, len(ids))
            )
            assert sequence.log_probability == pytest.approx(log_p, abs=1e-4)
