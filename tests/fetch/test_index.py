"""The address of a file on the user's package index."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from auricle.errors import MissingDependencyError
from auricle.fetch import index
from auricle.fetch.http import download, shown
from auricle.fetch.index import PYPI, address, indexes

FILE = "some_data-1.0-py3-none-any.whl"
CONTENT = b"wheel"


class Handler(BaseHTTPRequestHandler):
    """An index with one project, whose files lie elsewhere on the host; asks for a password."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        pages = {
            "/simple/some-data/": f'<a href="../../files/other.whl">other</a>\n'
            f'<a data-requires-python="&gt;=3.8" href="../../files/{FILE}#sha256=00">{FILE}</a>',
            f"/files/{FILE}": "wheel",
        }
        if not self.headers.get("Authorization"):
            return self.send_error(401)
        if self.path not in pages:
            return self.send_error(404)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pages[self.path].encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*index.MAIN, *index.EXTRA):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(index, "_pip_configuration", dict)


def test_the_variables_of_uv_and_pip_win_over_the_configuration(monkeypatch) -> None:
    assert indexes() == [PYPI]
    monkeypatch.setattr(
        index, "_pip_configuration", lambda: {"index-url": ["https://a/"], "extra-index-url": []}
    )
    assert indexes() == ["https://a"]
    monkeypatch.setenv("PIP_INDEX_URL", "https://b/simple/")
    monkeypatch.setenv("UV_INDEX", "inner=https://c/simple https://b/simple")
    assert indexes() == ["https://b/simple", "https://c/simple"]
    monkeypatch.setenv("UV_DEFAULT_INDEX", "named=https://d/simple")
    assert indexes() == ["https://d/simple", "https://c/simple", "https://b/simple"]


def test_the_configuration_of_pip_is_asked(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    if index.find_spec("pip") is None:
        pytest.skip("the environment has no pip")
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror/simple\n")
    (tmp_path / "pip.py").write_text("raise SystemExit('a file of the working folder ran')")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.chdir(tmp_path)
    assert index._pip_configuration()["index-url"] == ["https://mirror/simple"]


def test_a_file_is_found_and_the_password_stays_secret(monkeypatch, server, tmp_path) -> None:
    host = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:p%40ss@{host}/simple")
    url = address("some-data", FILE)
    assert shown(url) == f"http://{host}/files/{FILE}"
    checksum = hashlib.sha256(CONTENT).hexdigest()
    assert download(url, tmp_path / FILE, checksum, algorithm="sha256")
    assert {secret for _, secret in server.asked} == {"Basic bWU6cEBzcw=="}
    with pytest.raises(MissingDependencyError, match="404") as caught:
        address("gone", FILE)
    assert "p%40ss" not in str(caught.value)
    with pytest.raises(MissingDependencyError, match="does not have it"):
        address("some-data", "some_data-2.0-py3-none-any.whl")


def test_an_index_on_disk(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "some-data").mkdir()
    (tmp_path / "some-data" / "index.html").write_text(f"<A  HREF='{FILE}'>x</A>")
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    assert address("some-data", FILE) == (tmp_path / "some-data" / FILE).as_uri()


def test_no_connection_is_said_at_once(monkeypatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(MissingDependencyError, match=r"127\.0\.0\.1:9.*refused"):
        address("some-data", FILE)
