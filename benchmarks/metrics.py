"""Classic metrics on Clotho evaluation, 1,045 clips with 5 references: time against pycocoevalcap.

    python benchmarks/metrics.py [--repeats 5] [--meteor]

It needs pycocoevalcap, its Java, and the project's shared data folder beside the repository
(captions of CoNeTTE). Times are CPU seconds, with those of Java programs; except for tokens, they
are the best of the repeats. Both run in turns. "equal" is the largest difference of any item.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auricle.metrics.bleu import bleu
from auricle.metrics.cider import cider_d
from auricle.metrics.meteor import meteor
from auricle.metrics.ptb import tokenize
from auricle.metrics.rouge import rouge_l

CLIPS = Path(__file__).parents[2] / "shared/golden/metrics/conette_clotho_eval.jsonl"
CLASSIC = ("BLEU", "ROUGE-L", "CIDEr-D")


class Ours:
    """Captions -> scores of items, by auricle."""

    def __init__(self, clips: list[dict]) -> None:
        self.clips = clips

    def tokens(self) -> None:
        self.candidates = tokenize([clip["candidate"] for clip in self.clips])
        self.references = [tokenize(clip["references"]) for clip in self.clips]

    def score(self, name: str) -> np.ndarray:
        measure: Callable = {"ROUGE-L": rouge_l, "CIDEr-D": cider_d, "METEOR": meteor}.get(
            name, bleu
        )
        found = measure(self.candidates, self.references)
        return np.array([s.items for s in found] if name == "BLEU" else found.items)


class Theirs:
    """The same by pycocoevalcap."""

    def __init__(self, clips: list[dict]) -> None:
        self.clips = clips

    def tokens(self) -> None:
        from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

        candidates = {i: [{"caption": clip["candidate"]}] for i, clip in enumerate(self.clips)}
        references = {
            i: [{"caption": text} for text in clip["references"]]
            for i, clip in enumerate(self.clips)
        }
        self.candidates, self.references = map(PTBTokenizer().tokenize, (candidates, references))

    def score(self, name: str) -> np.ndarray:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.meteor.meteor import Meteor
        from pycocoevalcap.rouge.rouge import Rouge

        tool: Any = {"BLEU": Bleu, "ROUGE-L": Rouge, "CIDEr-D": Cider, "METEOR": Meteor}[name]()
        quiet = {"verbose": 0} if name == "BLEU" else {}
        scores = np.array(tool.compute_score(self.references, self.candidates, **quiet)[1])
        if name == "METEOR":
            tool.meteor_p.stdin.close()
            tool.meteor_p.wait()  # so that its CPU time counts
        return scores


def cpu_s(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process and its child programs, and the result of ``work``."""

    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    start = spent()
    found = work()
    return spent() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--meteor", action="store_true", help="METEOR too, once")
    arguments = parser.parse_args()
    clips = [json.loads(line) for line in CLIPS.read_text(encoding="utf-8").splitlines()]
    both = (Ours(clips), Theirs(clips))
    # Tokens once: pieces of captions are cached, so a second time would cost less.
    spent = {"tokens": [cpu_s(side.tokens)[0] for side in both]}
    equal: dict[str, float] = {}
    repeats = dict.fromkeys(CLASSIC, arguments.repeats) | (
        {"METEOR": 1} if arguments.meteor else {}
    )
    for name, times in repeats.items():
        spent[name] = [np.inf, np.inf]
        for _ in range(times):
            found = [cpu_s(partial(side.score, name)) for side in both]
            spent[name] = [
                min(pair) for pair in zip(spent[name], (f[0] for f in found), strict=True)
            ]
            equal[name] = float(np.abs(found[0][1] - found[1][1]).max())
    three = [sum(spent[name][i] for name in CLASSIC) for i in (0, 1)]
    spent[" + ".join(CLASSIC)] = three
    spent["with tokens"] = [a + b for a, b in zip(three, spent["tokens"], strict=True)]
    print(f"{'':26}{'auricle':>9}{'pycocoevalcap':>15}{'faster':>9}{'equal':>10}")
    for name, (ours, theirs) in spent.items():
        difference = f"{equal[name]:10.1e}" if name in equal else ""
        print(f"{name:26}{ours:7.2f} s{theirs:13.2f} s{theirs / ours:8.1f}x{difference}")


if __name__ == "__main__":
    main()
