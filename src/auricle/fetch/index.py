"""The user's Python package index: the address of a file on it.

A simple index (PEP 503) has a page of links for every project, so pip and uv are not needed, and
environments made by either work alike.
"""

from __future__ import annotations

import ast
import html
import http.client
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import PurePosixPath
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from auricle.errors import MissingDependencyError
from auricle.fetch.http import opened, shown

PYPI = "https://pypi.org/simple"
MAIN = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
EXTRA = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
PAGE_BYTES = 16 << 20  # at most


def indexes() -> list[str]:
    """The indexes to ask, in this order: of the variables of uv and pip, else of pip's
    configuration, else PyPI; then further ones."""
    main = [os.environ[name] for name in MAIN if os.environ.get(name)][:1]
    extra = [url for name in EXTRA for url in os.environ.get(name, "").split()]
    if not main:
        configured = _pip_configuration()
        main = configured.get("index-url", [])[-1:] or [PYPI]
        extra += configured.get("extra-index-url", [])
    named = [re.sub(r"^[\w.-]+=", "", url) for url in [*main, *extra]]  # uv: NAME=URL
    return list(dict.fromkeys(url.rstrip("/") for url in named))


def address(project: str, file: str) -> str:
    """The address of the file of a project.

    Raises MissingDependencyError: no index has it; each is named with the reason.
    """
    reasons = []
    for index in indexes():
        try:
            links = _links(f"{index}/{project}/")
        except (OSError, ValueError, http.client.HTTPException) as error:
            reasons.append(f"{shown(index)}: {error}")
            continue
        for link in links:
            if PurePosixPath(unquote(urlsplit(link).path)).name == file:
                return _with_credentials(link, index)
        reasons.append(f"{shown(index)}: does not have it")
    raise MissingDependencyError(f"{file} was not found ({'; '.join(reasons)})")


def _links(page: str) -> list[str]:
    """The absolute addresses that a page links to."""
    if page.startswith("file:"):
        page += "index.html"
    with opened(page) as response:
        text = response.read(PAGE_BYTES).decode("utf-8", "replace")
        base = response.geturl()
    found = re.findall(r"""<a\s[^>]*?href\s*=\s*["']([^"']+)""", text, re.IGNORECASE)
    return [urldefrag(urljoin(base, html.unescape(link))).url for link in found]


def _with_credentials(link: str, index: str) -> str:
    """``link`` with the user and password of an index on the same host."""
    ours, theirs = urlsplit(index), urlsplit(link)
    if "@" in ours.netloc and ours.hostname == theirs.hostname and "@" not in theirs.netloc:
        user = ours.netloc.rpartition("@")[0]
        return theirs._replace(netloc=f"{user}@{theirs.netloc}").geturl()
    return link


def _pip_configuration() -> dict[str, list[str]]:
    """Option -> addresses, from the configuration files of the environment's pip, if it has one."""
    found: dict[str, list[str]] = {}
    if find_spec("pip") is None:
        return found
    command = [sys.executable, "-P", "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        option, _, value = line.partition("=")
        if value.startswith(("'", '"')):
            found.setdefault(option.rpartition(".")[2], []).extend(ast.literal_eval(value).split())
    return found
