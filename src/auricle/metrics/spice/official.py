"""SPICE 1.0 (Anderson et al., ECCV 2016) by the published Java program, on any Java from 8.

pycocoevalcap contains the program, `auricle data metrics` installs its parser. A modern Java needs
three additions: access to its internal classes, for the store of parses; permission to load that
store's library; and a way to write without JavaScript (java/AsItIs.java).
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from statistics import fmean
from typing import Any

from auricle.errors import AuricleError, MissingDependencyError
from auricle.fetch.cache import cache_folder
from auricle.metrics.java import OPTIONS, carried, find_java, java_version, missing_metric
from auricle.metrics.ngrams import check_clips
from auricle.metrics.ptb import tokenize
from auricle.metrics.scores import Missing, MissingMetricError, Score
from auricle.metrics.spice import stanford

NAME = "SPICE"
# Kinds of tuples, each with its own F-score (Anderson et al., section 4.3).
KINDS = ("Object", "Attribute", "Relation", "Cardinality", "Color", "Size")

_PROGRAM = "edu.anu.spice.SpiceScorer"
_MEMORY = "-Xmx8G"  # as published
_QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
_OPENED = "lang math util util.concurrent net text io".split()  # to the store's serialisation
_STORE_MACHINES = {"x86_64", "AMD64"}  # machines of the store's library
_WRITER = Path(__file__).with_name("java")
_TIMEOUT_S, _CAPTION_S = 1800.0, 1.0  # it parses about 50 captions per second and thread


def spice(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """The score of N captions and of each, 0 to 1; the corpus is the mean of the items.

    The program gets captions as PTB tokens, as usual. Each call starts one Java process, which uses
    all cores; the cache folder keeps the parses of references. `details` holds each item's
    "precision" and "recall", and the F-score of each kind of tuple ("Object" …), NaN if neither
    side has one.

    Args:
        candidates: one caption per clip.
        references: at least one caption by people per clip.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
        MissingMetricError: CoreNLP's files, pycocoevalcap or Java are missing.
        AuricleError: the program failed.
    """
    check_clips(NAME, candidates, references)
    try:
        parser = stanford.jars()
    except MissingDependencyError as error:
        raise MissingMetricError(Missing(NAME, str(error), stanford.COMMAND)) from error
    try:
        start = command(parser)
    except MissingDependencyError as error:
        raise missing_metric(NAME, error) from error
    tokens = iter(tokenize([*candidates, *chain.from_iterable(references)]))
    texts = (" ".join(found) or "." for found in tokens)  # the store refuses empty captions
    captions = list(islice(texts, len(candidates)))
    clips = [
        {"image_id": n, "test": text, "refs": list(islice(texts, len(own)))}
        for n, (text, own) in enumerate(zip(captions, references, strict=True))
    ]
    return _score(_answers(start, clips))


def command(parser: Sequence[Path]) -> list[str]:
    """The command line of the program, up to its own arguments; ``parser`` are CoreNLP's jars.

    Raises:
        MissingDependencyError: there is no Java, or no pycocoevalcap.
    """
    java, program = find_java(), carried("spice", "spice-1.0.jar")
    version = java_version(java)
    options = [*OPTIONS, _QUIET, _MEMORY]
    if version >= 9:
        options += [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED]
        options += ["--add-opens=java.sql/java.sql=ALL-UNNAMED"]
    if version >= 24:
        options += ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    places = os.pathsep.join(map(str, [_WRITER, program, *parser]))
    return [str(java), *options, "-cp", places, _PROGRAM]


def run(start: Sequence[str], clips: Sequence[dict[str, Any]], store: Path | None) -> list[Any]:
    """The program's answers to clips ({"image_id", "test", "refs"}), in any order.

    Args:
        start: the result of `command`.
        store: a folder for the parses of references, created if missing.

    Raises:
        AuricleError: the program fails, hangs, or answers nothing.
    """
    timeout_s = _TIMEOUT_S + _CAPTION_S * sum(1 + len(clip["refs"]) for clip in clips)
    with tempfile.TemporaryDirectory(prefix="auricle-spice-") as folder:
        asked, answered = Path(folder, "clips.json"), Path(folder, "scores.json")
        asked.write_text(json.dumps(list(clips)))
        line = [*start, str(asked), "-out", str(answered), "-subset", "-silent"]
        if store:
            store.mkdir(parents=True, exist_ok=True)
            line += ["-cache", str(store)]
        try:
            told = subprocess.run(
                line, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise AuricleError(f"{NAME}: no answer within {timeout_s:.0f} s") from error
        try:
            answers: list[Any] = json.loads(answered.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            lines = told.stderr.decode(errors="replace").strip().splitlines()
            causes = [line for line in lines if "Exception" in line or "Error" in line] or lines
            message = causes[-1].strip() if causes else "nothing"
            raise AuricleError(
                f"{NAME}: the program ended with {told.returncode} and said: {message}"
            ) from error
    return answers


def _answers(start: Sequence[str], clips: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scores of each clip, in order."""
    store = cache_folder() / "spice-parses" if platform.machine() in _STORE_MACHINES else None
    try:
        answers = run(start, clips, store)
    except (AuricleError, OSError):
        if store is None:
            raise
        answers = run(start, clips, None)  # the store is damaged, or fails on this disk
    found = {answer["image_id"]: answer["scores"] for answer in answers}
    if len(found) != len(clips):
        raise AuricleError(f"{NAME}: {len(found)} answers to {len(clips)} clips")
    return [found[n] for n in range(len(clips))]


def _score(answers: Sequence[dict[str, Any]]) -> Score:
    def values(kind: str, key: str, empty: float = math.nan) -> tuple[float, ...]:
        found = (answer.get(kind, {}).get(key) for answer in answers)
        return tuple(empty if value is None else float(value) for value in found)

    items = values("All", "f", 0.0)
    details = {"precision": values("All", "pr", 0.0), "recall": values("All", "re", 0.0)}
    details |= {kind: values(kind, "f") for kind in KINDS}
    return Score(NAME, fmean(items), items, details)
