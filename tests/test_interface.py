"""The face of the package: its names, its help, and a captioner in a worker."""

from __future__ import annotations

import multiprocessing
import pydoc
import subprocess
import sys

import pytest

import auricle
from tests.helpers.paths import EXAMPLES

RAIN = EXAMPLES / "rain-and-thunder.ogg"


def test_the_package_shows_its_public_names_alone():
    shown = [name for name in dir(auricle) if not name.startswith("__")]
    assert shown == sorted(auricle.__all__)
    everything: dict = {}
    exec("from auricle import *", everything)
    assert everything.keys() - {"__builtins__"} == set(auricle.__all__)
    text = pydoc.plain(pydoc.render_doc(auricle))
    assert "class Captioner" in text
    assert not any(name in text for name in ("TYPE_CHECKING", "__getattr__", "__dir__"))


def test_importing_the_package_leaves_torch_alone():
    code = "import sys, auricle; dir(auricle); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_load_passes_options_on():
    with pytest.raises(auricle.ModelError, match="precision 'half'"):
        auricle.load("tiny", "cpu", precision="half")
    with pytest.raises(TypeError, match="speed"):
        auricle.load("tiny", speed=2)


@pytest.mark.slow  # starts a process that imports torch
def test_a_worker_captions_the_same(tiny):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(tiny, (str(RAIN),)) == tiny(str(RAIN))
