"""Model folders, damaged or hostile: none may end the program, run code, hang or fill memory.

    python benchmarks/hostile/models.py [--count 500] [--seed 0] [--only SEED]

Each case is one of four small models (our format, the published one, an ensemble, one with its own
text embedder) after one to three mutations. A process of its own loads it and captions a second of
noise, with 10 s of processor time and 1 GB to do so. A line names every case that ends otherwise
than in a caption or an `AuricleError`; a canary, planted where a folder could name code, tells
whether any has run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
for _variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):  # threads do not survive the forks
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402
from memory import memory_bytes  # noqa: E402
from model_folders import MARK, write_models  # noqa: E402
from model_mutations import EVERYWHERE, ONLY  # noqa: E402

LIMIT_S = 10  # of processor time, so that a busy machine makes no hang
ASLEEP_S = 60  # of waiting
GROWTH = 1 << 30  # bytes
KINDS = ("ours", "published", "ensemble", "embedder")
OUTCOMES = ("caption", "AuricleError", "other exception", "hang", "memory", "code executed")
FAILURES = OUTCOMES[2:]
CANARY = "import pathlib\npathlib.Path({mark!r}).touch()\n\nclass Canary:\n    pass\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--only", type=int, metavar="SEED", help="one case, with its traceback")
    options = parser.parse_args()
    first, count = (options.seed, options.count) if options.only is None else (options.only, 1)
    counts: Counter[str] = Counter()
    for seed, outcome, detail in run(first, count):
        counts[outcome] += 1
        if outcome in FAILURES or options.only is not None:
            print(f"{seed:>6} {outcome}: {detail if options.only is not None else last(detail)}")
    print(" | ".join(f"{name} {counts[name]}" for name in OUTCOMES))
    raise SystemExit(any(counts[name] for name in FAILURES))


def last(detail: str) -> str:
    return (detail.strip().splitlines() or [""])[-1][:200]


def run(first: int, count: int) -> Iterator[tuple[int, str, str]]:
    """(seed, outcome, detail) of each case."""
    import sentence_transformers  # noqa: F401  once, before the forks

    import auricle.pipeline  # noqa: F401

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        in_child(lambda: write_models(place / "models"), 120)
        for seed in range(first, first + count):
            folder, mark = place / "case", place / "mark"
            shutil.rmtree(folder, ignore_errors=True)
            kind, mutations = prepare(seed, place / "models", folder, mark)
            outcome, detail = in_child(lambda f=folder, k=kind: caption(f, k), LIMIT_S)
            if mark.exists():
                outcome = "code executed"
                mark.unlink()
            yield seed, outcome, f"{kind}, {', '.join(mutations)}\n{detail}"


def prepare(seed: int, models: Path, folder: Path, mark: Path) -> tuple[str, list[str]]:
    """The kind of case ``seed`` and its mutations' names; its folder is written."""
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    shutil.copytree(models / kind, folder)
    os.environ[MARK] = str(mark)
    for where in (folder, folder / "evil"):
        where.mkdir(exist_ok=True)
        (where / "canary.py").write_text(CANARY.format(mark=str(mark)))
    modules = [{"idx": 0, "name": "0", "path": "", "type": "canary.Canary"}]
    (folder / "evil" / "modules.json").write_text(json.dumps(modules))
    chosen = rng.choices(EVERYWHERE + ONLY[kind], k=rng.choice((1, 1, 1, 2, 3)))
    for mutation in chosen:
        with contextlib.suppress(Exception):  # an earlier mutation took or spoiled the file
            mutation(rng, folder)
    return kind, [mutation.__name__ for mutation in chosen]


# A process of its own


def in_child(work: Callable[[], object], limit_s: int) -> tuple[str, str]:
    """(outcome, detail) of ``work`` in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        outcome, detail = judged(work)
        os.write(writing, json.dumps((outcome, detail[-5000:])).encode())
        os._exit(0)
    os.close(writing)
    end = time.monotonic() + ASLEEP_S
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(child, signal.SIGXCPU)
        time.sleep(0.005)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    if answer:
        return tuple(json.loads(answer))
    late = os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) in (signal.SIGXCPU, signal.SIGKILL)
    return ("hang", f"over {limit_s} s") if late else ("other exception", "the process died")


def judged(work: Callable[[], object]) -> tuple[str, str]:
    from auricle.errors import AuricleError

    before = memory_bytes("VmRSS")
    room = memory_bytes("VmSize") + 2 * GROWTH  # mapped files count: only a stop
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    try:
        outcome, detail = "caption", str(work())
    except AuricleError as error:
        detail = f"{type(error).__name__}: {error}"
        outcome = "AuricleError" if "\n" not in str(error) else "other exception"
    except MemoryError:
        return "memory", "MemoryError"
    except BaseException as error:  # panics of Rust are no Exceptions
        return "other exception", f"{traceback.format_exc()[-3000:]}\n{repr(error)[:1000]}"
    grown = memory_bytes("VmHWM") - before
    return (
        ("memory", f"grew by {grown >> 20} MB; {detail}") if grown > GROWTH else (outcome, detail)
    )


def caption(folder: Path, kind: str) -> str:
    """The caption of a second of noise; its working directory is the folder, as of a user in it."""
    from auricle.decoding.candidates import find_candidates
    from auricle.decoding.hypothesis import Scorer
    from auricle.hub.ensemble import load_model
    from auricle.pipeline import Captioner

    os.chdir(folder)
    sys.path.insert(0, "")
    noise = (np.random.default_rng(0).standard_normal(16_000) / 20).astype(np.float32)
    if kind == "published":  # its text embedder and fluency filter are not on this machine
        bundle = load_model(folder).bundles[0]
        assert bundle.tokenizer
        memory = bundle.model.encode([noise])
        scorer = Scorer("published", bundle.model.decoder, bundle.tokenizer)
        options = replace(bundle.decoding, fluency="own")
        return json.dumps(find_candidates([scorer], [memory], options)[0][0].text)
    found = Captioner.from_pretrained(folder, device="cpu").caption(noise)[0]
    return json.dumps(found.caption)


if __name__ == "__main__":
    main()
