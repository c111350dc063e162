"""What goes wrong is said in words that tell what to do, and can be done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.browser import until


def slow_down(page: Any) -> Callable[[float], None]:
    """``slow(rate)``: the page sends so many bytes in a second; -1 for no limit."""
    client = page.context.new_cdp_session(page)

    def slow(rate: float) -> None:
        rates = {"downloadThroughput": -1, "uploadThroughput": rate, "latency": 0}
        client.send("Network.emulateNetworkConditions", {"offline": False, **rates})

    return slow


def test_an_upload_shows_how_far_it_is_and_is_cancelled(stub, page, write_tone):
    slow = slow_down(page)
    slow(200_000)
    page.set_input_files("#files", write_tone("long.wav", 30.0))
    bar = page.get_by_role("progressbar")
    until(page, lambda: 0 < float(bar.get_attribute("value") or 0) < 1)
    assert " of 0.9 MB" in page.locator(".state").inner_text()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled", exact=True).wait_for()
    assert page.evaluate("document.activeElement.textContent") == "long.wav"
    page.wait_for_timeout(100)
    assert stub.jobs == {}
    slow(-1)
    page.get_by_role("button", name="Run again").click()
    page.locator(".finished").wait_for()


def test_a_job_shows_how_far_it_is_and_is_cancelled(stub, page, recording):
    stub.script.hold = 4
    page.set_input_files("#files", recording)
    page.get_by_text("Captioning, tiny 25 %").wait_for()
    assert page.locator(".picture").is_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled", exact=True).wait_for()
    until(page, lambda: stub.deleted == [*stub.jobs])
    assert page.get_by_text("Cancelled before there was a caption").is_visible()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(stub, page, tmp_path):
    path = tmp_path / "large.wav"
    path.write_bytes(bytes(3 * 2**20))
    page.get_by_text("Sound or video, up to 2 MB each.").wait_for()
    page.set_input_files("#files", path)
    alert = page.get_by_role("alert").filter(has_text="The file has 3.0 MB")
    assert "takes 2 MB at most" in alert.inner_text()
    assert stub.orders == []


def test_an_empty_file_is_refused(stub, page, tmp_path):
    (tmp_path / "empty.wav").touch()
    page.set_input_files("#files", tmp_path / "empty.wav")
    page.get_by_text("The file is empty.").wait_for()
    assert stub.orders == []


def test_a_broken_file_says_why(stub, page, recording):
    stub.script.failure = "woman & crowd.wav: no sound file that can be read; convert it to WAV"
    page.set_input_files("#files", recording)
    alert = page.get_by_role("alert").filter(has_text="The work failed.")
    alert.wait_for()
    said = alert.get_by_text(stub.script.failure)
    assert said.get_attribute("lang") == "en"
    stub.script.failure = None
    alert.get_by_role("button", name="Try again").click()
    page.locator(".finished").wait_for()
    assert not alert.is_visible()


@pytest.mark.parametrize(
    ("refusal", "told"),
    [((413, "request_too_large", "no"), "the service takes at most 2 MB"),
     ((422, "invalid_setting", "candidates: must be a multiple of 4"), "a multiple of 4"),
     ((500, "internal_error", "the service failed"), "had a fault (HTTP 500)")],
)  # fmt: skip
def test_refusals_are_told(stub, page, recording, refusal, told):
    stub.script.refusal = refusal
    page.set_input_files("#files", recording)
    page.get_by_role("alert").filter(has_text=told).wait_for()


def test_a_busy_service_is_asked_again(stub, page, recording):
    stub.script.busy = 1
    page.set_input_files("#files", recording)
    page.get_by_text("The service is busy. Trying again in 1 s").wait_for()
    page.locator(".finished").wait_for()
    assert len(stub.orders) == 2


def test_the_key_is_asked_for_only_when_it_is_wanted(stub, page, recording):
    assert page.get_by_label("API key", exact=True).is_hidden()
    stub.script.key = "right"
    page.set_input_files("#files", recording)
    field = page.get_by_label("API key", exact=True)
    field.wait_for()
    assert field.evaluate("one => one === document.activeElement")
    assert page.get_by_text("Waiting for the API key").is_visible()
    field.fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("The service did not accept this key.").wait_for()
    field.fill("right")
    page.get_by_role("button", name="Use it").click()
    page.locator(".finished").wait_for()
    assert page.get_by_label("API key", exact=True).is_hidden()
    page.reload()  # it is remembered in this tab
    page.get_by_text("Sound or video, up to 2 MB each.").wait_for()
    assert page.get_by_label("API key", exact=True).is_hidden()
    assert page.evaluate("localStorage.length") == 0


def test_a_cut_connection_is_taken_up_where_it_ended(stub, page, recording):
    stub.script.cut = 6
    page.set_input_files("#files", recording)
    page.get_by_text("The connection is lost. Trying again").wait_for()
    page.locator(".finished").wait_for()
    last = [
        headers.get("last-event-id") for _, path, headers in stub.asked if path.endswith("/events")
    ]
    assert last == [None, "6"]
    assert page.locator(".rows li").count() == 3  # none twice


def test_a_job_that_begins_anew_shows_nothing_twice(stub, page, recording):
    again = stub._job

    def job(*args):
        found = again(*args)
        found.events[-1:-1] = found.events[:-1]  # the service was killed, and started again
        return found

    stub._job = job
    try:
        page.set_input_files("#files", recording)
        page.locator(".finished").wait_for()
    finally:
        del stub._job
    assert page.locator(".rows li").count() == 3
    assert page.locator(".picture").count() == page.locator(".candidates").count() == 1


def test_an_upload_without_a_connection_can_be_tried_again(stub, page, recording):
    page.get_by_text("Sound or video, up to 2 MB each.").wait_for()
    page.context.set_offline(True)
    page.set_input_files("#files", recording)
    page.get_by_text("The connection to the service was lost.").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.locator(".finished").wait_for()


def test_notes_are_shown(stub, page, recording):
    stub.script.note = "woman & crowd.wav: cut short; heard as far as it goes"
    page.set_input_files("#files", recording)
    page.get_by_text(stub.script.note).wait_for()
