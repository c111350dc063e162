"""Names to model folders, the Hub's cache included, and what is said when nothing is there."""

import json
import os
import time
from dataclasses import replace

import pytest
import torch

from auricle.errors import ModelError
from auricle.fetch import names
from auricle.hub.ensemble import assemble, load_model, save_ensemble
from auricle.hub.folder import Bundle, EmbedderSpec, load_bundle, save_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.paths import GOLDEN


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty Hub cache, and no network."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def save_debug(folder, dtype=None):
    torch.manual_seed(0)
    model = AudioCaptioner(debug_config()).eval()
    tokenizer = CaptionTokenizer.train(["a dog barks"], 300)
    save_bundle(folder, Bundle("debug", model, tokenizer, EmbedderSpec("x", "p")), dtype)
    return model


def test_a_folder_round_trip(tmp_path):
    model = save_debug(tmp_path / "m")
    again = load_bundle(tmp_path / "m")
    assert again.model.config == model.config
    assert again.embedder == EmbedderSpec("x", "p")
    for (name, ours), theirs in zip(
        model.state_dict().items(), again.model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_credits_stay_with_the_weights(tmp_path):
    save_debug(tmp_path / "m")
    assert not (tmp_path / "m" / "CREDITS.md").exists()
    bundle = replace(load_bundle(tmp_path / "m"), credits="* rain, by A. Bird, CC BY 3.0\n")
    save_bundle(tmp_path / "again", bundle)
    again = load_bundle(tmp_path / "again")
    assert again.credits == bundle.credits
    save_ensemble(tmp_path / "both", assemble("both", [tmp_path / "again", tmp_path / "m"]))
    assert load_model(tmp_path / "both").bundles[0].credits == bundle.credits


def test_what_others_may_read_of_a_folder_includes_the_weights(tmp_path):
    save_debug(tmp_path)
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_model_without_card_gets_one_that_says_what_it_is(tmp_path):
    save_debug(tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text()
    assert "library_name: auricle" in card
    assert "BART, 2 layers of width 48" in card


def test_weights_in_half_precision_are_half_the_size(tmp_path):
    save_debug(tmp_path / "whole")
    save_debug(tmp_path / "half", torch.float16)
    whole, half = (tmp_path / f / "model.safetensors" for f in ("whole", "half"))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    assert load_bundle(tmp_path / "half").model.decoder.logits_bias.dtype == torch.float32


@pytest.mark.parametrize("key", ["downsample.conv.bias", "decoder.logits_bias"])
def test_a_folder_that_lacks_a_weight(tmp_path, key):
    from safetensors.torch import load_file, save_file

    save_debug(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights[key]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=key.replace(".", r"\.")):
        load_bundle(tmp_path)


def test_a_folder_of_another_kind(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_bundle(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"format": "bert"}))
    with pytest.raises(ModelError, match="'bert' is unknown"):
        load_bundle(tmp_path)


def change(folder, section, **values):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config[section] = config[section] | values
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("model", {"conformer": {"layers": 10**6}}, "must be from 0 to 100"),
        ("model", {"decoder": []}, r"must be a section, \[model\.decoder\]"),
        ("decoding", {"candidates": 10**9}, r"decoding: candidates=1000000000|max_length=30"),
        ("decoding", {"max_length": 10**9}, "max_length"),
        ("decoding", {"candidates": 1000, "max_length": 1000}, "at most 100,000 tokens"),
        ("decoding", {"temperature": -1.0}, "temperature"),
        ("decoding", {"top_p": "x"}, "top_p is 'x', but must be a number"),
        ("decoding", {"rerank": {"likelihood": 1e308}}, "likelihood"),
        ("decoding", {"forbidden_words": ["x"] * 2000}, "forbidden_words"),
        ("text_embedder", {"prompt": "x" * 10_000}, "prompt"),
    ],
)
def test_an_absurd_config_is_refused_at_once(tmp_path, section, values, message):
    save_debug(tmp_path)
    change(tmp_path, section, **values)
    start = time.monotonic()
    with pytest.raises(ModelError, match=rf"config\.json: .*({message})") as caught:
        load_bundle(tmp_path)
    assert time.monotonic() - start < 2
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("section", ["model", "text_embedder", "decoding"])
@pytest.mark.parametrize("content", [None, [], 3, "x"])
def test_a_section_that_is_missing_or_of_another_type(tmp_path, section, content):
    save_debug(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, section: content}))
    with pytest.raises(ModelError, match=rf"{section} is .*must be a section"):
        load_bundle(tmp_path)
    del config[section]
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=rf"key '{section}' is missing"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../embedder",
        "/tmp",
        "./../embedder",
        ".",
        "./",
        "./missing",
        "./link",
        "~/x",
        "a/b/c",
        "\0",
    ],
)
def test_a_config_names_no_folder_outside_its_own(tmp_path, monkeypatch, name):
    save_debug(tmp_path / "m")
    (tmp_path / "embedder").mkdir()
    (tmp_path / "m" / "link").symlink_to(tmp_path / "embedder")
    monkeypatch.chdir(tmp_path / "m")
    change(tmp_path / "m", "text_embedder", name=name)
    with pytest.raises(ModelError, match=r"text_embedder.*must be (all-MiniLM|a name)"):
        load_bundle(tmp_path / "m")


def test_an_embedder_of_its_own_travels_with_the_model(tmp_path):
    source = tmp_path / "embedder"
    (source / "1_Pooling").mkdir(parents=True)
    (source / "config.json").write_text("{}")
    (source / "1_Pooling" / "config.json").write_text('{"a": 1}')
    (source / "code.py").write_text("")
    save_debug(tmp_path / "m")
    bundle = load_bundle(tmp_path / "m")
    save_bundle(
        tmp_path / "n", replace(bundle, embedder=EmbedderSpec(str(source), "p"), name="n", card="")
    )
    stored = json.loads((tmp_path / "n" / "config.json").read_text())["text_embedder"]
    assert stored == {"name": "./text_embedder", "prompt": "p"}
    assert str(tmp_path) not in (tmp_path / "n" / "README.md").read_text()
    again = load_bundle(tmp_path / "n")
    save_bundle(tmp_path / "n", again)  # onto itself
    place = tmp_path / "n" / "text_embedder"
    assert again.embedder == EmbedderSpec(str(place), "p")
    files = sorted(str(path.relative_to(place)) for path in place.rglob("*.*"))
    assert files == ["1_Pooling/config.json", "config.json"]


def test_a_card_that_is_no_text_or_without_end(tmp_path):
    save_debug(tmp_path)
    (tmp_path / "README.md").write_bytes(b"a\xff\x00b")
    assert load_bundle(tmp_path).card == "a\ufffd\0b"
    os.truncate(tmp_path / "README.md", 1 << 33)
    with pytest.raises(ModelError, match=r"README\.md: larger than"):
        load_bundle(tmp_path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match=r"no such model.*clotho"):
        load_bundle("tinny")


@pytest.mark.parametrize("name", ["clotho", names.PUBLISHED])
def test_the_published_model_offline_says_what_to_fetch_and_where(offline, name):
    with pytest.raises(ModelError) as error:
        load_bundle(name)
    message = str(error.value)
    for part in (names.PUBLISHED, "facebook/bart-base", "hkunlp/instructor-xl", str(offline)):
        assert part in message
    assert "\n" not in message


def test_a_published_checkpoint_in_the_hubs_cache_loads_offline(offline, monkeypatch):
    """The cache's layout, with the small checkpoint in the large one's place."""
    import auricle.hub.folder

    monkeypatch.setattr(auricle.hub.folder, "PUBLISHED_CONFIGS", GOLDEN)
    snapshot(offline, names.PUBLISHED, {"model.safetensors": GOLDEN / "state_dict.safetensors"})
    tokenizer = offline.parent / "tokenizer"
    tokenizer.mkdir()
    CaptionTokenizer.train(["a dog barks"], 300).save(tokenizer)
    snapshot(offline, names.PUBLISHED_TOKENIZER, {"tokenizer.json": tokenizer / "tokenizer.json"})
    bundle = load_bundle("clotho")
    assert bundle.model.config.decoder.vocab_size == 100
    assert bundle.tokenizer is not None
    assert bundle.embedder == EmbedderSpec("hkunlp/instructor-xl", "Represent the audio caption: ")
    assert bundle.decoding.candidates == 50


def test_a_published_checkpoint_with_a_damaged_tokenizer_names_it(offline, tmp_path):
    for path in GOLDEN.glob("*_config.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "state_dict.safetensors").symlink_to(GOLDEN / "state_dict.safetensors")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a tokenizer"):
        load_bundle(tmp_path)


def snapshot(cache, repository, files):
    root = cache / f"models--{repository.replace('/', '--')}"
    (root / "snapshots" / "1").mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("1")
    for name, source in files.items():
        (root / "snapshots" / "1" / name).write_bytes(source.read_bytes())


def test_only_captioners_are_listed_as_models():
    from auricle.fetch.names import bundled_models

    assert bundled_models() == ["tiny"]
