"""Parity: our model against stored tensors of the published system, stage by stage.

    python -m auricle.parity FOLDER

FOLDER holds a checkpoint in the published format and ``golden.npz``, ``tokens.json`` and
``train_grad_norms.json``. Batches are compared under the published padding heuristic.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from auricle.audio.fbank import DATASET_STD, fbank
from auricle.decoding.hypothesis import TokenSequence
from auricle.decoding.options import METHOD_DEFAULTS, DecodeOptions
from auricle.decoding.processors import constrain, nucleus
from auricle.decoding.search import decode
from auricle.hub.published import load_published
from auricle.hub.published_names import published_name
from auricle.model.captioner import AudioCaptioner, AudioMemory, padded
from auricle.model.lengths import valid_mask
from auricle.model.teacher_forcing import decoder_inputs, token_nll
from auricle.training.objective import info_nce, label_smoothed_nll

TOLERANCE = 1e-4  # relative to the largest golden value of the stage
# Absolute, in log-mel: float32 Fourier transforms of two libraries differ by up to 3.4e-3 where a
# bin is quiet, and the logarithm makes that large.
FBANK_TOLERANCE = 5e-3
# Of gradients from the waveform: the layers amplify what the spectrogram is off by. A spectrogram
# off by `FBANK_TOLERANCE` at random moves half of the small model's gradients by more than 9e-3
# (of a random model of full size: 2e-4). From the stored spectrogram they must be within TOLERANCE.
WAVEFORM_GRADIENT_TOLERANCE = 1e-2
SAMPLED, SEARCHED = DecodeOptions().max_length, METHOD_DEFAULTS["beam"]["max_length"]  # 30, 100


@dataclass(frozen=True)
class Stage:
    """One comparison: its largest error, and the tolerance that bounds it."""

    name: str
    error: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


def compare(folder: str | Path) -> Iterator[Stage]:
    """The comparisons of all stages with golden values in ``folder``."""
    folder = Path(folder)
    golden = {key: torch.from_numpy(value) for key, value in _numpy(folder / "golden.npz").items()}
    tokens = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
    model = load_published(folder, published_behaviour=True)
    waveforms = [golden[f"wav{i}"] for i in range(_count(golden, "wav"))]
    inputs = {"batch": waveforms} | {f"single{i}": [w] for i, w in enumerate(waveforms)}
    labels = golden["labels"]
    for name, clips in inputs.items():
        wanted = {k.removeprefix(f"{name}/"): v for k, v in golden.items() if k.startswith(name)}
        rows = slice(None) if name == "batch" else slice(int(name[6:]), int(name[6:]) + 1)
        memory, found = _stages(model, clips, labels[rows, : wanted["logits"].shape[1]])
        for stage in ["fbank", *(s for s in wanted if s != "fbank" and s in found)]:
            if stage == "fbank":
                error = (found[stage] - wanted[stage]).abs().max().item() * 2 * DATASET_STD
                yield Stage(f"{name}: fbank, absolute", error, FBANK_TOLERANCE)
            else:
                yield Stage(f"{name}: {stage}", relative_error(found[stage], wanted[stage]))
        yield from _searches(model, memory, tokens, name)
    yield from _sampling(model, golden)
    yield from _losses(model, golden, waveforms, labels)
    yield from _training(folder, golden, waveforms, labels)


def relative_error(ours: Tensor, golden: Tensor) -> float:
    """Largest difference over the largest golden value; infinite when shapes differ."""
    if ours.shape != golden.shape:
        return math.inf
    golden = golden.float()
    scale = golden.abs().max().clamp(min=1e-12)
    return ((ours - golden).abs().max() / scale).item()


@torch.no_grad()
def _stages(
    model: AudioCaptioner, clips: list[Tensor], labels: Tensor
) -> tuple[AudioMemory, dict[str, Tensor]]:
    """The output of every block, caught by forward hooks."""
    found: dict[str, Tensor] = {}
    encoder, blocks = model.encoder, {}
    blocks["patch_embed"] = encoder.get_submodule("patches")
    blocks["beats_h0"] = encoder.get_submodule("input_norm")
    for i, layer in enumerate(encoder.get_submodule("layers").children(), start=1):
        blocks[f"beats_h{i}"] = layer
    blocks["conv_out"], blocks["conformer_out"] = model.downsample, model.conformer
    hooks = [
        block.register_forward_hook(
            lambda _m, _in, out, name=name: found.update(
                {name: out[0] if isinstance(out, tuple) else out}
            )
        )
        for name, block in blocks.items()
    ]
    memory = model.encode(clips)
    for hook in hooks:
        hook.remove()
    found["patch_embed"] = found["patch_embed"].flatten(2).transpose(1, 2)
    padded = nn.utils.rnn.pad_sequence(clips, batch_first=True)
    found["fbank"] = fbank(padded)
    found["mask_conv"] = (~valid_mask(memory.lengths, memory.memory.shape[1])).float()
    found["audio_embed"] = memory.embedding
    found["logits"] = model.logits(memory, _inputs(model, labels))
    found["nll_norm"] = token_nll(found["logits"], labels)
    found["loss_lsm"] = label_smoothed_nll(found["logits"], labels)
    return memory, found


def _searches(
    model: AudioCaptioner, memory: AudioMemory, tokens: dict, name: str
) -> Iterator[Stage]:
    """Greedy and beam-4 ids (error 0 or infinite), and beam scores."""
    cross = model.decoder.read_memory(memory.memory, memory.lengths)
    options = DecodeOptions("greedy", max_length=_longest(tokens[f"{name}_greedy"]))
    greedy = decode(model.decoder, cross, options)
    yield Stage(
        f"{name}: greedy ids", _differ(model, [c[0] for c in greedy], tokens, "greedy", name)
    )
    limit = _longest(tokens[f"{name}_beam4"])
    options = DecodeOptions("beam", candidates=4, max_length=limit)
    beams = decode(model.decoder, cross, options)
    best = [clip[0] for clip in beams]
    yield Stage(f"{name}: beam-4 ids", _differ(model, best, tokens, "beam4", name))
    scores, key = [s.score for s in best], f"{name}_beam4_scores"
    if name != "batch":
        every, scores, key = beams[0], [s.score for s in beams[0]], f"{name}_beam4_all_scores"
        yield Stage(
            f"{name}: beam-4 ids, all beams", _differ(model, every, tokens, "beam4_all", name)
        )
    yield Stage(
        f"{name}: beam-4 scores", relative_error(torch.tensor(scores), torch.tensor(tokens[key]))
    )


def _longest(rows: list[list[int]]) -> int:
    """The ``max_length`` that stored sequences were found under, which is not stored: that of beam
    search, or the length of the longest where that is more, or the 30 that a run was cut at."""
    found = max(map(len, rows))
    return SAMPLED if found == SAMPLED else max(found, SEARCHED)


def _differ(
    model: AudioCaptioner, ours: list[TokenSequence], tokens: dict, method: str, name: str
) -> float:
    """0 if the ids between start and end equal the golden ones, else infinite."""
    config = model.config.decoder
    golden = [
        [i for i in row[1:] if i not in (config.pad_id, config.eos_id)]
        for row in tokens[f"{name}_{method}"]
    ]
    return 0.0 if [s.ids for s in ours] == golden else math.inf


def _sampling(model: AudioCaptioner, golden: dict[str, Tensor]) -> Iterator[Stage]:
    """Probabilities after the whole chain, after a long and a short prefix.

    The program that stored ``warp/logits`` had overwritten some of them in place, by -inf, before:
    what they were is not known, and their probabilities are left out.
    """
    options, eos_id = DecodeOptions(), model.config.decoder.eos_id
    for prefix, name in (("warp/prefix", "warp/probs"), ("warp/prefix_short", "warp/probs_short")):
        logits = golden["warp/logits"][: len(golden[prefix])]
        probabilities, ids = nucleus(constrain(logits, golden[prefix], eos_id, options), options)
        dense = torch.zeros_like(logits).scatter(1, ids, probabilities)
        known = logits.isfinite()
        yield Stage(f"sampling: {name}", relative_error(dense[known], golden[name][known]))


def _losses(
    model: AudioCaptioner, golden: dict[str, Tensor], waveforms: list[Tensor], labels: Tensor
) -> Iterator[Stage]:
    for key in (k for k in golden if k.startswith("infonce/loss_t")):
        loss = info_nce(golden["infonce/audio"], golden["infonce/text"], float(key[14:]))
        yield Stage(f"InfoNCE, temperature {key[14:]}", relative_error(loss, golden[key]))
    with torch.no_grad():
        _, total = _total_loss(model, waveforms, labels, golden["train/text_emb"])
    yield Stage("total loss, eval mode", relative_error(total, golden["train/total_loss_evalmode"]))


def _training(
    folder: Path, golden: dict[str, Tensor], waveforms: list[Tensor], labels: Tensor
) -> Iterator[Stage]:
    """One step in train mode, dropout off: loss, gradients, BatchNorm buffers; from the stored
    spectrogram, and the gradients once more from the waveform."""
    model, logits, total = _step(folder, golden, waveforms, labels, golden["batch/fbank"])
    suffix = "trainmode_nodropout"
    yield Stage(
        "total loss, train mode", relative_error(total, golden[f"train/total_loss_{suffix}"])
    )
    yield Stage("logits, train mode", relative_error(logits, golden[f"train/logits_{suffix}"]))
    yield from _gradients(folder, model, golden)
    buffers = {published_name(n): b for n, b in model.named_buffers()}
    for key in (k for k in golden if k.startswith("train/bn_after/")):
        name = key.removeprefix("train/bn_after/")
        yield Stage(f"BatchNorm {name}", relative_error(buffers[name], golden[key]))
    model, _, _ = _step(folder, golden, waveforms, labels)
    for stage in _gradients(folder, model, golden):
        name = f"{stage.name}, from the waveform"
        yield replace(stage, name=name, tolerance=WAVEFORM_GRADIENT_TOLERANCE)


def _step(
    folder: Path,
    golden: dict[str, Tensor],
    waveforms: list[Tensor],
    labels: Tensor,
    spectrogram: Tensor | None = None,
) -> tuple[AudioCaptioner, Tensor, Tensor]:
    """A fresh model with gradients, its logits and its total loss."""
    model = load_published(folder, published_behaviour=True).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0  # type: ignore[assignment]
    logits, total = _total_loss(model, waveforms, labels, golden["train/text_emb"], spectrogram)
    total.backward()
    return model, logits.detach(), total.detach()


def _gradients(folder: Path, model: AudioCaptioner, golden: dict[str, Tensor]) -> Iterator[Stage]:
    """Whole gradients where they are stored, and the norms of all of them."""
    gradients = {published_name(n): p.grad for n, p in model.named_parameters()}
    for key in (k for k in golden if k.startswith("train/grad/")):
        ours = gradients[key.removeprefix("train/grad/")]
        assert ours is not None
        yield Stage(f"gradient of {key[11:]}", relative_error(ours, golden[key]))
    norms = json.loads((folder / "train_grad_norms.json").read_text(encoding="utf-8"))
    wanted = {name: norm for name, norm in norms.items() if norm is not None}
    ours_norms = {n: g.norm().item() for n, g in gradients.items() if g is not None}
    missing = wanted.keys() - ours_norms.keys() - {"lm_head.weight"}
    largest = max(wanted.values())
    errors = [abs(ours_norms[n] - wanted[n]) / largest for n in wanted.keys() & ours_norms.keys()]
    yield Stage(f"gradient norms of {len(errors)} parameters", math.inf if missing else max(errors))


def _total_loss(
    model: AudioCaptioner,
    waveforms: list[Tensor],
    labels: Tensor,
    text: Tensor,
    spectrogram: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Logits, and label-smoothed NLL + InfoNCE at the published temperature; ``spectrogram``
    [B, T, 128] stands in for that of the waveforms."""
    stored = None if spectrogram is None else lambda frames, lengths: spectrogram
    features = model.features(*padded(waveforms, model.device), stored)
    memory = model.encode_features(*features)
    logits = model.logits(memory, _inputs(model, labels))
    return logits, label_smoothed_nll(logits, labels) + info_nce(memory.embedding, text, 0.5)


def _inputs(model: AudioCaptioner, labels: Tensor) -> Tensor:
    config = model.config.decoder
    return decoder_inputs(labels, config.start_id, config.pad_id)


def _count(golden: dict[str, Tensor], prefix: str) -> int:
    return sum(key.removeprefix(prefix).isdigit() for key in golden if key.startswith(prefix))


def _numpy(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays.files}


def main() -> int:
    """Print the table; the exit status is 1 if a stage is out of tolerance."""
    if len(sys.argv) != 2:
        print("usage: python -m auricle.parity FOLDER", file=sys.stderr)
        return 2
    failed = 0
    print(f"{'stage':<84} {'largest error':>14}")
    for stage in compare(sys.argv[1]):
        failed += not stage.passed
        print(f"{stage.name:<84} {stage.error:>14.2e}{'' if stage.passed else '  FAILED'}")
    print(f"{failed} stages out of tolerance" if failed else "all stages within tolerance")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
