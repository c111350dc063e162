"""Names of our parameters in the published checkpoints.

Each table is applied top to bottom to one of our names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TRANSFORMER = (
    (r"\.(q)uery\.|\.(k)ey\.|\.(v)alue\.", r".\1\2\3_proj."),
    (r"(attn\.)out\.", r"\1out_proj."),
    (r"\.ffn_in\.", ".fc1."),
    (r"\.ffn_out\.", ".fc2."),
    (r"\.ffn_norm\.", ".final_layer_norm."),
)
_BEATS = (
    (r"^patches\.", "patch_embedding."),
    (r"^patch_norm\.", "layer_norm."),
    (r"^projection\.", "post_extract_proj."),
    (r"^position_conv\.parametrizations\.weight\.original0$", "encoder.pos_conv.0.weight_g"),
    (r"^position_conv\.parametrizations\.weight\.original1$", "encoder.pos_conv.0.weight_v"),
    (r"^position_conv\.", "encoder.pos_conv.0."),
    (r"^input_norm\.", "encoder.layer_norm."),
    (r"^relative_bias\.", "encoder.layers.0.self_attn.relative_attention_bias."),
    (r"^layers\.", "encoder.layers."),
    (r"\.attention_norm\.", ".self_attn_layer_norm."),
    (r"\.attention\.gate\.", ".self_attn.grep_linear."),
    (r"\.attention\.gate_scale$", ".self_attn.grep_a"),
    (r"\.attention\.", ".self_attn."),
    *_TRANSFORMER,
)
_CONFORMER = (
    (r"^conformer\.norm\.", "postencoder.layer_norm."),
    (r"^conformer\.layers\.(\d+)\.norm\.", r"postencoder.layers.\1.final_layer_norm."),
    (r"^conformer\.layers\.", "postencoder.layers."),
    (r"\.(ffn[12])\.0\.", r".\1_layer_norm."),
    (r"\.(ffn[12])\.1\.", r".\1.intermediate_dense."),
    (r"\.(ffn[12])\.4\.", r".\1.output_dense."),
    (r"\.attention_norm\.", ".self_attn_layer_norm."),
    (r"\.attention\.content_bias$", ".self_attn.pos_bias_u"),
    (r"\.attention\.position_bias$", ".self_attn.pos_bias_v"),
    (r"\.attention\.position\.", ".self_attn.linear_pos."),
    (r"\.attention\.out\.", ".self_attn.linear_out."),
    (r"\.attention\.([qkv])\w+\.", r".self_attn.linear_\1."),
    (r"\.conv\.input_norm\.", ".conv_module.layer_norm."),
    (r"\.conv\.pointwise_in\.", ".conv_module.pointwise_conv1."),
    (r"\.conv\.depthwise\.", ".conv_module.depthwise_conv."),
    (r"\.conv\.batch_norm\.", ".conv_module.batch_norm."),
    (r"\.conv\.pointwise_out\.", ".conv_module.pointwise_conv2."),
)
_OTHERS = (
    (r"^downsample\.conv\.", "downsample_conv."),
    (r"^memory_projection\.", "enc_dec_proj."),
    (r"^embedding_head\.hidden\.", "encoder_embed_mlp.fc1."),
    (r"^embedding_head\.norm\.", "encoder_embed_mlp.bn."),
    (r"^embedding_head\.out\.", "encoder_embed_mlp.fc2."),
    (r"^decoder\.logits_bias$", "final_logits_bias"),
    (r"^decoder\.memory_positions\.", "cross_embed_positions."),
    (r"^decoder\.tokens\.", "decoder.embed_tokens."),
    (r"^decoder\.positions\.", "decoder.embed_positions."),
    (r"^decoder\.embedding_norm\.", "decoder.layernorm_embedding."),
    (r"\.self_attention_norm\.", ".self_attn_layer_norm."),
    (r"\.cross_attention_norm\.", ".encoder_attn_layer_norm."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.cross_attention\.", ".encoder_attn."),
    *_TRANSFORMER,
)


def published_name(ours: str) -> str:
    """The published system's name of one of our captioner's parameters or buffers."""
    if ours.startswith("encoder."):
        return "encoder." + beats_name(ours.removeprefix("encoder."))
    return _rename(ours, _CONFORMER if ours.startswith("conformer.") else _OTHERS)


def beats_name(ours: str) -> str:
    """Microsoft's name of one of our BEATs' parameters."""
    return _rename(ours, _BEATS)


def _rename(name: str, table: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in table:
        name = re.sub(pattern, replacement, name)
    return name
