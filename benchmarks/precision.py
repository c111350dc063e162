"""Effects of each precision on captions and speed: precision.py [MODEL] [--speed]

    python benchmarks/precision.py                # captions of tiny, by precision
    python benchmarks/precision.py --speed        # full size, random weights, one 10 s clip

Captions are those of the example recordings and, if available, of the development clips; the
baseline is float32 as loaded, in the same run. Times are CPU-seconds of all threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import torch

from auricle.audio.find import audio_files
from auricle.decoding.steps import DecoderSteps
from auricle.hub.ensemble import Ensemble
from auricle.hub.folder import load_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig
from auricle.model.precision import choose_precision, convert
from auricle.pipeline import Captioner
from auricle.records import Caption

ROOT = Path(__file__).parents[1]
RECORDINGS = (ROOT / "examples", ROOT.parent / "shared" / "data" / "dev_clips" / "audio")
PRECISIONS = ("float32", "bf16", "int8")  # of a CPU
SECONDS, ROWS, STEPS = 10, 50, 30
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="tiny")
    parser.add_argument("--speed", action="store_true", help="time the full size instead")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    chosen, reason = choose_precision(torch.device("cpu"))
    print(f"auto takes {chosen} for a large model: {reason}")
    if arguments.speed:
        compare_speed()
    else:
        compare_captions(arguments.model, arguments.seeds)


def compare_captions(name: str, seeds: int) -> None:
    """The share of recordings with the same best caption, and the shift of its terms."""
    recordings = [path for folder in RECORDINGS for path in audio_files(folder)]
    print(f"{name}, {len(recordings)} recordings; against float32 as loaded")
    terms = {"score": 10, "log_likelihood": 18, "similarity": 14}
    heads = "".join(f"{'|' + term + '|':>{width}}" for term, width in terms.items())
    print(f"{'':10}{'method':10}{'same caption':>14}{heads}")
    expected: dict[str, list[Caption]] = {}
    for precision in (None, *PRECISIONS):
        bundle = load_bundle(name)
        if precision:
            convert(bundle.model, precision)
        captioner = Captioner(Ensemble.of(bundle))
        for method in ("nucleus", "beam", "greedy"):
            found = [
                caption
                for seed in range(seeds if method == "nucleus" else 1)
                for caption in captioner.caption(recordings, decode=method, seed=seed)
            ]
            if not precision:
                expected[method] = found
                continue
            pairs = list(zip(found, expected[method], strict=True))
            same = mean(a.caption == b.caption for a, b in pairs)
            moved = "".join(f"{shift(pairs, term):{w}.4f}" for term, w in terms.items())
            print(f"{precision:10}{method:10}{same:14.1%}{moved}")


def shift(pairs: list[tuple[Caption, Caption]], term: str) -> float:
    """The mean absolute difference of a term over common candidates."""
    differences = []
    for one, other in pairs:
        known = {candidate.text: candidate for candidate in other.candidates}
        for candidate in one.candidates:
            if candidate.text in known:
                values = (getattr(candidate, term), getattr(known[candidate.text], term))
                if None not in values:
                    differences.append(abs(values[0] - values[1]))
    return mean(differences)


def compare_speed() -> None:
    print(f"full size, random weights: one clip of {SECONDS} s, {STEPS} tokens of {ROWS} samples")
    print(f"{'':18}{'encode':>16}{'decode':>16}{'both':>16}")
    plain: list[float] = []
    for precision in (None, *PRECISIONS):
        torch.manual_seed(0)
        model = AudioCaptioner(CaptionerConfig()).eval()
        if precision:
            convert(model, precision)
        times = measure(model)
        times.append(sum(times))
        plain = plain or times
        cells = (f"{t:7.2f} s {b / t:5.2f}x" for t, b in zip(times, plain, strict=True))
        print(f"{precision or 'float32, unpacked':18}" + "".join(f"{cell:>16}" for cell in cells))


@torch.inference_mode()
def measure(model: AudioCaptioner) -> list[float]:
    """CPU-seconds of encoding a clip, and of decoding it: the best of several runs."""
    clip = [torch.randn(SECONDS * model.encoder.sample_rate_hz) / 10]
    memory = model.encode(clip)
    tokens = torch.randint(3, model.config.decoder.vocab_size, (STEPS, ROWS))

    def decode() -> None:
        cross = model.decoder.read_memory(memory.memory, memory.lengths)
        steps = DecoderSteps(model.decoder, cross)
        steps.begin(ROWS, STEPS)
        steps.next_logits(tokens[0, :1])
        steps.select(torch.zeros(ROWS, dtype=torch.long))
        for step in tokens[1:]:
            steps.next_logits(step)

    return [best(lambda: model.encode(clip)), best(decode)]


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
