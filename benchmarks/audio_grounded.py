"""Audio-grounded metrics on the development clips: is a clip's own caption told from others'?

    python benchmarks/audio_grounded.py [--audio-model tiny] [--clap FOLDER]

The clips are 43 of AudioCaps validation with 5 captions each, in the project's shared data folder.
Each caption in turn stands as a clip's caption, and the same-numbered captions of the other clips
beside it; references are the clip's other four. Accuracy is the share of pairs in which the own
caption scores higher. For measuring only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from auricle.data.clip import Clip
from auricle.metrics import evaluate
from auricle.metrics.bootstrap import bootstrap
from auricle.metrics.space import MODEL, Grounding

CLIPS = Path(__file__).parents[2] / "shared/data/dev_clips"
METRICS = ("sbert", "fense", "audio-sim", "mace-like")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio-model", default=MODEL)
    parser.add_argument("--clap", help="a CLAP checkpoint, for clap-sim and mace-like")
    options = parser.parse_args()
    if not CLIPS.is_dir():
        parser.error(f"{CLIPS} is not there")
    rows = json.loads((CLIPS / "captions.json").read_text(encoding="utf-8"))
    clips = [Clip(CLIPS / row["audio"], tuple(row["captions"]), row["youtube_id"]) for row in rows]
    said, meant, heard = [], [], []
    for number in range(len(clips[0].captions)):
        for clip in clips:
            others = [text for place, text in enumerate(clip.captions) if place != number]
            said += [other.captions[number] for other in clips]
            meant += [others] * len(clips)
            heard += [clip] * len(clips)
    wanted = [*METRICS, *["clap-sim"] * bool(options.clap)]
    grounding = Grounding(tuple(heard), options.audio_model, options.clap)
    found = evaluate(said, meant, wanted, grounding=grounding)
    own = np.eye(len(clips), dtype=bool)
    print(f"{len(clips)} clips, {len(said):,} captions; 95 % intervals over clips\n")
    print(
        "| metric | own caption before another's, % | own caption best of all, % |\n|---|---|---|"
    )
    for score in found.scores:
        table = np.array(score.items).reshape(-1, len(clips), len(clips))  # [captions, clips, said]
        right, others = table[:, own], table[:, ~own].reshape(*table.shape[:2], -1)
        before = right[..., None] > others
        cells = [_percent(before.mean(axis=(0, 2))), _percent(before.all(axis=2).mean(axis=0))]
        print(f"| {score.name} | {' | '.join(cells)} |")
    for missing in found.missing:
        print(f"\n{missing.name}: {missing.reason}")


def _percent(clips: np.ndarray) -> str:
    value, low, high = (100 * figure for figure in bootstrap(clips))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
