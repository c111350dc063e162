"""What a million and a billion clips cost: seconds of a core for a clip, and the arithmetic.

    python benchmarks/cost.py [--clips 320] [--price 0.04] [--full] [--embedder]

`auricle batch` does every task with tiny on one worker; its start is not counted. --full: the
published size with random weights, the worst case, by benchmarks/decoding (minutes). --embedder: a
text encoder of the size of INSTRUCTOR-XL, with random weights, on the captions that the published
reranking embeds for a clip (8 GB of memory). All times are of the processor.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).parent / "decoding"))
from cases import Case, measured
from measure import write_recordings

SECONDS, CANDIDATES = 10.0, 50
TASKS = ("caption", "timeline", "features", "embed")
TOKENS = 25  # of a caption with its prompt
MANY = {"1 million": 1e6, "1 billion": 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=320)
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--embedder", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sounds = Path(name, "sounds")
        sounds.mkdir()
        size = sum(noisy(one) for one in write_recordings(sounds, options.clips, SECONDS))
        print(f"{options.clips} clips of {SECONDS:g} s, {size / options.clips / 1e3:.0f} kB each")
        print(f"{'':24}{'CPU-s':>8}{'clips/s':>9}{'bytes':>9}", *(f"{m:>22}" for m in MANY))
        for task in TASKS:
            seconds, written = batch(task, sounds, Path(name, task), options.clips)
            show(f"tiny, {task}", seconds, written, options.price)
    if options.full:
        for precision in ("float32", "bf16"):
            case = Case("full", SECONDS, 16, precision, candidates=CANDIDATES)
            show(f"full, {precision}", measured(case).whole.cpu_s / 16, 0, options.price)
    if options.embedder:
        for precision in (torch.float32, torch.bfloat16):
            show(f"embedder, {str(precision)[6:]}", embedded_s(precision), 0, options.price)


def noisy(path: Path) -> int:
    """Add noise, so that no two recordings are alike; return the bytes of the file."""
    sound, rate_hz = soundfile.read(path, dtype="float32")
    noise = np.random.default_rng(int(path.stem)).normal(0, 0.01, sound.shape)
    soundfile.write(path, (sound + noise).clip(-1, 1), rate_hz, "PCM_16")
    return path.stat().st_size


def batch(task: str, sounds: Path, out: Path, clips: int) -> tuple[float, float]:
    """CPU-seconds and bytes of a clip: from the difference of two runs, as each begins alike."""
    from auricle.cli import main as auricle

    def run(limit: int) -> float:
        before = busy_s()
        sys.argv[1:] = ["batch", str(sounds), "--output", str(out), "--task", task]
        sys.argv += ["--workers", "1", "--chunk-size", "32", "--limit", str(limit), "--resume"]
        code: object = None
        try:
            auricle()
        except SystemExit as end:
            code = end.code
        if code:
            raise RuntimeError(f"auricle batch ended with {code}")
        return busy_s() - before

    first = 32
    start_s = run(first)
    whole_s = run(clips - first)
    each_s = (whole_s - start_s) / (clips - 2 * first)
    return each_s, sum(one.stat().st_size for one in out.glob("shard-*")) / clips


def busy_s() -> float:
    """Processor time of this process and of those that have ended."""
    ours, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return ours.ru_utime + ours.ru_stime + theirs.ru_utime + theirs.ru_stime


@torch.inference_mode()
def embedded_s(precision: torch.dtype) -> float:
    """CPU-seconds of embedding the candidates of a clip."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        d_model=1024, d_ff=16384, d_kv=128, num_heads=32, num_layers=24, vocab_size=32128
    )
    with torch.device("meta"):
        model = T5EncoderModel(config)
    model = model.to_empty(device="cpu").to(precision).eval()
    for weights in model.parameters():
        weights.fill_(0.01)
    tokens = torch.randint(3, 32128, (CANDIDATES, TOKENS))
    times = []
    for _ in range(2):
        start = time.process_time()
        model(tokens)
        times.append(time.process_time() - start)
    return min(times)


def show(name: str, seconds: float, size: float, price: float) -> None:
    cells = []
    for count in MANY.values():
        hours = seconds * count / 3600
        cells.append(f"{hours:>12,.0f} h {hours * price:>8,.0f}")
    told = f"{size:>9,.0f}" if size else f"{'':>9}"
    print(f"{name:<24}{seconds:>8.3f}{1 / seconds:>9.2f}{told}", *cells, flush=True)


if __name__ == "__main__":
    main()
