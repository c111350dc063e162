"""Locks of files between processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from auricle.locks import lock


def test_a_lock_is_one_processs_and_ends_with_it(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import pathlib, sys, time; from auricle.locks import lock\n"
        "file = open(sys.argv[1], 'ab'); print(lock(file), flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"True\n"
        with path.open("ab") as file:
            assert not lock(file)
            threading.Timer(0.1, other.kill).start()
            assert lock(file, wait=True)
            assert other.wait() == -signal.SIGKILL
    finally:
        other.kill()
        other.stdout.close()
