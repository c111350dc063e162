"""The command line around a stub captioner."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from tests.helpers.paths import ROOT
from tests.helpers.stub_captioner import PROGRAM, install_stub


@pytest.fixture
def run(monkeypatch):
    install_stub(lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def program():
    """Start `auricle` with the stub as a process; ``pause_s`` is waited after each caption."""

    def start(*arguments: object, pause_s: float = 0.0, **options) -> subprocess.Popen:
        code = PROGRAM.format(root=str(ROOT), pause_s=pause_s)
        command = [sys.executable, "-c", code, *map(str, arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen(command, encoding="utf-8", **options)

    return start
