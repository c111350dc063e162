"""The files of the page over HTTP."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from auricle.serve import page
from tests.helpers.scripted_service import ScriptedService


@pytest.fixture(scope="module")
def client():
    with ScriptedService() as stub, httpx.Client(base_url=stub.url) as found:
        yield found


def test_the_page_and_all_that_it_names_are_there(client):
    index = client.get("/")
    assert index.status_code == 200
    assert index.headers["Content-Type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(/static/[^"#]+)"', index.text)
    assert {"/static/app.js", "/static/style.css", "/static/icon.svg"} <= {*named}
    for path in named:
        assert client.get(path).status_code == 200


def test_a_known_file_is_not_sent_again(client):
    first = client.get("/static/app.js")
    assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(
        "/static/app.js", headers={"If-None-Match": f'W/"x", {first.headers["ETag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert client.head("/static/app.js").headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static", "/static/none.js", "/static/../page.py", "/static/%2e%2e/page.py",
     "/static/..%2fpage.py", "/static/%2fetc%2fpasswd", "/page.py"],
)  # fmt: skip
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code == 404


def test_no_file_names_another_host_or_holds_inline_code():
    for name, (content, _, _) in page.static_files().items():
        addresses = re.findall(r"(?a)https?://[\w/.:-]+\w", content.decode())
        assert {*addresses} <= {"http://www.w3.org/2000/svg", "http://localhost"}, name
    html = page.static_files()["index.html"][0].decode()
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", html)


def test_both_languages_have_the_same_words():
    english, korean = (
        json.loads(page.static_files()[f"words.{code}.json"][0]) for code in ("en", "ko")
    )
    plain = {key for key in english if not key.endswith(".one")}
    assert plain == {*korean}
    for key in plain:
        names = [set(re.findall(r"\{(\w+)\}", words[key])) for words in (english, korean)]
        assert names[0] == names[1], key


def test_every_word_that_the_code_names_exists():
    words = json.loads(page.static_files()["words.en.json"][0])
    code = "".join(
        content.decode()
        for name, (content, _, _) in page.static_files().items()
        if "words" not in name
    )
    rooms = "|".join({key.partition(".")[0] for key in words if "." in key})
    named = set(re.findall(rf'"((?:{rooms})\.[a-z-]+)"', code))
    named |= set(re.findall(r'data-t(?:-[a-z-]+)?="([^"]+)"', code))
    named = {name for name in named if not name.endswith((".js", ".json", ".one"))}
    assert len(named) > 80
    assert named - {*words} == set()
