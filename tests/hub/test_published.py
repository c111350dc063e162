"""Import of published checkpoints and of Microsoft's BEATs."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from auricle.errors import ModelError
from auricle.hub import load_beats, load_published
from auricle.hub.published import read_config
from auricle.hub.published_names import published_name
from auricle.model.captioner import AudioCaptioner
from tests.helpers.paths import GOLDEN, ROOT

CONFIGS = ROOT / "src/auricle/hub/published_configs"


@pytest.fixture
def checkpoint(tmp_path):
    """A function that writes the golden checkpoint with some tensors changed."""

    def write(change=lambda weights: None, name="state_dict.safetensors"):
        for file in GOLDEN.glob("*_config.json"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        weights = load_file(GOLDEN / "state_dict.safetensors")
        change(weights)
        if name.endswith(".bin"):
            torch.save(weights, tmp_path / name)
        else:
            save_file(weights, tmp_path / name)
        return tmp_path

    return write


def embedding(model):
    return model.encode([torch.sin(torch.arange(8000) / 7)]).embedding


@pytest.mark.parametrize(
    "name", ["state_dict.safetensors", "model.safetensors", "pytorch_model.bin"]
)
def test_every_weight_file_gives_the_same_model(checkpoint, name):
    ours = embedding(load_published(checkpoint(name=name)))
    torch.testing.assert_close(ours, embedding(load_published(GOLDEN)))


def test_tied_keys_may_be_absent(checkpoint):
    def drop_tied(weights):
        weights.pop("lm_head.weight", None)
        for i in (1, 2):
            weights.pop(
                f"encoder.encoder.layers.{i}.self_attn.relative_attention_bias.weight", None
            )

    def tie(weights):
        drop_tied(weights)
        weights["lm_head.weight"] = weights["decoder.embed_tokens.weight"].clone()
        first = weights["encoder.encoder.layers.0.self_attn.relative_attention_bias.weight"]
        for i in (1, 2):
            key = f"encoder.encoder.layers.{i}.self_attn.relative_attention_bias.weight"
            weights[key] = first.clone()

    for change in (drop_tied, tie):
        assert not load_published(checkpoint(change)).training


def test_missing_and_unexpected_keys_are_all_named(checkpoint):
    def change(weights):
        del weights["downsample_conv.bias"], weights["encoder.predictor.bias"]
        weights["extra.one"] = torch.zeros(1)

    with pytest.raises(ModelError) as error:
        load_published(checkpoint(change))
    for key in ("downsample_conv.bias", "encoder.predictor.bias", "extra.one"):
        assert key in str(error.value)


def test_a_wrong_shape_is_named(checkpoint):
    def change(weights):
        weights["downsample_conv.bias"] = torch.zeros(3)

    with pytest.raises(ModelError, match=r"downsample_conv.bias has shape \[3\], expected \[64\]"):
        load_published(checkpoint(change))


def test_a_tied_weight_that_differs_is_told_and_the_original_used(checkpoint):
    def change(weights):
        weights["lm_head.weight"] = weights["decoder.embed_tokens.weight"] + 1

    folder = checkpoint(change)
    with pytest.warns(UserWarning, match=r"lm_head\.weight differs"):
        model = load_published(folder)
    expected = load_published(GOLDEN).decoder.tokens.weight
    assert torch.equal(model.decoder.tokens.weight, expected)


def test_a_pickle_that_holds_code_is_refused(checkpoint):
    folder = checkpoint()
    (folder / "state_dict.safetensors").unlink()
    torch.save({"weight": Path("executed")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="never executes"):
        load_published(folder)


def test_a_missing_value_is_named(checkpoint):
    folder = checkpoint()
    values = json.loads((folder / "beats_config.json").read_text())
    del values["max_distance"]
    (folder / "beats_config.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"beats_config\.json: .*'max_distance' is missing"):
        load_published(folder)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("model_config.json", {"encoder_downsample_rate": "x"}, "must be a whole number"),
        ("model_config.json", {"encoder_downsample_rate": 10**9}, "from 1 to 64"),
        ("model_config.json", {"decoder_layers": 10**6}, "layers=1000000"),
        ("model_config.json", {"use_conv_downsample": False}, "must be True"),
        ("model_config.json", {"encoder_repr_layer_idx": 9}, "output_layer=9"),
        ("model_config.json", {"vocab_size": None}, "must be a whole number"),
        ("conformer_config.json", {"num_conv_pos_embedding_groups": 0}, "from 1 to 1,024"),
        ("conformer_config.json", {"hidden_act": "relu"}, "must be 'swish'"),
        ("beats_config.json", {"encoder_layers": 10**9}, "from 1 to 100"),
        ("beats_config.json", {"predictor_class": -1}, "predictor_class=-1"),
        ("beats_config.json", {"deep_norm": 0.5}, "must be True"),
    ],
)
def test_an_absurd_value_is_named(checkpoint, name, values, message):
    folder = checkpoint()
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))
    with pytest.raises(ModelError, match=message):
        load_published(folder)


def test_decoder_heads_left_unsaid_are_bart_s_sixteen(checkpoint):
    folder = checkpoint()
    values = json.loads((folder / "model_config.json").read_text())
    del values["decoder_attention_heads"]
    (folder / "model_config.json").write_text(json.dumps(values))
    assert load_published(folder).config.decoder.heads == 16


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"model_config\.json"):
        load_published(tmp_path)


def test_the_full_size_configuration_has_the_published_names_and_shapes():
    golden = json.loads((GOLDEN.parent / "published-state-dict.json").read_text())
    config, _, unused = read_config(CONFIGS)
    with torch.device("meta"):
        model = AudioCaptioner(config)
    for ours, tensor in model.state_dict().items():
        theirs = golden[published_name(ours)]
        assert [n for n in theirs if n != 1] == [n for n in tensor.shape if n != 1], ours
    for name, kind in unused.items():
        assert golden[name] == list(kind.shape)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    # The published 126,625,241, less the Conformer's positional convolution, which never runs.
    assert trained == 126_625_241 - sum(torch.Size(kind.shape).numel() for kind in unused.values())


@pytest.mark.slow
def test_a_random_full_size_checkpoint_imports(tmp_path):
    golden = json.loads((GOLDEN.parent / "published-state-dict.json").read_text())
    weights = {}
    for key, shape in golden.items():
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.tensor(0)
        elif "relative_attention_bias" not in key and key != "lm_head.weight":
            weights[key] = torch.rand(shape) * 0.02
    first = torch.rand(320, 12)
    for i in range(12):
        key = f"encoder.encoder.layers.{i}.self_attn.relative_attention_bias.weight"
        weights[key] = first.clone()
    weights["lm_head.weight"] = weights["decoder.embed_tokens.weight"].clone()
    assert weights.keys() == golden.keys()
    save_file(weights, tmp_path / "model.safetensors")
    model = load_published(tmp_path, config_folder=CONFIGS)
    memory = model.encode([torch.randn(160_000) * 0.1])
    assert memory.memory.shape == (1, 165, 768)
    assert memory.embedding.shape == (1, 768)
    assert model.logits(memory, torch.tensor([[2, 100]])).shape == (1, 2, 50_265)


def test_microsoft_beats_format(tmp_path):
    weights = load_file(GOLDEN / "state_dict.safetensors")
    content = {
        "cfg": json.loads((GOLDEN / "beats_config.json").read_text()),
        "model": {
            key.removeprefix("encoder."): tensor
            for key, tensor in weights.items()
            if key.startswith("encoder.")
        },
    }
    torch.save(content, tmp_path / "BEATs.pt")
    encoder = load_beats(tmp_path / "BEATs.pt", output_layer=2)
    wave, lengths = torch.randn(1, 20_000) * 0.1, torch.tensor([20_000])
    expected, frames = load_published(GOLDEN).encoder(wave, lengths)
    found, found_frames = encoder(wave, lengths)
    torch.testing.assert_close(found, expected)
    assert found_frames.equal(frames)
    assert len(load_beats(tmp_path / "BEATs.pt").layers) == 3


def test_not_a_beats_checkpoint(tmp_path):
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="'cfg' and 'model'"):
        load_beats(tmp_path / "other.pt")


@pytest.mark.parametrize("content", [{"cfg": [], "model": {}}, {"cfg": {}, "model": 3}])
def test_a_beats_checkpoint_of_other_types(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"other\.pt: .*(a dictionary|is missing)"):
        load_beats(tmp_path / "other.pt")
