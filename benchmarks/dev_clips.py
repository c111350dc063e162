"""CIDEr-D on the development clips: dev_clips.py [MODEL] [--seeds 3] [--show]

The clips are 43 of AudioCaps validation with 5 captions each, in the project's shared data folder.
They are for choosing between models, never for training. Text is in lower case without punctuation;
document frequencies are those of this set. The standard error of so few clips is about 0.14.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import mean, pstdev

from auricle.decoding.rerank import rank
from auricle.metrics.cider import cider_d_simple
from auricle.pipeline import Captioner
from auricle.records import Caption

CLIPS = Path(__file__).parents[2] / "shared" / "data" / "dev_clips"


def first_by(found: Caption, likelihood: float, similarity: float) -> str:
    """The best candidate under weights other than the model's."""

    def score(candidate) -> float:
        return likelihood * candidate.log_likelihood + similarity * (candidate.similarity or 0.0)

    fluent = [c for c in found.candidates if c.fluent is not False] or rank(found.candidates)
    return max(fluent, key=score).text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="tiny")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", action="store_true", help="print every clip's caption")
    arguments = parser.parse_args()
    if not CLIPS.is_dir():
        sys.exit(f"{CLIPS} is missing: the benchmark needs the project's shared data folder")
    clips = json.loads((CLIPS / "captions.json").read_text(encoding="utf-8"))
    paths = [CLIPS / clip["audio"] for clip in clips]
    references = [clip["captions"] for clip in clips]
    captioner = Captioner.from_pretrained(arguments.model)
    scores: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        sampled = captioner.caption(paths, seed=seed)
        ways = {
            "nucleus, hybrid": [found.caption for found in sampled],
            "nucleus, likelihood": [first_by(found, 1.0, 0.0) for found in sampled],
            "nucleus, similarity": [first_by(found, 0.0, 1.0) for found in sampled],
        }
        if seed == 0:
            for method in ("greedy", "beam"):
                ways[method] = [c.caption for c in captioner.caption(paths, decode=method)]
        for way, captions in ways.items():
            scores.setdefault(way, []).append(cider_d_simple(captions, references)[0])
        if arguments.show and seed == 0:
            each = cider_d_simple(ways["nucleus, hybrid"], references)[1]
            for clip, found, value in zip(clips, sampled, each, strict=True):
                print(f"{value:5.2f}  {found.caption}  |  {clip['captions'][0]}")
    for way, values in scores.items():
        print(
            f"{way:22} {mean(values):.3f}  (seeds: {len(values)}, deviation {pstdev(values):.3f})"
        )


if __name__ == "__main__":
    main()
