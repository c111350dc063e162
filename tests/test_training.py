"""Losses against slow versions, and a loop that learns, and continues bit by bit after a kill."""

from dataclasses import replace

import pytest
import torch

from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.training.loop import Batch, TrainingConfig, learning_rate, train
from auricle.training.losses import info_nce, label_smoothed_nll

CONFIG = TrainingConfig(
    steps=12, batch_size=4, learning_rate=3e-3, warmup_steps=2, bf16=False, checkpoint_every=5
)


def new_model():
    torch.manual_seed(0)
    return AudioCaptioner(debug_config(vocab_size=40, embedding_dim=16))


def batch_at(step):
    generator = torch.Generator().manual_seed(step % 2)
    labels = torch.randint(3, 40, (4, 6), generator=generator)
    labels[:, -1] = 2
    return Batch(
        torch.randn(4, 20, 48, generator=generator),
        torch.tensor([20, 20, 15, 9]),
        labels,
        torch.randn(4, 16, generator=generator),
    )


def test_label_smoothing_equals_its_definition():
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, 2, -100], [4, -100, -100]])
    log_p = logits.log_softmax(-1)
    rows = [log_p[0, 0], log_p[0, 1], log_p[1, 0]]
    targets = [1, 2, 4]
    expected = sum(-0.9 * r[t] - 0.1 * r.mean() for r, t in zip(rows, targets, strict=True)) / 3
    torch.testing.assert_close(label_smoothed_nll(logits, labels, 0.1), expected)


def test_info_nce_is_small_for_pairs_and_symmetric():
    audio, text = torch.eye(4), torch.eye(4) * 3
    assert info_nce(audio, text, 0.07) < 1e-4
    assert info_nce(audio, text.roll(1, 0), 0.07) > 10
    a, b = torch.randn(5, 8), torch.randn(5, 8)
    torch.testing.assert_close(info_nce(a, b), info_nce(b, a))


def test_training_learns(tmp_path):
    losses = []
    config = replace(CONFIG, steps=80, learning_rate=5e-3)
    train(new_model(), batch_at, config, tmp_path, lambda p: losses.append(sum(p.losses.values())))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("average_last", [0.0, 0.5])
def test_a_killed_run_ends_bit_identical(tmp_path, average_last):
    class KilledError(Exception):
        pass

    def kill_at_eight(progress):
        if progress.step == 8:
            raise KilledError

    config = replace(CONFIG, average_last=average_last)
    whole, killed, resumed = new_model(), new_model(), new_model()
    train(whole, batch_at, config, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(killed, batch_at, config, tmp_path / "killed", kill_at_eight)
    steps = []
    train(resumed, batch_at, config, tmp_path / "killed", lambda p: steps.append(p.step))
    assert steps[0] == 6  # the checkpoint of step 5
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_the_frozen_encoder_does_not_change(tmp_path):
    model = new_model()
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    train(model, batch_at, CONFIG, tmp_path)
    assert all(torch.equal(v, before[k]) for k, v in model.encoder.state_dict().items())
    assert not model.training


def test_averaged_weights_are_the_mean_of_the_last_steps(tmp_path):
    model, seen = new_model(), []
    config = replace(CONFIG, average_last=0.25)

    def remember(progress):
        if progress.step > 9:
            seen.append(model.downsample.conv.weight.detach().clone())

    train(model, batch_at, config, tmp_path, remember)
    torch.testing.assert_close(model.downsample.conv.weight, torch.stack(seen).mean(0))


def test_learning_rate_warms_up_and_decays():
    config = TrainingConfig(steps=100, learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(step, config) for step in range(1, 101)]
    assert rates[4] == pytest.approx(0.5)
    assert rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.01)
