"""Hugging Face `generate` with its cache, on an equivalent BART decoder and our memory."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from baseline import Baseline, score, until_end
from floor import cross_flops, encode_flops, row_flops
from stopwatch import Stopwatch
from systems import System
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from auricle.hub.published_names import published_name
from auricle.model.bart import POSITION_OFFSET, BartDecoder
from auricle.records import Candidate


def equivalent_bart(decoder: BartDecoder) -> BartForConditionalGeneration:
    """Hugging Face's BART without an encoder, with our decoder's weights."""
    ours = decoder.config
    config = BartConfig(
        vocab_size=ours.vocab_size,
        d_model=ours.dim,
        encoder_layers=0,
        decoder_layers=ours.layers,
        decoder_attention_heads=ours.heads,
        decoder_ffn_dim=ours.ffn_dim,
        max_position_embeddings=ours.max_positions,
        pad_token_id=ours.pad_id,
        eos_token_id=ours.eos_id,
        decoder_start_token_id=ours.start_id,
    )
    bart = BartForConditionalGeneration(config).eval()
    weights = {f"decoder.{name}": value for name, value in decoder.state_dict().items()}
    state = {f"model.{published_name(name)}": value for name, value in weights.items()}
    del state["model.cross_embed_positions.weight"]
    state["final_logits_bias"] = state.pop("model.final_logits_bias").unsqueeze(0)
    for tied in ("model.shared.weight", "model.encoder.embed_tokens.weight", "lm_head.weight"):
        state[tied] = state["model.decoder.embed_tokens.weight"]
    left = bart.load_state_dict(state, strict=False, assign=True)
    assert not left.unexpected_keys, left
    assert all(name.startswith("model.encoder.") for name in left.missing_keys), left
    return bart


def placed(decoder: BartDecoder, memory: Tensor) -> Tensor:
    """[B, T, D] memory with the positions that our decoder adds."""
    return memory + decoder.memory_positions.weight[POSITION_OFFSET:][: memory.shape[1]]


class HfGenerate(Baseline):
    def __init__(self, system: System) -> None:
        super().__init__(system)
        self.bart: Any = equivalent_bart(system.model.decoder)

    def caption_clip(
        self, waveform: np.ndarray, seed: int, watch: Stopwatch
    ) -> tuple[list[Candidate], Counter[str]]:
        model, copies = self.system.model, self.system.options.candidates
        with watch("encode"):
            memory = model.encode([waveform])
        with watch("search"):
            placed_memory = placed(model.decoder, memory.memory)
            tokens = self._sample(placed_memory, seed)
            rows = until_end(tokens, model.config.decoder.eos_id)
        with watch("score"):
            copied = BaseModelOutput(placed_memory.repeat_interleave(copies, dim=0))
            found = score(
                self.system,
                memory,
                rows,
                lambda ids: self.bart(encoder_outputs=copied, decoder_input_ids=ids).logits,
            )
        config, frames = model.config, placed_memory.shape[1]
        read = row_flops(config.decoder, tokens.shape[1] - 1, frames)
        decoded = copies * (cross_flops(config.decoder, frames) + read)
        encoded = encode_flops(config, len(waveform))
        return found, Counter(encode=encoded, search=decoded, score=decoded)

    def _sample(self, placed_memory: Tensor, seed: int) -> Tensor:
        """Padded rows of token ids, with the start token."""
        options = self.system.options
        torch.manual_seed(seed)
        return self.bart.generate(
            encoder_outputs=BaseModelOutput(placed_memory.clone()),  # generate() changes it
            do_sample=True,
            num_return_sequences=options.candidates,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_length=options.min_length,
            max_length=options.max_length,
            no_repeat_ngram_size=options.no_repeat_ngram,
            forced_eos_token_id=self.system.model.config.decoder.eos_id,
        )
