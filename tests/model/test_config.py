"""Configurations: every size has a range, and sizes fit each other."""

import pytest

from auricle.errors import ModelError
from auricle.model.config import CaptionerConfig, debug_config

WRONG = [
    ({"encoder": {"layers": 10**6}}, "layers=1000000: must be from 1 to 100"),
    ({"encoder": {"layers": 4, "output_layer": 5}}, "output_layer=5: must be at most layers, 4"),
    ({"encoder": {"heads": 7}}, "heads=7: must be a divisor of dim, 768"),
    ({"encoder": {"heads": 0}}, "heads=0"),
    ({"encoder": {"position_groups": 5}}, "position_groups=5: must be a divisor of dim"),
    ({"encoder": {"max_distance": 80}}, "max_distance=80: must be above a quarter of buckets"),
    ({"encoder": {"patch_size": 256}}, "patch_size=256"),
    ({"encoder": {"type": []}}, "type [] is unknown"),
    ({"encoder": 3}, "must be a section"),
    ({"encoder": {"type": "yamnet", "hop_s": 1e308}}, "hop_s 1e+308"),
    ({"downsample": {"rate": 0}}, "rate=0"),
    ({"downsample": {"kernel": 10**9}}, "kernel=1000000000"),
    ({"conformer": {"kernel": 30}}, "kernel=30: must be odd"),
    ({"conformer": {"dim": 767, "heads": 1}}, "dim=767: must be even"),
    ({"conformer": {"dim": 12 * 10**9}}, "must be from 1 to 16,384"),
    ({"conformer": {"dropout": 7}}, "dropout=7.0: must be from 0 to 1"),
    ({"embedding": {"hidden_dim": -1}}, "hidden_dim=-1"),
    ({"decoder": {"vocab_size": 10**9}}, "vocab_size=1000000000"),
    ({"decoder": {"eos_id": 50_265}}, "eos_id=50265: must be below vocab_size, 50265"),
    ({"decoder": {"pad_id": -1}}, "pad_id=-1"),
    ({"decoder": {"max_positions": 2**62}}, "max_positions"),
    ({"max_duration_s": float("inf")}, "max_duration_s=inf: must be from 0.1 to 600"),
    ({"max_duration_s": float("nan")}, "max_duration_s=nan"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_a_size_that_no_model_has_is_named(values, message):
    with pytest.raises(ModelError) as caught:
        CaptionerConfig.from_dict(values)
    assert message in str(caught.value)


def test_the_published_sizes_and_the_small_ones_are_in_range():
    for config in (CaptionerConfig(), debug_config()):
        assert CaptionerConfig.from_dict(config.to_dict()) == config
