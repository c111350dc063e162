"""Rows of any number and order per clip read their clip's memory, and keep their past."""

import torch

from auricle.decoding.steps import DecoderSteps
from auricle.model.bart import ClipRows
from tests.helpers.debug_decoder import EOS, debug_model, hear, read


def test_places_find_back_what_slots_gather():
    clip = torch.tensor([2, 0, 2, 2, 0])
    rows = ClipRows.of(clip, clips=4)
    x = torch.arange(5)
    assert rows.slots.shape == (4, 3)
    assert torch.equal(x[rows.slots].flatten()[rows.places], x)
    for number in range(4):
        mine = set((clip == number).nonzero().flatten().tolist())
        assert mine <= set(rows.slots[number].tolist())


@torch.no_grad()
def test_ragged_rows_equal_each_row_alone(model, memory):
    clip = torch.tensor([1, 0, 1, 2, 1])
    ids = torch.randint(3, 100, (5, 6), generator=torch.Generator().manual_seed(0))
    together = model.decoder(ids, read(model, memory).read_by(clip))
    for row, number in enumerate(clip.tolist()):
        alone = model.decoder(ids[row : row + 1], read(model, memory, slice(number, number + 1)))
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_rows_that_are_copied_moved_and_dropped_equal_whole_sequences(model):
    """Until two clips of five are left, whose memory then stands without that of the others."""
    memory = hear(model, (16_000, 12_000, 9_000, 14_000, 11_000))
    steps = DecoderSteps(model.decoder, read(model, memory))
    steps.begin(rows=7, tokens=8)
    generator = torch.Generator().manual_seed(1)
    ids, clip = torch.full((5, 1), EOS), torch.arange(5)
    chosen = [[0, 0, 1, 2, 4, 4, 3], [6, 0, 2, 1, 5, 4], [3, 1, 2, 4], [3, 0], [1, 1, 0], [2, 1, 0]]
    for rows in map(torch.tensor, [*chosen, [0]]):
        logits = steps.next_logits(ids[:, -1])
        for row, number in enumerate(clip.tolist()):
            cross = read(model, memory, slice(number, number + 1))
            whole = model.decoder(ids[row : row + 1], cross)[0, -1]
            torch.testing.assert_close(logits[row], whole, atol=1e-4, rtol=1e-4)
        steps.select(rows)
        token = torch.randint(3, 100, (len(rows), 1), generator=generator)
        ids, clip = torch.cat([ids[rows], token], dim=1), clip[rows]
    assert clip.tolist() == [4]
    assert steps._cross.clips == 1


def test_logits_are_float32_and_may_be_written_to(model, memory):
    steps = DecoderSteps(model.decoder, read(model, memory))
    steps.begin(3, 2)
    with torch.inference_mode():
        logits = steps.next_logits(torch.full((3,), EOS))
        logits.zero_()
    assert logits.dtype == torch.float32
    assert (steps.clips, logits.shape[1]) == (3, steps.config.vocab_size)


@torch.no_grad()
def test_another_module_may_take_the_place_of_the_output_projection(memory):
    model = debug_model()
    keys = list(model.state_dict())
    ids = torch.tensor([[EOS, 5]] * 3)
    expected = model.decoder(ids, read(model, memory))
    weight, bias = model.decoder.tokens.weight, model.decoder.logits_bias
    model.decoder.vocabulary = torch.nn.Linear(*reversed(weight.shape))
    model.decoder.vocabulary.weight, model.decoder.vocabulary.bias = weight, bias
    torch.testing.assert_close(model.decoder(ids, read(model, memory)), expected)
    model.decoder.vocabulary = None
    assert list(model.state_dict()) == keys
