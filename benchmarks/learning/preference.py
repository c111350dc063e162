"""What preference optimisation is worth: reward on held-out clips, with DPO and without.

    python benchmarks/learning/preference.py [--seeds 1 2 3] [--start tiny] [--reward cider_d]

ESC-50 clips with captions of our own, a third of them held out by Freesound recording. The start
is first fine-tuned on the training clips by likelihood alone. Then the same number of steps follow
three times: by DPO on pairs of its own candidates with the likelihood kept, by likelihood alone in
the same eval mode (the weight of DPO 0), and by likelihood as usual. Held-out clips are captioned
by beam search, by sampling and reranking, and by plain sampling; rewards are those of
`auricle.training.rewards`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

import esc
import torch
from trained import TOLD, Values, changed

from auricle.data.manifest import write_manifest
from auricle.decoding.candidates import find_candidates, find_hypotheses
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions, with_method
from auricle.decoding.rerank import choose
from auricle.decoding.search import decode
from auricle.hub.folder import Bundle, load_bundle
from auricle.text.embedder import TextEmbedder
from auricle.text.normalise import strip_punctuation
from auricle.training.config import DataConfig
from auricle.training.examples import Examples
from auricle.training.paired_batches import iter_validation
from auricle.training.paired_job import inputs_of
from auricle.training.rewards import Reward
from auricle.training.run import run_recipe

CACHE = Path(__file__).parents[2] / "runs" / "cache"
REWARDS = ("cider_d", "similarity")
CHECK = 4  # samples of each held-out clip


def values(manifest: Path, out: Path, start: str, seed: int, steps: int, rate: float) -> Values:
    return {
        "name": "preference",
        "out": str(out),
        "start": start,
        "data": {"train": str(manifest), "cache": str(CACHE)},
        "training": {
            "steps": steps,
            "batch_size": 16,
            "learning_rate": rate,
            "warmup_steps": 10,
            "weight_decay": 0.02,
            "temperature": 0.1,
            "workers": 0,
            "seed": seed,
        },
    }


def toml(values: Values, prefix: str = "") -> str:
    """Values as TOML: of every section its keys, then its sections."""
    plain = [f"{k} = {toml_value(v)}" for k, v in values.items() if not isinstance(v, dict)]
    inner = [(f"{prefix}{k}", v) for k, v in values.items() if isinstance(v, dict)]
    return "\n".join([*plain, *(f"[{name}]\n{toml(v, f'{name}.')}" for name, v in inner)])


def toml_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else f'"{value}"'


def ran(recipe: Values) -> Path:
    """The model folder that `auricle train` makes of a recipe."""
    out = Path(recipe["out"])
    out.parent.mkdir(parents=True, exist_ok=True)
    file = out.with_suffix(".toml")
    file.write_text(toml(recipe), encoding="utf-8")
    return run_recipe(file, watch=TOLD)


@torch.no_grad()
def measured(bundle: Bundle, manifest: Path, split: str = "val") -> dict[str, float]:
    """The mean rewards of a split's captions: by beam search, by nucleus sampling and reranking as
    the model decodes, and of samples at temperature 1."""
    model = bundle.model.eval()
    examples = Examples.read([manifest], split, model.config.max_duration_s)
    data = DataConfig(train=(str(manifest),), cache=str(CACHE))
    inputs, _ = inputs_of(data, model, examples, TOLD)
    rewards = {name: Reward(name, [clip.captions for clip in examples]) for name in REWARDS}
    scorer = Scorer("", model.decoder, bundle.tokenizer)
    ranking = Scorer("", model.decoder, bundle.tokenizer, TextEmbedder("all-MiniLM-L6-v2"))
    beam = with_method(bundle.decoding, "beam")
    nucleus = DecodeOptions(candidates=CHECK, temperature=1.0)
    said = defaultdict[str, list[list[str]]](list)
    references: list[tuple[str, ...]] = []
    for batch in iter_validation(examples, inputs, 64):
        memory = model.encode_features(batch.audio, batch.lengths)
        cross = model.decoder.read_memory(memory.memory, memory.lengths)
        found = decode(model.decoder, cross, beam)
        said["beam"] += [[strip_punctuation(bundle.tokenizer.decode(c[0].ids))] for c in found]
        drawn = find_hypotheses([scorer], [cross], nucleus, 1)
        said["samples"] += [[h.text for h in clip for _ in range(h.count)] for clip in drawn]
        reranked = find_candidates([ranking], [memory], bundle.decoding)
        said["reranked"] += [[choose(clip).text] for clip in reranked]
        references += batch.captions
    scores: dict[str, float] = {}
    for name, reward in rewards.items():
        for way, texts in said.items():
            scores[f"{name}, {way}"] = mean(map(mean, reward(texts, references)))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--start", default="tiny")
    parser.add_argument("--reward", choices=REWARDS, default="cider_d")
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--weight", type=float, default=3.0)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--first-steps", type=int, default=150)
    parser.add_argument("--steps", type=int, default=80)
    options = parser.parse_args()
    if not esc.DATA.is_dir():
        sys.exit(esc.MISSING)
    table = defaultdict[tuple[str, str], list[float]](list)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        manifest = work / "esc.jsonl"
        write_manifest(manifest, esc.esc_clips())
        for seed in options.seeds:
            began = time.perf_counter()
            first = work / f"start-{seed}"
            ran(values(manifest, first, options.start, seed, options.first_steps, 3e-4))
            preference = {
                "reward": options.reward,
                "beta": options.beta,
                "weight": options.weight,
                "candidates": options.candidates,
            }
            runs = {
                "DPO + NLL": preference,
                "NLL, eval mode": preference | {"weight": 0.0},
                "NLL": None,
            }
            results = {"start": first}
            for name, section in runs.items():
                out = work / f"{name}-{seed}".replace(" ", "").replace(",", "-")
                recipe = values(
                    manifest, out, str(first), seed, options.steps, options.learning_rate
                )
                extra = {"training": {"preference": section}} if section else {}
                results[name] = ran(changed(recipe, extra))
            for name, model in results.items():
                for score, value in measured(load_bundle(model), manifest).items():
                    table[name, score].append(value)
            print(f"seed {seed}: {time.perf_counter() - began:.0f} s")
            report(table)


def report(table: dict[tuple[str, str], list[float]]) -> None:
    scores = list(dict.fromkeys(score for _, score in table))
    print(f"{'held-out reward':16}", *(f"{score:>20}" for score in scores))
    for run in dict.fromkeys(run for run, _ in table):
        cells = []
        for score in scores:
            v = table[run, score]
            cells.append(f"{mean(v):.3f} ± {stdev(v) if len(v) > 1 else 0:.3f}")
        print(f"{run:16}", *(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
