"""A browser, and a service without models whose page it opens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.scripted_service import ScriptedService

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SWITCHES = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
WAIT_MS = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=program, args=SWITCHES, chromium_sandbox=False
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def running() -> Iterator[ScriptedService]:
    with ScriptedService() as service:
        yield service


@pytest.fixture
def stub(running: ScriptedService) -> ScriptedService:
    running.reset()
    return running


@pytest.fixture
def open_page(browser: Any, stub: ScriptedService) -> Iterator[Callable[..., Any]]:
    """``open_page(**options of a context)`` -> the page, ready. At the end, nothing may have gone
    wrong in it, and nothing may have been asked of another host."""
    contexts, wrong = [], []

    def watch(page: Any) -> None:
        def told(message: Any) -> None:
            # Chromium tells of every answer that is no success, and that tests read pixels.
            known = message.text.startswith(
                ("Failed to load resource", "Canvas2D: Multiple readback")
            )
            if message.type in ("error", "warning") and not known:
                wrong.append(message.text)

        def asked(request: Any) -> None:
            if not request.url.startswith((stub.url, "blob:", "data:")):
                wrong.append(f"asks {request.url}")

        page.on("console", told)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", asked)

    def opened(**options: Any) -> Any:
        viewport = {"width": 1280, "height": 900}
        context = browser.new_context(**{"viewport": viewport, "locale": "en-GB"} | options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        watch(page)
        page.goto(stub.url)
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    return open_page()


@pytest.fixture
def recording(write_tone: Callable[..., Path]) -> Path:
    return write_tone("woman & crowd.wav", 8.0)


@pytest.fixture
def card(page: Any, recording: Path) -> Any:
    """The card of a recording whose job is done."""
    page.set_input_files("#files", recording)
    found = page.locator(".card")
    found.and_(page.locator(".finished")).wait_for()
    return found
