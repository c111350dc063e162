"""Fluency detectors, which find captions that are not whole sentences: our own, and FENSE's.

    load_detector().fluent(["a dog barks and"])  # [False]

``load_detector`` takes ``auricle`` (our own, in this package), ``fense-base`` and ``fense-tiny``
(Zhou et al., ICASSP 2022; downloaded), a folder in our format or a file in FENSE's.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from auricle.errors import ModelError
from auricle.text.fluency.detector import CLASSES, DESCRIPTIONS, FluencyDetector, Verdict

__all__ = [
    "CLASSES",
    "DESCRIPTIONS",
    "FluencyDetector",
    "FluencyFilter",
    "Verdict",
    "default_detector",
    "fetch_detector",
    "fluency_filter",
    "is_fluent",
    "load_detector",
]

FluencyFilter: TypeAlias = Literal["own", "fense-base", "fense-tiny", "off"]

DEFAULT = "auricle"
FETCH = "auricle models fetch fense"
FENSE = {
    "fense-base": "echecker_clotho_audiocaps_base",
    "fense-tiny": "echecker_clotho_audiocaps_tiny",
}


def load_detector(
    name: str | Path = DEFAULT, sha256: str | None = None, device: str = "cpu"
) -> FluencyDetector:
    """A fluency detector by name or path.

    Args:
        name: ``auricle``, ``fense-base``, ``fense-tiny``, a folder that `OwnDetector.save` wrote,
            or a checkpoint file in FENSE's format.
        sha256: the required digest of a checkpoint file; without it, only the two released files
            are accepted.
        device: the device of the model.

    Raises:
        ModelError: the detector cannot be loaded, or is not one; the message names the fix.
    """
    if name == DEFAULT or Path(name).is_dir():
        from auricle.text.fluency.own import BUNDLED, OwnDetector

        return OwnDetector.load(BUNDLED if name == DEFAULT else Path(name), device)
    from auricle.text.fluency.fense import FenseDetector, release

    if name in FENSE:
        return FenseDetector.load(*release(FENSE[str(name)]), device)
    if Path(name).is_file():
        return FenseDetector.load(Path(name), sha256, device)
    raise ModelError(
        f"{name}: no fluency detector has this name, and no such folder or file exists; "
        f"choose from {', '.join([DEFAULT, *FENSE])} or give a path"
    )


def fetch_detector(name: str) -> Path:
    """Download one of FENSE's detectors and its BERT's vocabulary; where the checkpoint lies.

    Raises:
        ModelError: it cannot be had; says what to fetch and where to put it.
    """
    from auricle.text.fluency.fense import release

    load_detector(name)
    return release(FENSE[name])[0]


@lru_cache(maxsize=1)
def default_detector() -> FluencyDetector:
    """Our own detector on the CPU, loaded once."""
    return load_detector()


def fluency_filter(name: FluencyFilter, device: str = "cpu") -> FluencyDetector | None:
    """The detector that decoding passes candidates through, loaded once; None for ``off``. Our own
    stays on the CPU.

    Raises:
        ModelError: a FENSE detector cannot be had; what to fetch, and what does without.
    """
    if name == "off":
        return None
    return default_detector() if name == "own" else _fense_filter(name, device)


@lru_cache(maxsize=2)
def _fense_filter(name: str, device: str) -> FluencyDetector:
    try:
        return load_detector(name, device=device)
    except ModelError as error:
        raise ModelError(
            f"fluency filter {name}: {error}. `{FETCH}` brings it where there is a network; "
            '`--fluency own` (fluency = "own") judges by the detector in the package instead'
        ) from error


def is_fluent(caption: str) -> bool:
    """The default detector's verdict on one caption."""
    return default_detector().fluent([caption])[0]
