"""Folders of text embedders that come from strangers: none names code, fills memory or blocks."""

import importlib.metadata
import json
import os
import shutil

import pytest
import torch
from safetensors.torch import save_file

from auricle.errors import MissingDependencyError, ModelError
from auricle.text.embedder import TextEmbedder
from auricle.text.pretrained import check_pretrained, check_size

SIZES = {
    "model_type": "bert",
    "vocab_size": 6,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
}


@pytest.fixture
def folder(tmp_path):
    """The files of an embedder, as far as they are looked through; planted beside it, a module."""
    folder = tmp_path / "embedder"
    (folder / "1_Dense").mkdir(parents=True)
    write(folder / "modules.json", modules("Transformer", "Dense"))
    write(folder / "config.json", SIZES)
    write(folder / "sentence_bert_config.json", {"max_seq_length": 16})
    write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})
    write(folder / "1_Dense" / "config.json", {"in_features": 16, "out_features": 4})
    save_file({"linear.weight": torch.zeros(4, 16)}, folder / "1_Dense" / "model.safetensors")
    save_file({"weights": torch.zeros(4_000)}, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nrain\n")
    (folder / "canary.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Canary: pass\n")
    return folder


def modules(*kinds):
    return [
        {"path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]


def write(path, content):
    path.write_text(json.dumps(content))


def change(path, **values):
    write(path, json.loads(path.read_text()) | values)


def test_a_folder_without_code_passes(folder):
    check_pretrained(folder)
    check_size(folder)


@pytest.mark.parametrize(
    "kind",
    [
        "canary.Canary",
        "os.system",
        "sentence_transformers.models.Router",
        "sentence_transformers.models.WordEmbeddings",
        "sentence_transformersx.Transformer",
        "Transformer",
        None,
        3,
    ],
)
def test_modules_of_other_packages_are_refused_before_loading(folder, kind, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    write(folder / "modules.json", [{"idx": 0, "name": "0", "path": "", "type": kind}])
    with pytest.raises(ModelError, match=r"modules\.json: module type"):
        TextEmbedder(folder).embed(["rain"])
    assert not (folder.parent / "ran").exists()


@pytest.mark.parametrize("place", ["..", "../embedder2", "/etc", "1_Dense/../..", None])
def test_modules_elsewhere_are_refused(folder, place):
    write(folder / "modules.json", [{"path": place, "type": "sentence_transformers.models.Dense"}])
    with pytest.raises(ModelError, match="not inside the folder"):
        check_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("config.json", {"auto_map": {"AutoModel": "canary.Canary"}}),
        ("config.json", {"text_config": {"auto_map": {"AutoModel": "canary.Canary"}}}),
        ("config.json", {"_attn_implementation": "owner/kernel"}),
        ("config.json", {"_attn_implementation_internal": "owner/kernel"}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["canary.Canary", None]}}),
        ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}),
        ("adapter_config.json", {"base_model_name_or_path": "x"}),
        ("1_Dense/config.json", {"custom_st": "x"}),
    ],
)
def test_keys_that_name_code_are_refused(folder, name, values):
    path = folder / name
    write(path, (json.loads(path.read_text()) if path.exists() else {}) | values)
    with pytest.raises(ModelError, match="names code"):
        check_pretrained(folder)


def test_an_escaped_key_is_the_same_key(folder):
    (folder / "config.json").write_text('{"\\u0061uto_map": {"AutoModel": "canary.Canary"}}')
    with pytest.raises(ModelError, match="auto_map names code"):
        check_pretrained(folder)


def test_a_key_that_stands_deep_is_found(folder):
    deep = {"auto_map": 1}
    for _ in range(450):
        deep = {"a": [deep]}
    write(folder / "config.json", deep)
    with pytest.raises(ModelError, match="auto_map names code"):
        check_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"num_hidden_layers": 10**6}, "at most 200"),
        ("1_Dense/config.json", {"in_features": 10**9}, "1,000,000,000 x 4 numbers"),
        ("1_Dense/config.json", {"in_features": -1}, "above 0"),
    ],
)
def test_absurd_sizes_are_refused_before_anything_is_built(folder, name, values, message):
    change(folder / name, **values)
    with pytest.raises(ModelError, match=message):
        check_pretrained(folder)


@pytest.mark.parametrize("values", [{"vocab_size": 10**6}, {"hidden_size": 16_000}])
def test_a_model_that_its_weights_do_not_fill_is_refused(folder, values):
    change(folder / "config.json", **values)
    with pytest.raises(ModelError, match=r"describes .* numbers, but the weights have"):
        check_size(folder)


def test_a_pipe_or_a_file_without_end_is_not_read(folder):
    (folder / "vocab.txt").unlink()
    os.mkfifo(folder / "vocab.txt")
    with pytest.raises(ModelError, match="not a file that can be read"):
        check_pretrained(folder)
    (folder / "vocab.txt").unlink()
    (folder / "vocab.txt").touch()
    os.truncate(folder / "vocab.txt", 1 << 33)
    with pytest.raises(ModelError, match="larger than the 64 MB"):
        check_pretrained(folder)


def test_what_the_library_cannot_load_is_one_line(folder):
    change(folder / "config.json", model_type="no such type")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        TextEmbedder(folder).embed(["rain"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["5.1.0", None])
def test_versions_that_run_a_folders_code_are_not_used(folder, monkeypatch, version):
    def found(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", found)
    with pytest.raises(MissingDependencyError, match=r"sentence-transformers >= 6.*pip install"):
        TextEmbedder(folder).embed(["rain"])


def test_a_name_is_never_a_folder_of_the_working_directory(folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder.parent / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(folder.parent)
    shutil.copytree(folder, folder.parent / "owner" / "name")
    for name in ("embedder", "owner/name", "./embedder"):
        with pytest.raises(ModelError, match="Hugging Face Hub"):
            TextEmbedder(name)
    assert TextEmbedder(folder).folder == TextEmbedder(str(folder)).folder


def test_what_is_no_file_is_refused_before_a_configuration_beside_it_counts_it(tmp_path):
    place = tmp_path / "2_Dense"
    place.mkdir()
    (place / "config.json").write_text('{"in_features": 2, "out_features": 2}')
    (place / "model.safetensors").symlink_to("model.safetensors")
    with pytest.raises(ModelError, match=r"model\.safetensors: not a file that can be read"):
        check_pretrained(tmp_path)
