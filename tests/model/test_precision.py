"""Packed and rounded layers against plain ones; what a converted model can and cannot do."""

import pickle
import platform
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from auricle.errors import ModelError
from auricle.hub import load_published
from auricle.hub.folder import load_bundle
from auricle.model import packing, precision
from auricle.model.captioner import AudioCaptioner
from auricle.model.packing import Int8Linear, PackedConv1d, PackedLinear
from auricle.model.precision import choose_precision, convert, move, resolve_precision
from tests.helpers.paths import GOLDEN

CPU = torch.device("cpu")
# Relative errors of memory and logits, some twice those of the debug model.
ROUNDING = {"float32": 1e-5, "bf16": 0.02, "int8": 0.05}


@pytest.fixture
def model(monkeypatch):
    """A debug model, of which every layer is large enough to be converted."""
    monkeypatch.setattr(precision, "PACKED_WEIGHTS", 0)
    monkeypatch.setattr(precision, "ROUNDED_WEIGHTS", 0)
    return load_published(GOLDEN)


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, generator=generator) * 0.1 for n in (40_000, 16_000, 900)]


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not torch.backends.mkldnn.is_available(),
    reason="oneDNN packs weights on x86",
)
def test_torch_has_the_operators_that_pack_weights():
    assert packing.can_pack(), "torch renamed its private operators: packing.py needs the new ones"


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 48), (2, 3, 48), (0, 48), (1, 48)])
def test_a_packed_layer_equals_a_plain_one(shape, bias):
    layer, x = nn.Linear(48, 33, bias=bias), torch.randn(shape)
    packed = PackedLinear(layer.weight, layer.bias, torch.float32)
    torch.testing.assert_close(packed(x), layer(x), atol=1e-5, rtol=1e-5)
    expected = F.linear(*(t.to(torch.bfloat16) for t in (x, layer.weight)))
    rounded = PackedLinear(layer.weight, None, torch.bfloat16)
    torch.testing.assert_close(rounded(x), expected.float(), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(Int8Linear(layer.weight, layer.bias)(x), layer(x), atol=0.03, rtol=0)


def test_a_row_in_8_bits_is_scaled_by_itself_alone():
    layer = Int8Linear(torch.randn(16, 32), None)
    row, loud = torch.randn(1, 32), 1000 * torch.randn(1, 32)
    assert torch.equal(layer(torch.cat([row, loud, torch.zeros(1, 32)]))[:1], layer(row))


@pytest.mark.parametrize("settings", [{"padding": 4, "groups": 4}, {"stride": 3}])
def test_a_packed_convolution_equals_a_plain_one(settings):
    conv = nn.Conv1d(16, 32, 8, **settings)
    normed, x = weight_norm(conv, dim=2), torch.randn(2, 16, 50)
    expected = normed(x)
    packed = PackedConv1d(normed, torch.float32)
    torch.testing.assert_close(packed(x), expected, atol=1e-5, rtol=1e-5)
    assert packed.state_dict().keys() == normed.state_dict().keys()


@pytest.mark.parametrize("name", ROUNDING)
@torch.no_grad()
def test_a_converted_model_hears_and_says_the_same_within_its_rounding(model, clips, name):
    ids = torch.tensor([[2, 5, 9, 7]] * 3)
    before = model.encode(clips)
    logits = model.logits(before, ids)
    assert convert(model, name) == name
    kinds = {type(module) for module in model.modules()}
    assert nn.Linear not in kinds
    assert (Int8Linear if name == "int8" else PackedLinear) in kinds
    after = model.encode(clips)
    assert distance(after.memory, before.memory) < ROUNDING[name]
    assert distance(after.embedding, before.embedding) < ROUNDING[name]
    assert distance(model.logits(before, ids), logits) < ROUNDING[name]


@pytest.mark.parametrize("name", ROUNDING)
@torch.no_grad()
def test_a_converted_model_gives_a_clip_in_a_batch_what_it_gives_it_alone(model, clips, name):
    convert(model, name)
    together, ids = model.encode(clips), torch.tensor([[2, 5, 9]] * 3)
    logits = model.logits(together, ids)
    for i, clip in enumerate(clips):
        alone = model.encode([clip])
        frames = int(alone.lengths[0])
        # A sum in another order may fall on the other side of a rounding.
        close = {"atol": 1e-4 if name == "float32" else 0.02, "rtol": 0}
        torch.testing.assert_close(together.memory[i, :frames], alone.memory[0, :frames], **close)
        torch.testing.assert_close(logits[i], model.logits(alone, ids[:1])[0], **close)


def test_a_model_packed_in_float32_is_saved_as_it_was(model):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    convert(model, "float32")
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("name", ["bf16", "int8"])
def test_rounded_weights_are_not_saved(model, name):
    convert(model, name)
    with pytest.raises(ModelError, match=f"rounded to {name}.*precision float32"):
        model.state_dict()


def test_a_model_is_converted_once(model):
    convert(model, "bf16")
    assert convert(model, "bf16") == "bf16"
    with pytest.raises(ModelError, match="computes in bf16 already"):
        convert(model, "float32")


@torch.no_grad()
def test_without_the_operators_layers_stay_or_are_only_rounded(model, clips, monkeypatch):
    for module in (packing, precision):
        monkeypatch.setattr(module, "can_pack", lambda: False)
    before = model.encode(clips)
    convert(model, "float32")
    assert not any(isinstance(module, PackedLinear) for module in model.modules())
    rounded = load_published(GOLDEN)
    convert(rounded, "bf16")
    assert any(isinstance(module, PackedLinear) for module in rounded.modules())
    assert 0 < distance(rounded.encode(clips).memory, before.memory) < ROUNDING["bf16"]


@torch.no_grad()
def test_a_whole_model_in_less_as_on_a_gpu(model, clips):
    ids = torch.tensor([[2, 5, 9, 7]] * 3)
    before = model.encode(clips)
    logits = model.logits(before, ids)
    precision._cast(model, torch.bfloat16)
    after = model.encode(clips)
    assert after.memory.dtype == torch.bfloat16
    assert distance(after.memory, before.memory) < 0.05
    assert distance(model.logits(after, ids), logits) < 0.05


@pytest.mark.parametrize("pooling", ["query", "self-attention"])
@torch.no_grad()
def test_yamnet_stays_float32_in_a_model_in_less(pooling):
    config = load_bundle("tiny").model.config
    config = replace(config, embedding=replace(config.embedding, pooling=pooling))
    model = AudioCaptioner(config).eval()
    precision._cast(model, torch.bfloat16)
    found = model.encode([torch.randn(20_000) / 10])
    assert (found.memory.dtype, found.embedding.dtype) == (torch.bfloat16, torch.bfloat16)
    assert {tensor.dtype for tensor in model.encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("name", "device"), [("fp16", "cpu"), ("int8", "cuda"), ("bf16", "mps"), ("float64", "cpu")]
)
def test_a_precision_that_the_device_cannot_do_is_refused(name, device):
    with pytest.raises(ModelError, match=f"{name}.*{device}.*float32.*or auto"):
        resolve_precision(name, torch.device(device))


@pytest.mark.parametrize(
    ("flags", "expected", "why"),
    [
        ({"amx_tile", "avx512_bf16"}, "bf16", "AMX"),
        ({"avx512_bf16"}, "bf16", "AVX-512"),
        (set(), "float32", "nothing here"),
    ],
)
def test_auto_says_why(monkeypatch, flags, expected, why):
    monkeypatch.setattr(precision, "_cpu_has", flags.__contains__)
    chosen, reason = choose_precision(CPU)
    assert chosen == expected
    assert why in reason
    assert resolve_precision("auto", CPU) == (chosen, reason)


def test_auto_leaves_a_small_model_as_it_is(model, monkeypatch):
    monkeypatch.setattr(precision, "_cpu_has", lambda flag: True)
    assert "million parameters" in choose_precision(CPU, 4_000_000)[1]
    assert convert(model, "auto") == "float32"


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "float32")]
)
def test_auto_asks_a_gpu_what_it_multiplies(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision(torch.device("cuda"))[0] == expected


@pytest.mark.parametrize("name", ROUNDING)
@torch.no_grad()
def test_a_stored_model_hears_the_same(model, clips, name):
    convert(model, name)
    again = pickle.loads(pickle.dumps(model))
    assert again.precision == name
    ours, theirs = model.encode(clips), again.encode(clips)
    assert torch.equal(ours.memory, theirs.memory)
    ids = torch.tensor([[2, 5, 9]] * 3)
    assert torch.equal(model.logits(ours, ids), again.logits(ours, ids))


def test_a_model_leaves_the_cpu_unpacked(model):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    convert(model, "float32")
    move(model, torch.device("meta"))
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
    assert {key: tensor.shape for key, tensor in model.state_dict().items()} == {
        key: tensor.shape for key, tensor in before.items()
    }
    assert not any(isinstance(layer, PackedLinear | PackedConv1d) for layer in model.modules())


@torch.no_grad()
def test_unpacking_gives_back_the_weights(model):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    convert(model, "float32")
    precision._unpack(model)
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_rounded_weights_stay_on_their_device(model):
    convert(model, "bf16")
    move(model, torch.device("cpu"))
    with pytest.raises(ModelError, match="load it again with device 'meta'"):
        move(model, torch.device("meta"))
