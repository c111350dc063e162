"""Weight decay, learning rate and loss against transformers' Trainer: equal, or as documented."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from transformers import Trainer
from transformers.optimization import get_linear_schedule_with_warmup

from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.training.config import TrainingConfig
from auricle.training.loop import new_optimiser
from auricle.training.objective import label_smoothed_nll
from auricle.training.schedule import learning_rate


@pytest.mark.parametrize("pooling", ["mean", "query", "self-attention"])
@pytest.mark.parametrize("tuned", [False, True])
def test_what_decays_is_what_decays_in_the_trainer(tuned, pooling):
    config = debug_config(vocab_size=40)
    config = replace(config, embedding=replace(config.embedding, pooling=pooling))
    model = AudioCaptioner(config)
    model.encoder.requires_grad_(tuned)
    decayed, spared = new_optimiser(model, TrainingConfig(steps=1)).param_groups
    names = {p: name for name, p in model.named_parameters()}
    theirs = set(Trainer.get_decay_parameter_names(None, model))
    assert {names[p] for p in decayed["params"]} == theirs & {
        name for name, p in model.named_parameters() if p.requires_grad
    }
    assert (decayed["weight_decay"], spared["weight_decay"]) == (1e-3, 0.0)
    mine = {names[p] for p in spared["params"]}
    assert "conformer.layers.0.attention.content_bias" in mine  # published: pos_bias_u
    assert "conformer.layers.0.attention.position_bias" in mine  # published: pos_bias_v
    assert "conformer.layers.0.conv.batch_norm.weight" in mine  # decayed in transformers 4.22


@pytest.mark.parametrize("warmup", [0, 7])
def test_the_linear_schedule_is_the_trainers_but_for_a_first_step_that_does_nothing(warmup):
    config = TrainingConfig(steps=50, learning_rate=1.0, warmup_steps=warmup, schedule="linear")
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = get_linear_schedule_with_warmup(optimiser, warmup, 50)
    theirs = []
    for _ in range(50):
        theirs.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    ours = [learning_rate(step, 50, config) for step in range(1, 51)]
    assert ours[warmup:] == pytest.approx(theirs[warmup:])
    assert ours[:warmup] == pytest.approx(theirs[1 : warmup + 1])
    assert min(ours) > 0


def test_a_token_counts_alike_in_whatever_micro_batch_it_stands():
    """As the Trainer since 4.46; the one of the released code averaged the micro-batches' means."""
    logits, labels = torch.randn(2, 6, 9), torch.randint(0, 9, (2, 6))
    labels[1, 2:] = -100  # 6 tokens in one, 2 in the other
    parts = [label_smoothed_nll(logits[i : i + 1], labels[i : i + 1], 0.0, 8) for i in (0, 1)]
    whole = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    torch.testing.assert_close(sum(parts), whole)
    means = [F.cross_entropy(logits[i], labels[i]) for i in (0, 1)]
    assert abs(sum(means) / 2 - whole) > 1e-3
