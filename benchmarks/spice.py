"""spice-py against SPICE, on captions of a captioner and of people with known SPICE values.

    python benchmarks/spice.py

It needs the extra "eval" and the project's shared data folder beside the repository. The rules of
spice-py were chosen on the first set; the others were only measured. "equal" is the share of items
with exactly the same value.
"""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np

from auricle.metrics.bootstrap import bootstrap
from auricle.metrics.spice import spice_py
from auricle.metrics.spice.parsing import parser

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "metrics"
PEOPLE = "audiocaps_test_loo1"


def read(name: str) -> tuple[list[dict], np.ndarray]:
    """Clips ("candidate", "references"), and the SPICE of each."""
    if name == PEOPLE:
        scores = json.loads((GOLDEN / "scores_spice_ac.json").read_text())["sentences"]["spice"]
        return json.loads((GOLDEN / f"{name}_inputs.json").read_text()), np.array(scores)
    clips = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]
    return clips, np.array([clip["scores"]["spice"] for clip in clips])


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser()  # loading does not count
    print(f"{'set':24}{'clips':>6}{'SPICE':>8}{'spice-py':>10}{'differ by, 95 %':>26}", end="")
    print(f"{'Pearson':>9}{'mean error':>12}{'equal':>7}{'CPU s':>7}")
    for name in ("conette_clotho_eval", "conette_audiocaps_test", PEOPLE):
        clips, official = read(name)
        start = cpu_s()
        score = spice_py([c["candidate"] for c in clips], [c["references"] for c in clips])
        used = cpu_s() - start
        ours = np.array(score.items)
        apart = bootstrap(ours - official)
        between = f"{apart.value:+.4f} ({apart.low:+.4f} to {apart.high:+.4f})"
        print(
            f"{name:24}{len(clips):6}{official.mean():8.4f}{score.corpus:10.4f}{between:>26}"
            f"{np.corrcoef(ours, official)[0, 1]:9.3f}{np.abs(ours - official).mean():12.4f}"
            f"{np.isclose(ours, official, atol=1e-9).mean():7.0%}{used:7.1f}"
        )


if __name__ == "__main__":
    main()
