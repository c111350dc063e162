"""Downloads against a server on this machine: resumed, checked, and given up with a reason."""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from auricle.errors import DataError
from auricle.fetch.http import download

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT under /file: honours ranges if ``ranges``, ends after ``cuts`` bytes each."""

    daemon_threads = True
    ranges = True
    cuts: tuple[int, ...] = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path != "/file":
            return self.send_error(404)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        number = len(self.server.asked) - 1
        cut = self.server.cuts[number] if number < len(self.server.cuts) else len(CONTENT)
        self.wfile.write(CONTENT[start : start + cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_download_and_not_again(server, tmp_path):
    path, told = tmp_path / "new" / "file.7z", []
    assert download(server.url, path, MD5, lambda *event: told.append(event))
    assert path.read_bytes() == CONTENT
    assert told[-1] == ("download file.7z", len(CONTENT), len(CONTENT))
    assert not download(server.url, path, MD5)
    assert server.asked == [None]
    assert list(path.parent.iterdir()) == [path]


def test_goes_on_where_the_connection_broke(server, tmp_path):
    server.cuts = (1000, 50_000)
    download(server.url, tmp_path / "file", MD5, pause_s=0.0)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-", "bytes=51000-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_where_another_process_was_killed(server, tmp_path, ranges):
    server.ranges = ranges
    (tmp_path / "file.part").write_bytes(CONTENT[:700])
    download(server.url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == ["bytes=700-"]


def test_all_had_come_but_the_name(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_content_is_refused_and_deleted(server, tmp_path):
    with pytest.raises(DataError, match=f"MD5 digest {MD5}, not the published 00"):
        download(server.url, tmp_path / "file", "00")
    assert list(tmp_path.iterdir()) == []


def test_gives_up_with_a_reason(server, tmp_path):
    with pytest.raises(DataError, match=r"404.*put it at"):
        download(server.url + "s", tmp_path / "file", MD5, pause_s=0.0)
    assert len(server.asked) == 1  # asking again would not help
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="not downloaded"):
        download(server.url, tmp_path / "file", MD5, pause_s=0.0)
