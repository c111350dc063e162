"""INSTRUCTOR's embeddings: the prompt is read, and only the caption's tokens are averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from auricle.text.embedder import INSTRUCTOR_PROMPT, TextEmbedder
from auricle.training.precompute import embedding_store

CAPTIONS = [
    "a dog barks",
    "rain",
    "a man speaks while birds chirp and the wind blows through the trees",
    "a dog barks while rain falls",
]
WIDTH, DIM = 32, 24
MODULES = ("Transformer", "Pooling", "Dense", "Normalize")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A random INSTRUCTOR in the layout of the published ones: pooling says nothing of prompts."""
    torch.manual_seed(0)
    folder = tmp_path / "instructor"
    config = T5Config(
        vocab_size=300, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4, dropout_rate=0.0
    )
    encoder = T5EncoderModel(config)
    encoder.encoder.embed_tokens.weight.data *= 5  # words differ
    encoder.save_pretrained(folder)
    words = sorted({word for text in [INSTRUCTOR_PROMPT, *CAPTIONS] for word in text.split()})
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    pieces += [(f"▁{word}", -2.0) for word in words[::2]]  # the others take several pieces
    pieces += [(letter, -5.0) for letter in sorted({*"".join(words)})]
    T5Tokenizer(vocab=pieces, extra_ids=0).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 512}')
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": f"{number}_{kind}" if number else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, kind in enumerate(MODULES)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    configs = {
        "1_Pooling": {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True},
        "2_Dense": {
            "in_features": WIDTH,
            "out_features": DIM,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
        "3_Normalize": {},
    }
    for name, values in configs.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(values))
    dense = {"linear.weight": torch.randn(DIM, WIDTH) / WIDTH**0.5}
    save_file(dense, folder / "2_Dense" / "model.safetensors")
    return folder


def published_way(folder: Path, texts: Sequence[str], skipped: int) -> Tensor:
    """N captions -> [N, DIM], each alone; the first ``skipped`` tokens stay out of the mean."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoder = T5EncoderModel.from_pretrained(folder).eval()
    dense = load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"]
    rows = []
    for text in texts:
        ids = tokenizer(INSTRUCTOR_PROMPT + text, return_tensors="pt").input_ids
        assert ids[0, -1] == tokenizer.eos_token_id
        with torch.no_grad():
            states = encoder(ids).last_hidden_state[0]
        rows.append(F.normalize(dense @ states[skipped:].mean(0), dim=0))
    return torch.stack(rows)


def prompt_length(folder: Path) -> int:
    ids = AutoTokenizer.from_pretrained(folder)(INSTRUCTOR_PROMPT).input_ids
    return len(ids) - 1  # without the end token


def test_the_prompts_tokens_are_left_out_of_the_mean(folder: Path) -> None:
    ours = TextEmbedder(str(folder), INSTRUCTOR_PROMPT).embed(CAPTIONS)
    published = published_way(folder, CAPTIONS, prompt_length(folder))
    torch.testing.assert_close(ours, published, rtol=0, atol=1e-5)
    averaged_in = published_way(folder, CAPTIONS, 0)
    assert (ours * averaged_in).sum(1).max() < 0.99  # the test can tell the two apart


def test_the_prompt_is_read_all_the_same(folder: Path) -> None:
    prompted = TextEmbedder(str(folder), INSTRUCTOR_PROMPT).embed(CAPTIONS)
    plain = TextEmbedder(str(folder)).embed(CAPTIONS)
    assert (prompted - plain).abs().max() > 1e-3


def test_a_folder_that_states_include_prompt_is_obeyed(folder: Path) -> None:
    path = folder / "1_Pooling" / "config.json"
    stated = json.loads(path.read_text()) | {"include_prompt": True}
    path.write_text(json.dumps(stated))
    ours = TextEmbedder(str(folder), INSTRUCTOR_PROMPT).embed(CAPTIONS)
    torch.testing.assert_close(ours, published_way(folder, CAPTIONS, 0), rtol=0, atol=1e-5)


def test_embeddings_stored_with_the_prompt_averaged_in_are_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = embedding_store("hkunlp/instructor-xl", INSTRUCTOR_PROMPT, 768, tmp_path)
    monkeypatch.setattr("auricle.training.precompute.EMBEDDING_FORMAT", 1)
    before = embedding_store("hkunlp/instructor-xl", INSTRUCTOR_PROMPT, 768, tmp_path)
    assert now.folder != before.folder
