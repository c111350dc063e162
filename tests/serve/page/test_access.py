"""The page is for all: WCAG 2.2 AA by axe-core, phones, dark and light, English and Korean."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.browser import until

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


def check(page: Any) -> None:
    """No violation, and no scrolling sideways."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
    options = {"runOnly": {"type": "tag", "values": TAGS}}
    found = axe().run(page, options=options).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def states(page: Any, stub: Any, recording: Any) -> Any:
    """Show the page in its states, one after another."""
    page.get_by_text("MB").first.wait_for()
    yield "empty"
    page.locator("#settings summary").click()
    page.locator("input[value=clotho]").check()
    yield "settings"
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    page.locator(".all summary").first.click()
    page.locator(".word").first.focus()
    yield "result"
    page.locator(".rows .icon").first.click()
    page.locator(".rows input[name=end]").first.fill("0")
    page.keyboard.press("Enter")
    page.locator(".rows .problem:not(:empty)").wait_for()
    yield "editing"
    stub.script.failure = "odd.wav: cannot be read; convert it to WAV"
    page.locator("#files").set_input_files(recording)
    page.locator(".failed").wait_for()
    yield "error"
    stub.script.key = "key"
    page.locator("#files").set_input_files(recording)
    page.locator("#key").wait_for()
    yield "key"


@pytest.mark.parametrize(
    ("scheme", "viewport", "locale"),
    [
        ("dark", PHONE, "ko-KR"),
        pytest.param("light", DESKTOP, "en-GB", marks=pytest.mark.slow),
        pytest.param("dark", DESKTOP, "en-GB", marks=pytest.mark.slow),
        pytest.param("light", PHONE, "en-GB", marks=pytest.mark.slow),
        pytest.param("light", DESKTOP, "ko-KR", marks=pytest.mark.slow),
    ],
)
def test_no_state_violates_wcag(open_page, stub, recording, scheme, viewport, locale):
    page = open_page(color_scheme=scheme, viewport=viewport, locale=locale, reduced_motion="reduce")
    seen = []
    for state in states(page, stub, recording):
        seen.append(state)
        check(page)
    assert seen == ["empty", "settings", "result", "editing", "error", "key"]


def test_korean_by_the_browsers_language_and_by_choice(open_page, recording):
    page = open_page(locale="ko-KR")
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.get_by_role("heading", name="무엇이 들립니까?").is_visible()
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    assert page.locator(".confidence").inner_text() == (
        "꽤 확실함 (0.62): 이런 캡션 100개 중 약 62개가 맞습니다."
    )
    page.get_by_role("combobox", name="언어").select_option("en")
    until(page, lambda: page.locator("html").get_attribute("lang") == "en")
    assert page.locator(".confidence").inner_text().startswith("Fairly sure (0.62)")
    assert page.get_by_role("button", name="Edit: a woman is speaking").is_visible()
    slider = page.get_by_role("slider", name="Place in the recording")
    assert slider.get_attribute("aria-valuetext") == "0:00.0 of 0:08.0"
    page.reload()  # the choice is remembered
    page.get_by_role("heading", name="What can be heard?").wait_for()


def test_dark_and_light_by_the_system_and_by_choice(open_page):
    page = open_page(color_scheme="dark")

    def ground() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert ground() == "rgb(23, 24, 26)"
    page.get_by_role("button", name="Dark or light").click()
    assert ground() == "rgb(246, 246, 244)"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert ground() == "rgb(246, 246, 244)"


def test_what_happens_is_told_without_chatter(open_page, stub, recording):
    page = open_page()
    page.evaluate(
        """() => {
          window.told = []
          const live = document.querySelector("#live")
          new MutationObserver(() => window.told.push(live.textContent))
            .observe(live, {childList: true, characterData: true, subtree: true})
        }"""
    )
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    caption = "a woman speaks and a crowd applauds. Fairly sure (0.62): of 100 such captions,"
    first, second, third = page.evaluate("window.told")
    assert first == "1 recording added."
    assert second.startswith(caption)
    assert third == "woman & crowd.wav: Done"


def test_controls_are_large_enough_to_touch(open_page, recording):
    page = open_page(viewport=PHONE)
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("button, select, summary, input")]
          .filter(one => one.checkVisibility()).map(one => {
            const box = one.getBoundingClientRect()
            return [one.textContent.trim() || one.getAttribute("aria-label"), box.width, box.height]
          })"""
    )
    assert len(sizes) > 20
    assert [one for one in sizes if one[2] < 24 or (one[1] < 24 and len(one[0]) > 1)] == []
