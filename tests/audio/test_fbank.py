"""Filter-bank features, beyond the golden values of test_parity."""

import torch

from auricle.audio.fbank import DATASET_MEAN, DATASET_STD, fbank, frame_counts


def test_frame_counts():
    lengths = torch.tensor([100, 399, 400, 559, 560, 16_000])
    assert frame_counts(lengths).tolist() == [0, 0, 1, 1, 2, 98]
    assert fbank(torch.randn(1, 16_000)).shape == (1, 98, 128)


def test_a_tone_peaks_at_its_mel_bin():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000).unsqueeze(0)
    # 1 kHz is 1000.0 mel; bins are centred at 31.7 + 21.76 * (b + 1) mel.
    assert abs(int(fbank(tone).mean(1).argmax()) - 43.5) <= 1


def test_the_empty_filter_holds_the_floor():
    bin_3 = fbank(torch.randn(1, 16_000))[..., 3] * 2 * DATASET_STD + DATASET_MEAN
    torch.testing.assert_close(bin_3, torch.full_like(bin_3, -15.942385), atol=1e-4, rtol=0)
