"""all-MiniLM-L6-v2, the text embedder of the bundled model, with `tokenizers` and torch only.

sentence-transformers takes 4 s to import, longer than the rest of `auricle caption`; this file
gives the same vectors. The model is a BERT (Devlin et al., NAACL 2019) of six layers with averaged,
normalised outputs (its model card: Mean pooling, Normalize, at most 256 tokens).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.errors import ModelError
from auricle.model.meta import unfilled

MAX_TOKENS = 256
LAYERS, HEADS = 6, 12
EPSILON = 1e-12  # BERT's LayerNorms


class MiniLM(nn.Module):
    """Captions -> L2-normalised vectors [N, 384]; ``folder`` has sentence-transformers' format."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        super().__init__()
        self.device = device
        try:
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            weights = load_file(folder / "model.safetensors")
        except Exception as error:  # tokenizers raises Exception itself
            raise ModelError(
                f"{folder}: the files of MiniLM are damaged ({error}); delete the folder and fetch "
                "it again: `auricle models fetch tiny`"
            ) from error
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()
        dim = weights["embeddings.LayerNorm.weight"].shape[0]
        ffn_dim = weights["encoder.layer.0.intermediate.dense.weight"].shape[0]
        with unfilled():
            self.words = nn.Embedding(len(weights["embeddings.word_embeddings.weight"]), dim)
            self.positions = nn.Embedding(
                len(weights["embeddings.position_embeddings.weight"]), dim
            )
            self.norm = nn.LayerNorm(dim, EPSILON)
            layer = nn.TransformerEncoderLayer(
                dim, HEADS, ffn_dim, 0.0, "gelu", EPSILON, batch_first=True
            )
            self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.load_state_dict(_renamed(weights), assign=True)
        self.to(device).eval().requires_grad_(False)

    def forward(self, token_ids: Tensor, mask: Tensor) -> Tensor:
        """[N, L] ids and bool mask, True on tokens -> [N, 384]."""
        x = self.norm(self.words(token_ids) + self.positions.weight[: token_ids.shape[1]])
        x = self.layers(x, src_key_padding_mask=~mask) * mask.unsqueeze(-1)
        return F.normalize(x.sum(dim=1) / mask.sum(dim=1, keepdim=True), dim=-1)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch_size: int = 64) -> Tensor:
        """Vectors in the order of ``texts``; texts of similar length form a batch."""
        codes = self.tokenizer.encode_batch_fast
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = torch.empty(len(texts), self.norm.weight.shape[0], device=self.device)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            rows = codes([texts[index] for index in chosen])
            ids = torch.tensor([row.ids for row in rows], device=self.device)
            mask = torch.tensor([row.attention_mask for row in rows], device=self.device).bool()
            vectors[chosen] = self(ids, mask)
        return vectors


def _renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a Hugging Face BERT under our names; every text has token type 0."""
    words, positions, kinds = (
        weights[f"embeddings.{name}_embeddings.weight"]
        for name in ("word", "position", "token_type")
    )
    renamed = {"words.weight": words, "positions.weight": positions + kinds[0]}
    parts = {
        "attention.output.dense": "self_attn.out_proj",
        "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "linear1",
        "output.dense": "linear2",
        "output.LayerNorm": "norm2",
    }
    for kind in ("weight", "bias"):
        renamed[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for index in range(LAYERS):
            theirs, ours = f"encoder.layer.{index}", f"layers.layers.{index}"
            heads = [f"{theirs}.attention.self.{name}.{kind}" for name in ("query", "key", "value")]
            renamed[f"{ours}.self_attn.in_proj_{kind}"] = torch.cat([weights[n] for n in heads])
            for part, name in parts.items():
                renamed[f"{ours}.{name}.{kind}"] = weights[f"{theirs}.{part}.{kind}"]
    return renamed
