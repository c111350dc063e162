"""`Encoder.frames_of` against the features that change when only a section of the sound does."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from auricle.model.beats import Beats
from auricle.model.config import debug_config
from auricle.model.yamnet import Yamnet, YamnetConfig

SECONDS, RATE = 6, 16_000
SECTIONS = [(0.0, 6.0), (0.0, 1.0), (2.0, 3.0), (1.37, 4.21), (3.0, 3.1), (5.0, 6.0), (0.02, 0.04)]


@cache
def encoder_of(kind):
    torch.manual_seed(0)
    if kind == "beats":
        return Beats(debug_config().encoder).eval()
    return Yamnet(YamnetConfig(hop_s=float(kind))).eval()


def spans_of(encoder):
    """The seconds that each feature hears: its front end's patch, or its step and window."""
    step_s = encoder.together / encoder.frame_rate_hz
    with torch.inference_mode():
        _, lengths = encoder(torch.zeros(1, SECONDS * RATE), torch.tensor([SECONDS * RATE]))
    starts = np.arange(int(lengths)) // encoder.together * step_s
    return np.stack([starts, starts + encoder.span_s], axis=1), step_s


@pytest.mark.parametrize("kind", ["beats", "0.48", "0.24"])
@pytest.mark.parametrize(("start_s", "end_s"), SECTIONS)
def test_features_are_those_within_the_section_and_a_quarter_step(kind, start_s, end_s):
    encoder = encoder_of(kind)
    spans, step_s = spans_of(encoder)
    found = encoder.frames_of(start_s, end_s)
    slack = 0.25 * step_s + 1e-9
    inside = np.flatnonzero((spans[:, 0] >= start_s - slack) & (spans[:, 1] <= end_s + slack))
    if len(inside):
        assert [*range(found.start, min(found.stop, len(spans)))] == inside.tolist()
    else:  # one step, which begins at the section or after it
        assert found.stop - found.start == encoder.together
        assert spans[min(found.start, len(spans) - 1), 0] >= min(start_s, spans[-1, 0]) - slack


@pytest.mark.parametrize("kind", ["0.48", "0.24"])
def test_a_feature_hears_its_span_alone(kind):
    """A convolutional encoder: noise elsewhere leaves the features of a section as they are."""
    encoder = encoder_of(kind)
    sound = torch.from_numpy(np.random.default_rng(0).standard_normal(SECONDS * RATE) * 0.1).float()
    other = torch.from_numpy(np.random.default_rng(1).standard_normal(SECONDS * RATE) * 0.1).float()
    own = slice(2 * RATE, 4 * RATE)
    other[own] = sound[own]
    with torch.inference_mode():
        both, _ = encoder(torch.stack([sound, other]), torch.tensor([len(sound)] * 2))
    frames = encoder.frames_of(2.0 + 0.25, 4.0 - 0.25)
    assert frames.stop - frames.start >= 1
    assert torch.allclose(both[0, frames], both[1, frames], atol=1e-4)
    assert not torch.allclose(both[0, 0], both[1, 0], atol=1e-4)
