"""`auricle serve`: its options, its start, and its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from auricle.cli.serve import read_keys
from auricle.errors import DataError
from tests.helpers.paths import EXAMPLES
from tests.helpers.skips import skipped_if_missing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n \n", "holds no key"),
        ("a-long-enough-key\nshort\n", "key 2 must have 16 characters"),
        ("schlüssel-mit-umlaut-ü\n", "key 1 must have"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(tmp_path, text, message):
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_keys(path)


def test_keys_are_one_per_line(tmp_path):
    path = tmp_path / "keys"
    path.write_text("a-long-enough-key\n\n  another-long-enough-key \r\n")
    assert read_keys(path) == ("a-long-enough-key", "another-long-enough-key")


def test_a_port_in_use_is_told_before_the_model_is_loaded(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", port, "--model", "no such model")
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}: cannot be listened on (Address already in use)" in result.stderr


def test_without_the_extra_it_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = run("serve")
    assert result.exit_code == 2
    assert 'the service needs fastapi: pip install -e "' in result.stderr
    assert "[serve]" in result.stderr


def test_a_missing_model_is_named(run):
    result = run("serve", "--port", 0, "--model", "huge")
    assert result.exit_code == 2
    assert "huge: no such model" in result.stderr


def test_a_wrong_index_is_told_before_the_model_is_loaded(run, tmp_path):
    (tmp_path / "index.sqlite").write_bytes(b"no database, and long enough to be one" * 10)
    for folder, told in ((tmp_path / "none", "no index there; make one"), (tmp_path, "damaged")):
        result = run("serve", "--port", 0, "--model", "no such model", "--index", folder)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert str(folder) in line
        assert told in line


@pytest.fixture(scope="module")
def served(yamnet_weights, tmp_path_factory) -> Iterator[tuple[subprocess.Popen, str]]:
    """The program, serving the embedded model, and its address."""
    with skipped_if_missing():
        command = [sys.executable, "-m", "auricle", "serve", "--port", "0", "--offline"]
        command += ["--data", str(tmp_path_factory.mktemp("data"))]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    line = process.stderr.readline()
    assert line.startswith("auricle: note: serving tiny at http://127.0.0.1:"), line
    yield process, line.split()[-1]
    process.kill()
    process.wait()


def test_a_signal_ends_it_without_half_answers(served):
    process, url = served
    sound = (EXAMPLES / "birds-singing.ogg").read_bytes()
    answers: list[httpx.Response] = []
    refused: list[Exception] = []

    def ask() -> None:
        try:
            while True:
                sent = {"file": ("a.ogg", sound)}
                answers.append(httpx.post(f"{url}/v1/captions", files=sent, timeout=30))
        except httpx.ConnectError as error:  # it does not listen any more
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    while len(answers) < 6:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    assert len(refused) == 6  # no answer was cut, and none came late
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()[0]["caption"] for answer in answers}) == 1
    assert process.wait(20) == 0
    assert process.stderr
    log = process.stderr.read()
    assert log.count("POST /v1/captions 200") == len(answers)
    assert "a.ogg" not in log
