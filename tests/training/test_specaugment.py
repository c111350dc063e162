"""SpecAugment masks what it says, as widely as it says, and only a clip's own frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from auricle.model.captioner import AudioCaptioner
from auricle.model.config import YamnetConfig, debug_config
from auricle.model.yamnet import Yamnet
from auricle.training import specaugment
from auricle.training.config import SpecAugmentConfig
from auricle.training.specaugment import spec_augment, stretch, time_warp

NOTHING = SpecAugmentConfig(frequency_masks=0, time_masks=0, time_warp=0)


def frames(rows=2, length=200, bins=128):
    return torch.randn(rows, length, bins, generator=torch.Generator().manual_seed(0)) + 3


def spans(masked):
    """(first, width) of every run of True in [N]."""
    edges = torch.diff(masked.int(), prepend=torch.zeros(1), append=torch.zeros(1)).nonzero()[:, 0]
    return [(int(a), int(b - a)) for a, b in edges.unflatten(0, (-1, 2))]


def uniform(values, highest):
    """Whether whole numbers are drawn uniformly from 0 to ``highest``."""
    counts = torch.bincount(torch.tensor(values), minlength=highest + 1)
    assert len(counts) == highest + 1
    return stats.chisquare(counts).pvalue > 0.001


def test_nothing_asked_changes_nothing():
    x = frames()
    assert torch.equal(spec_augment(x, torch.tensor([200, 90]), NOTHING), x)


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_what_is_given_stays_and_what_is_masked_is_0_or_the_clips_mean(fill):
    torch.manual_seed(1)
    x, lengths = frames(), torch.tensor([200, 90])
    before = x.clone()
    assert SpecAugmentConfig().fill == "zero"  # the released code
    masked = spec_augment(x, lengths, replace(SpecAugmentConfig(), time_warp=0, fill=fill))
    assert torch.equal(x, before)
    for row, length in enumerate(lengths):
        assert torch.equal(masked[row, length:], x[row, length:])
        changed = masked[row] != x[row]
        assert changed.any()
        mean = x[row, :length].mean() if fill == "mean" else torch.zeros(())
        torch.testing.assert_close(masked[row][changed], mean.expand(int(changed.sum())))


def test_time_masks_lie_in_the_clip_and_have_uniform_widths():
    torch.manual_seed(2)
    config = replace(NOTHING, time_masks=1, time_share=0.12)
    lengths = torch.tensor([200, 100]).repeat(3000)
    x = frames(1, 200, 1).expand(6000, -1, -1)
    masked = (spec_augment(x, lengths, config) != x).squeeze(-1)
    for size, highest in ((200, 23), (100, 11)):
        found = [spans(row) for row in masked[lengths == size]]
        assert {len(row) for row in found} == {0, 1}
        found = [row[0] if row else (0, 0) for row in found]
        assert uniform([width for _, width in found], highest)
        assert max(first + width for first, width in found) == size
        firsts = [first for first, width in found if width == highest]
        assert uniform([8 * first // (size - highest + 1) for first in firsts], 7)


def test_frequency_masks_have_uniform_widths_up_to_half_of_the_bins():
    torch.manual_seed(3)
    for bins, width, highest in ((128, 64, 63), (64, 64, 31), (128, 10, 9)):
        config = replace(NOTHING, frequency_masks=1, frequency_width=width)
        x = frames(1, 2, bins).expand(4000, -1, -1)
        masked = spec_augment(x, torch.full((4000,), 2), config) != x
        assert torch.equal(masked[:, 0], masked[:, 1])
        found = [spans(row) for row in masked[:, 0]]
        assert uniform([row[0][1] if row else 0 for row in found], highest)


def test_as_many_masks_as_asked():
    torch.manual_seed(4)
    config = replace(NOTHING, time_masks=5, time_share=0.05, frequency_masks=2, frequency_width=6)
    x = frames(500, 400, 100)
    masked = spec_augment(x, torch.full((500,), 400), config) != x
    times, bins = masked.all(2), masked.all(1)
    assert max(len(spans(row)) for row in times) == 5
    assert max(len(spans(row)) for row in bins) == 2
    assert times.sum(1).max() <= 5 * 19
    assert times.sum(1).float().mean() == pytest.approx(
        47.5, rel=0.1
    )  # 5 masks of 9.5, rarely two as one


@pytest.mark.parametrize(("length", "centre", "moved"), [(40, 17, 21), (40, 5, 1), (11, 5, 10)])
def test_either_side_of_the_point_is_stretched_by_bicubic_interpolation(length, centre, moved):
    x = frames(2, 40, 8)
    x = torch.cat([x[:1], x[:1]])
    ends, points = torch.tensor([length, 30]), torch.tensor([[centre], [12]])
    found = stretch(x, ends, points, torch.tensor([[moved], [12]]))
    parts = [
        F.interpolate(part[None, None], (size, 8), mode="bicubic", align_corners=False)[0, 0]
        for part, size in ((x[0, :centre], moved), (x[0, centre:length], length - moved))
    ]
    torch.testing.assert_close(found[0, :length], torch.cat(parts))
    assert torch.equal(found[1, :30], x[1, :30])  # its point did not move


def test_warping_draws_the_released_codes_points(monkeypatch):
    torch.manual_seed(5)
    drawn = []
    monkeypatch.setattr(specaugment, "stretch", lambda x, lengths, *points: drawn.append(points))
    lengths = torch.tensor([40, 11]).repeat(4000)
    time_warp(torch.zeros(8000, 40, 1), lengths, 5)
    centre, moved = (points.flatten() for points in drawn[0])
    for length in (40, 11):
        places = centre[lengths == length]
        assert (places.min(), places.max()) == (5, length - 6)
        assert length == 11 or uniform((places - 5).tolist(), length - 11)
    assert uniform((moved - centre + 4).tolist(), 9)  # from 4 back to 5 forth


def test_short_clips_are_not_warped_and_padding_never():
    torch.manual_seed(9)
    x, lengths = frames(3, 40, 4), torch.tensor([9, 10, 40])
    config = replace(NOTHING, time_warp=5)
    warped = spec_augment(x, lengths, config)
    assert torch.equal(warped[:2], x[:2])
    assert not torch.equal(warped[2], x[2])
    warped = spec_augment(x, torch.tensor([1, 0, 30]), config)
    assert torch.equal(warped[2, 30:], x[2, 30:])
    assert warped.isfinite().all()


def test_a_seed_fixes_the_masks_and_clips_differ():
    x, lengths = frames().expand(2, -1, -1), torch.tensor([200, 200])
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(spec_augment(x, lengths, SpecAugmentConfig()))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0][0] == x[0], draws[0][1] == x[1])


def record(seen):
    def augment(x, lengths):
        seen.append((x, lengths))
        return torch.zeros_like(x)

    return augment


@pytest.mark.parametrize("kind", ["beats", "yamnet"])
def test_encoders_augment_the_clips_own_frames(kind):
    config = debug_config()
    if kind == "yamnet":
        config = replace(config, encoder=YamnetConfig())
    model = AudioCaptioner(config).eval()
    waveforms = torch.randn(2, 32_000) * 0.1
    lengths = torch.tensor([32_000, 20_200])
    waveforms[1, 20_200:] = 0
    seen = []
    plain, counts = model.features(waveforms, lengths)
    masked, same = model.features(waveforms, lengths, record(seen))
    assert torch.equal(counts, same)
    ((spectrogram, own),) = seen
    assert spectrogram.shape[2] == {"beats": 128, "yamnet": 64}[kind]
    assert own.tolist() == [198, 124]
    assert not torch.equal(plain, masked)
    other, _ = model.features(torch.randn(2, 32_000), lengths, record(seen))
    for row, count in enumerate(counts):  # zeros are all that the network reads
        torch.testing.assert_close(other[row, :count], masked[row, :count])
    identical, _ = model.features(waveforms, lengths, lambda x, _: x)
    assert torch.equal(identical, plain)


def test_the_frames_after_downsampling_can_be_masked():
    model, seen = AudioCaptioner(debug_config()).eval(), []
    features, lengths = torch.randn(2, 40, 48), torch.tensor([40, 22])
    plain = model.encode_features(features, lengths)
    masked = model.encode_features(features, lengths, record(seen))
    assert seen[0][0].shape == (2, 13, 48)
    assert torch.equal(seen[0][1], plain.lengths)
    assert not torch.equal(plain.memory, masked.memory)
    augment = partial(spec_augment, config=SpecAugmentConfig(time_warp=2))
    model.train().encode_features(features, lengths, augment).embedding.sum().backward()
    assert model.downsample.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["beats", "yamnet"])
def test_a_tuned_encoder_has_gradients_and_a_frozen_one_none(kind):
    config = debug_config()
    if kind == "yamnet":
        config = replace(config, encoder=YamnetConfig(features="both"))
    model = AudioCaptioner(config).train()
    waveforms, lengths = torch.randn(2, 16_000) * 0.1, torch.tensor([16_000, 12_000])
    augment = partial(spec_augment, config=SpecAugmentConfig())
    assert not model.tunes_encoder
    assert not model.features(waveforms, lengths, augment)[0].requires_grad
    assert not any(module.training for module in model.encoder.modules())
    model.encoder.requires_grad_(True)
    model.train()
    assert model.encoder.training
    assert not model.eval().encoder.training
    model.features(waveforms, lengths, augment)[0].square().sum().backward()
    for name, parameter in model.encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all()
    with torch.no_grad():
        assert not model.features(waveforms, lengths)[0].requires_grad


def test_yamnet_counts_a_frame_for_the_shortest_clip():
    seen = []
    Yamnet()(torch.zeros(1, 100), torch.tensor([100]), record(seen))
    assert seen[0][1].tolist() == [1]
