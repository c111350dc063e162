"""Small valid model folders of every kind: what the mutations begin with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.helpers.models import WORDS
from tests.helpers.paths import GOLDEN

MARK = "AURICLE_CANARY"  # a variable: the file that code from a model folder makes


def write_models(place: Path) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models

    from auricle.decoding.options import DecodeOptions
    from auricle.hub.ensemble import Ensemble, EnsembleConfig, Member, save_ensemble
    from auricle.hub.folder import Bundle, EmbedderSpec, save_bundle
    from auricle.model.captioner import AudioCaptioner
    from auricle.model.config import debug_config
    from auricle.text.tokenizer import SPECIAL, CaptionTokenizer

    tokenizer = CaptionTokenizer.train([" ".join(WORDS)], 300)
    options = DecodeOptions(candidates=4, max_length=12, fluency="own")

    def bundle(name: str, embedder: str = "all-MiniLM-L6-v2", dim: int = 384) -> Bundle:
        torch.manual_seed(0)
        model = AudioCaptioner(debug_config(tokenizer.vocab_size, dim)).eval()
        return Bundle(name, model, tokenizer, EmbedderSpec(embedder, ""), options, f"# {name}\n")

    save_bundle(place / "ours", bundle("ours"))
    members = (Member("one"), Member("two"))
    config = EnsembleConfig(members, "candidates", options)
    both = Ensemble("ensemble", config, (bundle("one"), bundle("two")))
    save_ensemble(place / "ensemble", both)
    write_embedder(place / "embedder" / "text_embedder")
    save_bundle(place / "embedder", bundle("embedder", "x/y", 24))
    path = place / "embedder" / "config.json"
    path.write_text(path.read_text().replace('"x/y"', '"./text_embedder"'))
    for folder in (place / "ours", place / "ensemble", place / "embedder"):
        (folder / "calibration.json").write_text(json.dumps(CALIBRATION))
    (place / "published").mkdir()
    write_published(place / "published")
    tokens = [*SPECIAL, *sorted(set(WORDS)), *"abcdefghijklmnopqrstuvwxyzĠ"]
    ids = {token: number for number, token in enumerate(dict.fromkeys(tokens))}  # below its 100
    letters = Tokenizer(models.BPE(ids, [], unk_token="<unk>"))
    letters.decoder = decoders.ByteLevel()
    letters.add_special_tokens(SPECIAL)
    letters.save(str(place / "published" / "tokenizer.json"))


def write_published(folder: Path) -> None:
    """A checkpoint in the published system's format, without a tokenizer."""
    for name in ("model", "conformer", "beats"):
        shutil.copy(GOLDEN / f"{name}_config.json", folder)
    shutil.copy(GOLDEN / "state_dict.safetensors", folder / "model.safetensors")


CALIBRATION = {
    "features": [{"name": "similarity", "mean": 0.5, "deviation": 0.1, "weight": 1.0}],
    "bias": 0.0,
    "method": "nucleus",
    "right": 0.5,
    "data": "clips.jsonl",
    "clips": 10,
    "right_share": 0.5,
    "held_out": dict.fromkeys(
        ("brier", "base_brier", "low", "high", "calibration_error", "auc"), 0.5
    ),
}


def write_embedder(folder: Path) -> None:
    """A random BERT in the layout of sentence-transformers."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(WORDS))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    configs: dict[str, dict[str, Any]] = {
        "1_Pooling": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True},
        "2_Dense": {
            "in_features": 16,
            "out_features": 24,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
        "3_Normalize": {},
    }
    for name, values in configs.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(values))
    dense = {"linear.weight": torch.randn(24, 16)}
    save_file(dense, folder / "2_Dense" / "model.safetensors")


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(p for p in folder.rglob(pattern) if p.is_file() and "evil" not in p.parts)
