"""Import of a random checkpoint of the published full size: seconds and peak memory.

    python benchmarks/import_full_size.py

The checkpoint is written from tests/golden/published-state-dict.json into a temporary folder (1 GB)
and imported by `auricle import` in its own process; the baseline, in the same run, is a process
that only reads the same file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).parents[1]
READ = "import sys, torch; from safetensors.torch import load_file; load_file(sys.argv[1])"


def write_checkpoint(folder: Path) -> None:
    """Random weights with the published keys; tied weights are copies, as published."""
    shapes = json.loads((ROOT / "tests/golden/published-state-dict.json").read_text())
    weights = {}
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.tensor(0)
        elif key == "lm_head.weight":
            continue
        elif "relative_attention_bias" in key:
            weights[key] = torch.full(shape, 0.01)
        else:
            weights[key] = torch.rand(shape) * 0.02
    weights["lm_head.weight"] = weights["decoder.embed_tokens.weight"].clone()
    save_file(weights, folder / "model.safetensors")
    for config in (ROOT / "src/auricle/hub/published_configs").iterdir():
        shutil.copy(config, folder)


def measure(*command: str) -> tuple[float, float]:
    """Seconds, and the peak resident memory in GB of the process."""
    start = time.perf_counter()
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - start, int(done.stdout.split()[-1]) * 1024 / 1e9


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "published"
        folder.mkdir()
        write_checkpoint(folder)
        file = folder / "model.safetensors"
        print(f"checkpoint: {file.stat().st_size / 1e9:.2f} GB")
        seconds, peak = measure(sys.executable, "-c", READ, str(file))
        print(f"{'read only':<16} {seconds:6.1f} s  peak {peak:.2f} GB")
        auricle = str(Path(sys.executable).parent / "auricle")
        seconds, peak = measure(auricle, "import", str(folder), str(Path(temporary) / "out"))
        print(f"{'auricle import':<16} {seconds:6.1f} s  peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
