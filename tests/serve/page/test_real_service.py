"""The page over the service itself, with a model of debug size."""

from __future__ import annotations

import pytest

from tests.helpers.models import captioner_of
from tests.helpers.service import serving


@pytest.mark.slow
def test_what_the_page_shows_is_what_the_library_says(browser, bundle, write_tone, tmp_path):
    captioner = captioner_of(bundle)
    path = write_tone("tone.wav", 4.0)
    (expected,) = captioner.caption([path], seed=3)
    with serving({"debug": captioner}, data=tmp_path / "jobs", max_upload_mb=4) as (url, _):
        page = browser.new_page(locale="en-GB")
        page.goto(url)
        page.get_by_text("up to 4 MB each").wait_for()
        page.get_by_text("Settings").click()
        page.get_by_label("Seed").fill("3")
        page.set_input_files("#files", path)
        page.locator(".finished").wait_for()
        assert page.locator(".caption").inner_text() == expected.caption
        texts = page.locator(".candidates .c-text [lang]").all_text_contents()
        assert texts == [one.text for one in expected.candidates]
        assert page.locator(".word").count() == len(expected.caption.split())
        assert page.get_by_role("slider", name="Place").get_attribute("aria-valuemax") == "4.00"
        (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")
        page.set_input_files("#files", tmp_path / "broken.wav")
        page.get_by_role("alert").filter(has_text="broken.wav").wait_for()
        page.close()
