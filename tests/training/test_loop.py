"""Losses against slow versions, and a loop that learns, and continues bit by bit after a kill."""

from dataclasses import replace

import pytest
import torch

from auricle.errors import TrainingError
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.training.batch import Batch
from auricle.training.config import TrainingConfig, ValidationConfig
from auricle.training.loop import train
from auricle.training.monitor import TrainingWatch
from auricle.training.objective import info_nce, label_smoothed_nll
from auricle.training.schedule import learning_rate

pytestmark = pytest.mark.usefixtures("fresh_accelerate")

CONFIG = TrainingConfig(
    steps=12, batch_size=4, learning_rate=3e-3, warmup_steps=2, checkpoint_every=5, workers=0
)


def new_model():
    torch.manual_seed(0)
    return AudioCaptioner(debug_config(vocab_size=40, embedding_dim=16))


class Toy:
    """Two batches by turns; four steps are an epoch. ``accumulate`` splits each batch in two."""

    steps_per_epoch = 4

    def __init__(self, accumulate=1):
        self.accumulate = accumulate

    def at(self, step, rank=0, world=1):
        generator = torch.Generator().manual_seed(step % 2)
        labels = torch.randint(3, 40, (4, 6), generator=generator)
        labels[:, -1] = 2
        labels[1, 4:] = torch.tensor([2, -100])
        whole = (
            torch.randn(4, 20, 48, generator=generator),
            torch.tensor([20, 20, 15, 9]),
            labels,
            torch.randn(4, 16, generator=generator),
        )
        parts = [slice(0, 4)] if self.accumulate == 1 else [slice(0, 2), slice(2, 4)]
        return [Batch(*(tensor[part] for tensor in whole)) for part in parts]


def test_label_smoothing_equals_its_definition():
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, 2, -100], [4, -100, -100]])
    log_p = logits.log_softmax(-1)
    rows = [log_p[0, 0], log_p[0, 1], log_p[1, 0]]
    targets = [1, 2, 4]
    expected = sum(-0.9 * r[t] - 0.1 * r.mean() for r, t in zip(rows, targets, strict=True)) / 3
    torch.testing.assert_close(label_smoothed_nll(logits, labels, 0.1), expected)
    halves = [label_smoothed_nll(logits[i : i + 1], labels[i : i + 1], 0.1, 3) for i in (0, 1)]
    torch.testing.assert_close(sum(halves), expected)


def test_info_nce_is_small_for_pairs_and_symmetric():
    audio, text = torch.eye(4), torch.eye(4) * 3
    assert info_nce(audio, text, 0.07) < 1e-4
    assert info_nce(audio, text.roll(1, 0), 0.07) > 10
    a, b = torch.randn(5, 8), torch.randn(5, 8)
    torch.testing.assert_close(info_nce(a, b), info_nce(b, a))


@pytest.mark.parametrize("workers", [0, 1])
def test_training_learns(tmp_path, workers):
    losses = []
    config = replace(CONFIG, steps=80, learning_rate=5e-3, workers=workers)
    seen = train(new_model(), Toy(), config, tmp_path, watch=TrainingWatch(step=losses.append))
    assert sum(losses[-1].losses.values()) < 0.5 * sum(losses[0].losses.values())
    assert seen.step == 80
    assert (losses[4].step, losses[4].steps, losses[4].epoch) == (5, 80, 2)
    assert losses[-1].seconds_left == 0
    assert losses[-1].clips_per_s > 0
    assert 0 <= losses[-1].data_wait <= 1


class KilledError(Exception):
    pass


def kill_at_eight(report):
    if report.step == 8:
        raise KilledError


KILL_AT_EIGHT = TrainingWatch(step=kill_at_eight)


def same_weights(a, b):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


@pytest.mark.parametrize("average_last", [0.0, 0.5])
def test_a_killed_run_ends_bit_identical(tmp_path, average_last):
    config = replace(CONFIG, average_last=average_last)
    whole, killed, resumed = new_model(), new_model(), new_model()
    train(whole, Toy(), config, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(killed, Toy(), config, tmp_path / "killed", watch=KILL_AT_EIGHT)
    steps = []
    watch = TrainingWatch(step=lambda report: steps.append(report.step))
    train(resumed, Toy(), config, tmp_path / "killed", watch=watch)
    assert steps[0] == 6  # the checkpoint of step 5; that of the epoch's end was not reached
    same_weights(whole, resumed)


def test_validation_neither_disturbs_the_run_nor_is_lost_by_a_kill(tmp_path):
    def validate(epoch, state):
        torch.rand(7)  # a decoder that samples
        return {"loss": [3.0, 1.0, 2.0][epoch - 1]}

    silent, judged, killed, resumed = (new_model() for _ in range(4))
    last = ValidationConfig(select="last")
    train(silent, Toy(), CONFIG, tmp_path / "silent")
    run = {"validate": validate, "validation": last}
    state = train(judged, Toy(), CONFIG, tmp_path / "judged", **run)
    same_weights(silent, judged)
    assert [best.epoch for best in state.best] == [2]
    assert [p.name for p in tmp_path.glob("judged/best*")] == ["best-epoch0002.pt"]
    with pytest.raises(KilledError):
        train(
            killed,
            Toy(),
            CONFIG,
            tmp_path / "killed",
            watch=KILL_AT_EIGHT,
            **run,
        )
    again = train(resumed, Toy(), CONFIG, tmp_path / "killed", **run)
    assert again == state
    same_weights(judged, resumed)


def test_the_best_weights_are_chosen_and_training_stops_when_nothing_gets_better(tmp_path):
    seen = {}

    def validate(epoch, state):
        seen[epoch] = model.decoder.tokens.weight.detach().clone()
        return {"cider_d": [0.1, 0.5, 0.4, 0.3, 0.9][epoch - 1]}

    model, config = new_model(), replace(CONFIG, steps=20)
    validation = ValidationConfig(monitor="cider_d", patience=2, keep=2)
    run = {"validate": validate, "validation": validation}
    state = train(model, Toy(), config, tmp_path, **run)
    assert state.stopped
    assert state.step == 16
    assert [best.epoch for best in state.best] == [2, 3]
    assert torch.equal(model.decoder.tokens.weight, seen[2])
    assert len(list(tmp_path.glob("best*"))) == 2
    assert train(new_model(), Toy(), config, tmp_path, **run).step == 16  # it stays stopped


def test_accumulated_micro_batches_equal_the_whole_batch_but_for_the_negatives(tmp_path):
    config = replace(CONFIG, info_nce_weight=0.0)
    debug = replace(debug_config(vocab_size=40, embedding_dim=16))
    still = replace(
        debug,
        conformer=replace(debug.conformer, layers=0, dropout=0.0),
        decoder=replace(debug.decoder, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0),
    )
    models = []
    for accumulate in (1, 2):
        torch.manual_seed(0)
        models.append(AudioCaptioner(still))
        run = replace(config, accumulate=accumulate, batch_size=4 // accumulate)
        train(models[-1], Toy(accumulate), run, tmp_path / str(accumulate))
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_the_frozen_encoder_does_not_change(tmp_path):
    model = new_model()
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    train(model, Toy(), CONFIG, tmp_path)
    assert all(torch.equal(v, before[k]) for k, v in model.encoder.state_dict().items())
    assert not model.training
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert not any(key.startswith("encoder.") for key in saved["model"])


def test_averaged_weights_are_the_mean_of_the_last_steps(tmp_path):
    model, seen = new_model(), []
    config = replace(CONFIG, average_last=0.25)

    def remember(report):
        if report.step > 9:
            seen.append(model.downsample.conv.weight.detach().clone())

    train(model, Toy(), config, tmp_path, watch=TrainingWatch(step=remember))
    torch.testing.assert_close(model.downsample.conv.weight, torch.stack(seen).mean(0))


def test_a_loss_that_is_not_finite_and_a_full_disk_end_the_run_with_advice(tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match=r"lower training\.learning_rate"):
        train(new_model(), Toy(), replace(CONFIG, learning_rate=1e30, warmup_steps=0), tmp_path)
    train(new_model(), Toy(), replace(CONFIG, steps=5), tmp_path / "full")
    before = (tmp_path / "full" / "checkpoint.pt").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("auricle.training.checkpoints.torch.save", full)
    with pytest.raises(TrainingError, match=r"No space left.*MB are free.*--resume"):
        train(new_model(), Toy(), CONFIG, tmp_path / "full")
    assert (tmp_path / "full" / "checkpoint.pt").read_bytes() == before
    assert not [path for path in (tmp_path / "full").iterdir() if path.name.startswith(".")]


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half of a file")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt.*delete it to begin anew"):
        train(new_model(), Toy(), CONFIG, tmp_path)


@pytest.mark.parametrize(
    ("schedule", "last"), [("cosine", 0.01), ("linear", 1 / 90), ("constant", 1)]
)
def test_learning_rate_warms_up_and_decays(schedule, last):
    config = replace(CONFIG, learning_rate=1.0, warmup_steps=10, schedule=schedule)
    rates = [learning_rate(step, 100, config) for step in range(1, 101)]
    assert rates[4] == pytest.approx(0.5)
    assert rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(last)
