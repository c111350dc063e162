"""The weights are those of the fused attention, which keeps none."""

import torch

from auricle.model.cross_attention import cross_attention
from tests.helpers.debug_decoder import debug_model, hear, read


@torch.no_grad()
def test_the_weighted_values_are_what_the_fused_attention_gives():
    model = debug_model()
    cross = read(model, hear(model))  # three clips, the shorter ones padded
    tokens = torch.randint(4, 300, (3, 7), generator=torch.Generator().manual_seed(1))
    fused: list[torch.Tensor] = []
    for layer in model.decoder.layers:
        layer.cross_attention.out.register_forward_pre_hook(
            lambda _, inputs: fused.append(inputs[0])
        )
    weights = cross_attention(model.decoder, tokens, cross)
    config = model.decoder.config
    assert weights.shape == (config.layers, 3, config.heads, 7, cross.mask.shape[-1])
    for found, values, expected in zip(weights, cross.values, fused, strict=True):
        attended = (found @ values).transpose(1, 2).flatten(2)
        torch.testing.assert_close(attended, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert not weights.masked_select(~cross.mask).any()
    assert not cross.mask.all()


@torch.no_grad()
def test_no_hook_is_left_behind():
    model = debug_model()
    tokens = torch.tensor([[2, 5, 6]])
    cross = read(model, hear(model, (16_000,)))
    cross_attention(model.decoder, tokens, cross)
    assert not any(layer.cross_attention.query._forward_hooks for layer in model.decoder.layers)
