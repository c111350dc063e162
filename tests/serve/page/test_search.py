"""The tab of search: words, likeness, filters, play in place, files, keyboard, languages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.browser import until
from tests.helpers.scripted_search import CAPTIONS, FOLDERS
from tests.serve.page.test_access import DESKTOP, PHONE, check

GATE, RAIN, CROWD, _ = CAPTIONS


@pytest.fixture
def searching(open_page, stub):
    """``searching(**options)`` -> the page with the tab of search open; 42 sounds are indexed."""

    def opened(**options: Any) -> Any:
        stub.script.sounds = 42
        page = open_page(**options)
        page.locator("#tab-search").click()
        return page

    return opened


def search(page: Any, text: str) -> Any:
    """The results for ``text``."""
    page.locator("#search-text").fill(text)
    page.keyboard.press("Enter")
    page.locator(".found > li").first.wait_for()
    return page.locator(".found > li")


def test_without_an_index_there_is_no_tab(page):
    page.get_by_text("up to 2 MB each").wait_for()
    assert not page.locator("#tabs").is_visible()
    assert page.get_by_role("heading", name="What can be heard?").is_visible()


def test_the_address_and_the_arrow_keys_choose_the_tab(searching, stub):
    page = searching()
    assert page.url.endswith("#search")
    page.reload()
    page.get_by_role("heading", name="Find a sound").wait_for()
    tab = page.get_by_role("tab", name="Search")
    tab.focus()
    page.keyboard.press("ArrowRight")
    caption = page.get_by_role("tab", name="Caption")
    assert caption.get_attribute("aria-selected") == "true"
    assert caption.evaluate("one => one === document.activeElement")
    assert page.get_by_role("tabpanel", name="Caption").is_visible()
    assert not page.locator("#search-panel").is_visible()
    page.keyboard.press("End")
    assert page.get_by_role("tabpanel", name="Search").is_visible()


def test_results_say_what_where_and_how_well(searching, stub):
    page = searching()
    assert page.get_by_text("Search 42 sounds, as the model tiny heard them.").is_visible()
    rows = search(page, "metal gate")
    assert stub.searches == [{"text": "metal gate", "limit": 20}]
    assert page.get_by_role("heading", name="The best 20").is_visible()
    assert page.locator("#live").inner_text() == "The best 20"
    first, second = (rows.nth(n).inner_text() for n in (0, 1))
    for told in (
        GATE,
        "gate & fence",
        "field",
        "0:02",
        "Sure (0.81)",
        "1 copy",
        "Fit 1.00",
        "Similarity 0.50",
    ):
        assert told in first
    for told in (RAIN, "sounds/night", "0:20 – 0:30 of 1:02:05", "also at 0:40, 1:30", "Fit 0.96"):
        assert told in second
    page.get_by_role("button", name="Show more").click()
    until(page, lambda: rows.count() == 40)
    until(page, lambda: rows.nth(20).locator(".listen-in").evaluate("o => o.matches(':focus')"))
    page.get_by_role("button", name="Show more").click()
    page.get_by_role("heading", name="42 found").wait_for()
    assert not page.get_by_role("button", name="Show more").is_visible()


def test_sounds_play_in_place_one_at_a_time(searching, stub):
    page = searching()
    rows = search(page, "rain")
    page.get_by_role("button", name=f"Play: {GATE}").first.click()
    page.get_by_role("button", name=f"Stop: {GATE}").wait_for()
    assert ("GET", "/v1/sounds/1/preview") in [one[:2] for one in stub.asked]
    page.get_by_role("button", name="Play: rain").first.click()
    page.get_by_role("button", name="Stop: rain").wait_for()
    assert rows.nth(0).locator("audio").evaluate("one => one.paused")
    assert page.locator(".playing").count() == 1
    page.get_by_role("button", name="Stop: rain").click()
    until(page, lambda: page.locator(".playing").count() == 0)


def test_more_like_this_and_then_words_again(searching, stub):
    page = searching()
    search(page, "rain").nth(1).get_by_role("button", name="More like this").click()
    page.get_by_text(f"Like: {RAIN}").wait_for()
    until(page, lambda: stub.searches[-1] == {"text": "", "limit": 20, "like": 2})
    assert page.locator("#search-text").input_value() == ""
    assert page.locator(".search-results h2").evaluate("one => one === document.activeElement")
    page.get_by_role("button", name="No longer like").click()
    assert not page.locator(".like").is_visible()
    search(page, "birds")
    until(page, lambda: stub.searches[-1] == {"text": "birds", "limit": 20})


def test_filters_are_asked_for(searching, stub):
    page = searching()
    rows = search(page, "rain")
    page.get_by_text("Filters").click()
    page.get_by_label("Without").fill("music")
    page.get_by_label("At least, in seconds").fill("1.5")
    page.get_by_label("Folder", exact=True).select_option("field")
    filtered = {"exclude": ["music"], "min_duration": 1.5, "folder": "field"}
    until(page, lambda: stub.searches[-1] == {"text": "rain", "limit": 20, **filtered})
    until(page, lambda: {*rows.locator(".folder").all_inner_texts()} == {"field"})
    page.get_by_label("At least, in seconds").fill("-1")
    page.keyboard.press("Enter")
    told = "At least, in seconds: a number from 0 to 86400."
    page.get_by_role("alert").filter(has_text=told).wait_for()


@pytest.mark.slow
def test_the_folder_of_a_result_becomes_the_filter(searching, stub):
    page = searching()
    search(page, "rain")
    page.get_by_role("button", name=f"Only from the folder {FOLDERS[1]}").first.click()
    until(page, lambda: stub.searches[-1].get("folder") == FOLDERS[1])
    assert page.get_by_label("Folder", exact=True).input_value() == FOLDERS[1]


def test_a_recording_is_searched_by(searching, stub, recording):
    page = searching()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by a recording").click()
    chooser.value.set_files(recording)
    page.get_by_text("Like your recording woman & crowd.wav").wait_for()
    until(page, lambda: stub.searches == [{"text": "", "limit": "20", "file": recording.name}])
    assert stub.orders == []


def drop(page: Any) -> None:
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer()
          dataTransfer.items.add(new File(["sound"], "dropped.wav"))
          document.body.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true}))
        }"""
    )


@pytest.mark.slow
def test_a_recording_that_is_dropped_belongs_to_the_open_tab(searching, stub):
    page = searching()
    drop(page)
    page.get_by_text("Like your recording dropped.wav").wait_for()
    assert stub.orders == []
    page.get_by_role("tab", name="Caption").click()
    drop(page)
    until(page, lambda: len(stub.orders) == 1)


def test_a_file_is_downloaded_or_dragged_out(searching):
    page = searching()
    link = search(page, "rain").nth(0).get_by_role("link", name="gate & fence")
    with page.expect_download() as found:
        link.click()
    assert found.value.suggested_filename.endswith(".wav")
    data = link.evaluate(
        """link => {
          const dataTransfer = new DataTransfer()
          link.dispatchEvent(new DragEvent("dragstart", {dataTransfer, bubbles: true}))
          return dataTransfer.getData("DownloadURL")
        }"""
    )
    origin = page.url.partition("/#")[0]
    assert data == f"audio/flac:000_gate & fence 삐.flac:{origin}/v1/sounds/1/audio?download=true"


def test_a_service_with_a_key(open_page, stub):
    stub.script.key, stub.script.sounds = "key", 42
    page = open_page()
    page.locator("#key-field").fill("key")
    page.keyboard.press("Enter")
    page.locator("#tab-search").click()
    row = search(page, "rain").nth(0)
    row.locator(".listen-in").click()
    page.locator(".playing").wait_for()
    with page.expect_download() as found:
        row.get_by_role("link").click()
    assert found.value.suggested_filename == "000_gate & fence 삐.flac"
    asked = [one for one in stub.asked if one[1].startswith("/v1/sounds/")]
    assert [headers["authorization"] for _, _, headers in asked] == ["Bearer key"] * 2


@pytest.mark.slow
def test_a_result_is_captioned(searching, stub):
    page = searching()
    search(page, "rain").nth(0).get_by_role("button", name="Caption it").click()
    page.locator(".finished").wait_for()
    assert page.get_by_role("tab", name="Caption").get_attribute("aria-selected") == "true"
    assert [*stub.uploads] == ["000_gate & fence 삐.flac"]


def test_nothing_found_nothing_asked_and_faults_are_told(searching, stub):
    page = searching()
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("alert").filter(
        has_text="Write what is heard, or give a recording."
    ).wait_for()
    assert page.locator("#search-text").evaluate("one => one === document.activeElement")
    page.locator("#search-text").fill("nothing")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Nothing was found.").wait_for()
    stub.script.gone = (1,)
    search(page, "rain").nth(0).locator(".listen-in").click()
    page.get_by_role("alert").filter(has_text="The sound is not there any more").wait_for()
    stub.script.refusal = (422, "invalid_setting", "only what is not wanted: music; say what is")
    page.locator("#search-text").fill("no music")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="only what is not wanted: music").wait_for()
    assert not page.locator(".search-results").is_visible()


def test_the_text_is_cleared_by_button_and_by_escape(searching):
    page = searching()
    text = page.locator("#search-text")
    text.fill("rain")
    page.get_by_role("button", name="Clear the text").click()
    assert text.input_value() == ""
    assert not page.get_by_role("button", name="Clear the text").is_visible()
    text.fill("rain")
    page.keyboard.press("Escape")
    assert text.input_value() == ""


def test_korean(searching):
    page = searching(locale="ko-KR")
    rows = search(page, "rain")
    assert page.get_by_role("heading", name="가장 잘 맞는 20개").is_visible()
    assert rows.nth(0).get_by_role("button", name="비슷한 소리 더").is_visible()
    assert "1:02:05 중 0:20 – 0:30" in rows.nth(1).inner_text()
    page.get_by_role("combobox", name="언어").select_option("en")
    page.get_by_role("heading", name="The best 20").wait_for()
    assert page.get_by_role("button", name=f"Play: {GATE}").first.is_visible()


@pytest.mark.parametrize(
    ("scheme", "viewport", "locale"),
    [
        ("dark", PHONE, "ko-KR"),
        pytest.param("light", DESKTOP, "en-GB", marks=pytest.mark.slow),
        pytest.param("dark", DESKTOP, "en-GB", marks=pytest.mark.slow),
        pytest.param("light", PHONE, "en-GB", marks=pytest.mark.slow),
    ],
)
def test_no_state_of_search_violates_wcag(searching, stub, scheme, viewport, locale):
    page = searching(color_scheme=scheme, viewport=viewport, locale=locale, reduced_motion="reduce")
    stub.script.sounds = 6
    stub.script.gone = (2,)
    check(page)
    rows = search(page, "rain")
    page.locator(".filters summary").click()
    rows.nth(0).locator(".listen-in").click()
    rows.nth(0).locator("audio").wait_for()
    rows.nth(1).locator(".listen-in").click()
    rows.nth(1).locator(".problem p").wait_for()
    check(page)
