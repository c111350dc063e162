"""Batch normalisation over two processes equals that of one with all the rows."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from auricle.model.batchnorm import BatchNorm
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config

WORLD = 2
SHARES = {  # rows of each process, step by step
    "even": [(4, 4), (3, 3)],
    "uneven": [(5, 2), (1, 6)],
    "one without rows": [(0, 5), (4, 0)],
    "one row in all": [(1, 0), (0, 1)],
    "frames": [(2, 3), (3, 1)],
}


def batches(name):
    """One [rows, 6] or [rows, 6, 9] batch per step, of all processes together, in float64: float32
    rounds the small gradients of rows that lie close together to 1e-5."""
    generator = torch.Generator().manual_seed(len(name))
    shape = (6, 9) if name == "frames" else (6,)
    scale = torch.tensor([1.0, 5.0, 0.1, 1.0, 1.0, 1.0]).view(-1, *[1] * (len(shape) - 1))
    return [
        torch.randn(sum(share), *shape, generator=generator).double() * scale + 2
        for share in SHARES[name]
    ]


def layer(cls=BatchNorm):
    torch.manual_seed(0)
    norm = cls(6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.double()


def run(norm, rows, scores):
    """Outputs and row gradients of each step, the summed gradients of the parameters, buffers."""
    outputs, gradients = [], []
    for x, score in zip(rows, scores, strict=True):
        x = x.clone().requires_grad_()
        y = norm(x)
        (y.tanh() * score).sum().backward()
        outputs.append(y.detach())
        gradients.append(x.grad)
    parameters = [p.grad for p in norm.parameters()]
    return {"outputs": outputs, "rows": gradients, "parameters": parameters} | {
        "buffers": list(norm.buffers())
    }


def share_of(rank, name, values):
    starts = [0 if rank == 0 else first for first, _ in SHARES[name]]
    counts = [share[rank] for share in SHARES[name]]
    return [v[a : a + n] for v, a, n in zip(values, starts, counts, strict=True)]


def process(rank, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD
    )
    found = {}
    for name in SHARES:
        x = share_of(rank, name, batches(name))
        scores = share_of(rank, name, [torch.sin(v) for v in batches(name)])
        found[name] = run(layer(), x, scores)
        for gradient in found[name]["parameters"]:
            distributed.all_reduce(gradient)
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(process, (str(folder),), WORLD)
    return [torch.load(Path(folder, f"{rank}.pt")) for rank in range(WORLD)]


@pytest.mark.parametrize("name", SHARES)
def test_two_processes_equal_one_with_all_rows(found, name):
    x = batches(name)
    whole = run(layer(), x, [torch.sin(v) for v in x])
    for key in ("outputs", "rows"):
        for step, expected in enumerate(whole[key]):
            together = torch.cat([part[name][key][step] for part in found])
            torch.testing.assert_close(together, expected, atol=1e-10, rtol=1e-8)
    for key in ("parameters", "buffers"):
        for part in found:
            for ours, expected in zip(part[name][key], whole[key], strict=True):
                torch.testing.assert_close(ours, expected, atol=1e-10, rtol=1e-8)
    assert int(whole["buffers"][2]) == (0 if name == "one row in all" else 2)


@pytest.mark.parametrize("name", ["even", "frames"])
def test_one_process_equals_torch(name):
    ours, theirs = layer(), layer(nn.BatchNorm1d)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    scores = [torch.sin(v) for v in batches(name)]
    a, b = run(ours, batches(name), scores), run(theirs, batches(name), scores)
    for key in a:
        assert all(torch.equal(x, y) for x, y in zip(a[key], b[key], strict=True))
    assert torch.equal(ours.eval()(batches(name)[0]), theirs.eval()(batches(name)[0]))


def test_a_single_row_is_normalised_by_the_running_statistics():
    norm = layer()
    norm(batches("even")[0])
    before, x = copy.deepcopy(norm), torch.randn(1, 6).double()
    torch.testing.assert_close(norm(x), before.eval()(x))
    assert norm(torch.zeros(0, 6).double()).shape == (0, 6)
    for ours, expected in zip(norm.buffers(), before.buffers(), strict=True):
        assert torch.equal(ours, expected)


def test_a_model_trains_on_one_clip_of_one_frame():
    model = AudioCaptioner(debug_config()).train()
    memory = model.encode_features(torch.randn(1, 4, 48), torch.tensor([4]))
    assert memory.lengths.tolist() == [1]
    memory.embedding.square().sum().backward()
    assert memory.embedding.isfinite().all()
    assert model.downsample.conv.weight.grad.isfinite().all()
