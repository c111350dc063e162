"""Broken audio files by the thousand: does any end a run, crash, hang or fill the memory?

    python benchmarks/hostile/audio.py [--files 20000] [--seed 0] [--case N]

Small recordings of every format are mutated and read as `auricle caption` reads them (the first
30 s at 16 kHz), some in sections, whole, or as `auricle data check` measures them, in a process
that may crash. A share is captioned in batches of `Captioner.stream`. The table counts outcomes;
all but "captioned" and "refused" (by AudioError) are listed with their cases, which ``--case``
repeats with a traceback. "noise" is one of these two where a decoder also wrote to the standard
error; "hang" is over 10 s of processor time.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from audio_mutations import mutate
from memory import memory_bytes
from recordings import names, recording

from auricle.errors import AudioError, AuricleError

RATE_HZ = 16_000
HEARD_S = 30.0
HANG_S = 10.0  # of processor time, for the machine may be busy
BLOCKED_S = 300.0  # of time, in which a busy machine gives a process some
MOST_MB = 1000
ADDRESS_SPACE = 16 * 2**30  # so that an absurd allocation fails, not the machine
BATCH = 16
WAYS = ("start", "sections", "whole", "measure")
SHARES = (0.7, 0.1, 0.1, 0.1)
FINE = ("captioned", "refused")


@dataclass(frozen=True)
class Case:
    """A mutated file and the way it is read; ``number`` and ``seed`` determine both."""

    name: str
    mutations: str
    way: str
    content: bytes

    @classmethod
    def of(cls, number: int, seed: int) -> Case:
        random = np.random.default_rng([seed, number])
        known = names()
        name, other = random.choice(known, 2)
        content, mutations = mutate(_recording(name), _recording(other), random)
        return cls(str(name), mutations, str(random.choice(WAYS, p=SHARES)), content)


@dataclass(frozen=True)
class Outcome:
    kind: str  # captioned, refused, crash, hang, noise, memory, or the name of an exception
    detail: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


@cache
def _recording(name: str) -> bytes:
    return recording(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--batches", type=float, default=0.02, help="share that is captioned, too")
    parser.add_argument("--case", type=int, help="only this one, with its traceback")
    args = parser.parse_args()
    if args.case is not None:
        _show(Case.of(args.case, args.seed))
        return
    numbers = range(args.first, args.first + args.files)
    outcomes: Counter[str] = Counter()
    slowest = highest = 0.0
    began = time.perf_counter()
    for number, outcome in run(numbers, args.seed):
        outcomes[outcome.kind] += 1
        slowest, highest = max(slowest, outcome.seconds), max(highest, outcome.peak_mb)
        if outcome.kind not in FINE:
            case = Case.of(number, args.seed)
            told = f"{number}: {case.name} {case.mutations} {case.way}"
            print(f"{told}: {outcome.kind}: {outcome.detail}", flush=True)
    print(f"\n{args.files} files, seed {args.seed}, {time.perf_counter() - began:.0f} s")
    for kind, count in outcomes.most_common():
        print(f"{kind:<12} {count:6}")
    print(f"slowest {slowest:.2f} s of processor time, highest peak {highest:.0f} MB")
    if count := round(args.files * args.batches / BATCH):
        ended, captions, refused = caption_batches(numbers[: count * BATCH], args.seed)
        print(f"{count} batches of {BATCH}: {captions} captioned, {refused} refused, {ended} ended")


def run(numbers: range, seed: int) -> Iterator[tuple[int, Outcome]]:
    """The outcome of every case, read in another process, which is replaced when it dies."""
    context = get_context("spawn")
    worker = link = None
    for number in numbers:
        if worker is None:
            link, end = context.Pipe()
            worker = context.Process(target=_work, args=(end, seed), daemon=True)
            worker.start()
            end.close()
            link.recv()  # it is ready
        link.send(number)
        outcome = Outcome("hang")
        if _answers(link, worker.pid):
            try:
                outcome = link.recv()
            except EOFError:
                worker.join()
                outcome = Outcome("crash", f"exit code {worker.exitcode}")
        if outcome.kind in ("hang", "crash"):
            worker.kill()
            worker.join()
            worker = None
        yield number, outcome
    if worker is not None:
        link.send(None)
        worker.join()


def _answers(link: Connection, worker: int) -> bool:
    """Whether the process ``worker`` answers before it has used `HANG_S` for its case."""
    before, began = _processor_s(worker), time.monotonic()
    while not (there := link.poll(0.5)):
        if _processor_s(worker) - before > HANG_S or time.monotonic() - began > BLOCKED_S:
            break
    return there


def _processor_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(link: Connection, seed: int) -> None:
    """Read the cases whose numbers arrive, and send back what came of them."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with tempfile.TemporaryFile() as noise, tempfile.TemporaryDirectory() as folder:
        os.dup2(noise.fileno(), 2)
        link.send("ready")
        while (number := link.recv()) is not None:
            case = Case.of(number, seed)
            path = Path(folder, f"{number}.{case.name}")
            path.write_bytes(case.content)
            before = os.fstat(noise.fileno()).st_size
            outcome = _outcome(path, case.way)
            if outcome.kind in FINE and os.fstat(noise.fileno()).st_size > before:
                noise.seek(before)
                words = noise.read(100).decode(errors="replace").replace("\n", " ")
                outcome = Outcome("noise", words, outcome.seconds, outcome.peak_mb)
            path.unlink()
            link.send(outcome)


def _outcome(path: Path, way: str) -> Outcome:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    began = time.process_time()
    try:
        read(path, way)
        kind, detail = "captioned", ""
    except AudioError as error:
        kind, detail = "refused", str(error)
        if not detail.startswith(str(path)) or "\n" in detail:
            kind = "unnamed"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        detail = f"{error} ({Path(place.filename).name}:{place.lineno})"
    seconds = time.process_time() - began
    peak_mb = memory_bytes("VmHWM") / 1e6
    if peak_mb > MOST_MB:
        kind, detail = "memory", f"{peak_mb:.0f} MB ({kind}: {detail})"
    return Outcome(kind, detail, seconds, peak_mb)


def read(path: Path, way: str) -> None:
    """Read ``path`` in one of `WAYS`.

    Raises AudioError: it cannot be read.
    """
    from auricle.audio.load import load_audio, load_sections
    from auricle.audio.measure import measure

    if way == "measure":
        measure(path)
        return
    if way == "sections":
        found = list(load_sections(path, RATE_HZ, [(0.0, 0.5), (0.3, 0.8), (0.9, 1.4)]))
    else:
        found = [load_audio(path, RATE_HZ, end_s=HEARD_S if way == "start" else None)]
    for part in found:
        assert part.waveform.dtype == np.float32
        assert len(part.waveform)
        assert np.isfinite(part.waveform).all()
        assert np.abs(part.waveform).max() <= 1


def caption_batches(numbers: range, seed: int) -> tuple[int, int, int]:
    """(batches that one file ended, captions, refusals) of `Captioner.stream` of all cases, with
    two good recordings in each batch."""
    from auricle.pipeline import Captioner

    captioner = Captioner.from_pretrained("tiny", device="cpu")
    ended = captions = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder, "good.wav")
        good.write_bytes(_recording("wav"))
        for first in range(0, len(numbers), BATCH):
            files = [good, good]
            for number in numbers[first : first + BATCH]:
                case = Case.of(number, seed)
                files.insert(1, Path(folder, f"{number}.{case.name}"))
                files[1].write_bytes(case.content)
            try:
                found = list(captioner.stream(files, decode="greedy"))
                assert len(found) == len(files)
                assert found[0].caption
                assert found[-1].caption
                captions += sum(one.caption is not None for one in found) - 2
                refused += sum(one.error is not None for one in found)
            except Exception as error:
                ended += 1
                print(f"batch at {numbers[first]}: {type(error).__name__}: {error}", flush=True)
            for file in files[1:-1]:
                file.unlink()
    return ended, captions, refused


def _show(case: Case) -> None:
    print(f"{case.name} {case.mutations} {case.way}, {len(case.content)} bytes")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"case.{case.name}")
        path.write_bytes(case.content)
        try:
            read(path, case.way)
            print("captioned")
        except AuricleError as error:
            print(f"refused: {error}")


if __name__ == "__main__":
    main()
