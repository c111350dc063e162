"""The timeline is edited, copied and downloaded; by pointer, by keys alone, and with thousands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import until


def downloaded(page: Any, press: Any) -> tuple[str, str]:
    """(name, text) of the file that ``press()`` downloads."""
    with page.expect_download() as found:
        press()
    return found.value.suggested_filename, Path(found.value.path()).read_text(encoding="utf-8")


def edit(card: Any, row: int, **values: str) -> None:
    card.locator(".rows li").nth(row).get_by_role("button", name="Edit").click()
    for label, value in values.items():
        card.get_by_label(label.capitalize(), exact=True).fill(value)
    card.get_by_role("button", name="Keep").click()


def test_text_and_times_are_edited_and_downloaded_as_srt(card):
    pysubs2 = pytest.importorskip("pysubs2")
    edit(card, 0, text="a woman sings", start="0:05.5", end="7")
    name, text = downloaded(card.page, card.get_by_role("button", name="Download").click)
    assert name == "woman & crowd.srt"
    assert "00:00:05,500 --> 00:00:07,000" in text
    cues = list(pysubs2.SSAFile.from_string(text))
    assert [(one.start, one.end) for one in cues] == [(2767, 5067), (5433, 7733), (5500, 7000)]
    assert text.split("\n")[2::4] == [
        "a crowd of people applauding", "a door slams & someone <laughs>", "a woman sings"
    ]  # fmt: skip
    assert card.locator(".rows .text").all_inner_texts()[-1] == "a woman sings"
    assert card.locator(".rows .sure").last.inner_text() == ""  # a person wrote that


def test_vtt_and_json_hold_the_edits(card):
    edit(card, 2, text="a door & <b>")
    card.get_by_label("Format").select_option("vtt")
    name, text = downloaded(card.page, card.get_by_role("button", name="Download").click)
    assert name == "woman & crowd.vtt"
    assert text.startswith("WEBVTT\n\n00:00:00.100 --> 00:00:02.400\na woman is speaking\n")
    assert text.endswith("\na door &amp; &lt;b&gt;\n")
    card.get_by_label("Format").select_option("json")
    _, text = downloaded(card.page, card.get_by_role("button", name="Download").click)
    first, _, last = json.loads(text)
    assert (first["model"], first["confidence"], "edited" in first) == ("tiny", 0.3, False)
    assert (last["caption"], last["confidence"], last["edited"]) == ("a door & <b>", None, True)


def test_wrong_times_are_refused_in_words(card):
    edit(card, 0, start="x")
    assert card.get_by_text("“x” is no time.").is_visible()
    start = card.get_by_label("Start")
    assert start.get_attribute("aria-invalid") == "true"
    assert start.evaluate("one => one === document.activeElement")
    start.fill("0:01")
    for end, told in (("0:00.5", "The end must be after the start."), ("9", "ends at 0:08.000")):
        card.get_by_label("End").fill(end)
        card.get_by_role("button", name="Keep").click()
        assert card.get_by_text(told).is_visible()
    card.get_by_label("Text", exact=True).fill(" ")
    card.get_by_role("button", name="Keep").click()
    assert card.get_by_text("Write what is heard.").is_visible()
    card.page.keyboard.press("Escape")
    assert card.get_by_role("button", name="Play 0:00.1 – 0:02.4").is_visible()
    assert card.get_by_role("button", name="Undo").is_disabled()


def test_spans_are_added_deleted_and_brought_back(card):
    texts = card.locator(".rows .text")
    card.locator(".rows li").nth(1).get_by_role("button", name="Delete").click()
    assert texts.count() == 2
    assert card.get_by_text("2 sounds").is_visible()
    assert "door" in card.page.evaluate("document.activeElement.getAttribute('aria-label')")
    card.get_by_role("slider", name="Place").press("PageUp")
    card.get_by_role("button", name="Add at the play head").click()
    assert card.get_by_label("Start").input_value() == "0:05.000"
    card.page.keyboard.type("glass breaks")
    card.page.keyboard.press("Enter")
    assert texts.all_inner_texts()[1] == "glass breaks"
    assert card.locator(".spans [data-id]").count() == 3
    undo = card.get_by_role("button", name="Undo")
    undo.click()
    assert texts.count() == 2
    undo.click()
    assert "applauding" in texts.all_inner_texts()[1]
    assert undo.is_disabled()


def test_a_new_span_that_is_left_is_gone(card):
    card.get_by_role("button", name="Add at the play head").click()
    card.get_by_role("button", name="Leave as it was").click()
    assert card.locator(".rows li").count() == 3
    assert card.page.evaluate("document.activeElement.textContent") == "Add at the play head"


def test_keys_alone_lead_from_the_first_tab_to_a_downloaded_file(stub, page, recording):
    def tab_to(name: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(one => one.getAttribute('aria-label') ?? one.innerText)(document.activeElement)"
            )
            outline = page.evaluate(
                "(one => one.matches('audio') || getComputedStyle(one).outlineStyle)"
                "(document.activeElement)"  # the browser's own player marks its buttons itself
            )
            assert outline != "none", f"{focused}: its focus is not seen"
            if focused.strip().startswith(name):
                return
        raise AssertionError(f"no key leads to {name}")

    choosers: list[Any] = []
    page.on(
        "filechooser", lambda one: choosers.append(one)
    )  # at once: it takes a moment to be in force
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    tab_to("Choose files")
    page.keyboard.press("Enter")
    until(page, lambda: choosers)
    choosers[0].set_files(recording)
    page.locator(".finished").wait_for()
    tab_to("Settings")
    tab_to("Place in the recording")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("slider", name="Place").get_attribute("aria-valuenow") == "1.00"
    tab_to("Edit: a woman is speaking")
    page.keyboard.press("Enter")
    page.keyboard.type("a woman laughs")
    page.keyboard.press("Enter")
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')") == "Edit: a woman laughs"
    )
    tab_to("Delete: a woman laughs")
    tab_to("Format")
    tab_to("Download")
    name, text = downloaded(page, lambda: page.keyboard.press("Enter"))
    assert name == "woman & crowd.srt"
    assert text.startswith("1\n00:00:00,100 --> 00:00:02,400\na woman laughs\n")


@pytest.mark.slow
def test_an_hour_with_thousands_of_spans_stays_quick(stub, page, tmp_path):
    (tmp_path / "hour.wav").write_bytes(b"an hour, which no browser plays")
    stub.reset(duration_s=3600.0, spans=2000, columns=2048)
    page.evaluate(
        """() => {
          window.longest = 0
          new PerformanceObserver(list => {
            window.longest = Math.max(window.longest, ...list.getEntries().map(one => one.duration))
          }).observe({type: "longtask", buffered: true})
        }"""
    )
    page.set_input_files("#files", tmp_path / "hour.wav")
    page.locator(".finished").wait_for(timeout=30_000)
    assert page.get_by_text("2000 sounds").is_visible()
    assert page.locator(".spans [data-id]").count() == 2000
    rows = page.locator(".rows li")
    assert rows.count() < 200  # the others are made when they are scrolled to
    page.locator(".scroll").evaluate("one => { one.scrollTop = one.scrollHeight }")
    until(page, lambda: rows.count() > 100)
    page.get_by_role("slider", name="Place").press("End")
    page.get_by_role("button", name="Add at the play head").click()
    page.keyboard.type("the last sound")
    page.keyboard.press("Enter")
    assert rows.count() == 2001
    assert rows.last.locator(".text").inner_text() == "the last sound"
    _, text = downloaded(page, page.get_by_role("button", name="Download").click)
    assert text.count(" --> ") == 2001
    assert page.evaluate("window.longest") < 1000  # ms, on a busy machine
