"""Recordings come in, and what came of them is shown, heard and marked."""

from __future__ import annotations

import io
import re

import pytest
import soundfile

from tests.helpers.browser import is_paused, until
from tests.helpers.scripted_service import CAPTION


def test_a_file_becomes_a_caption_a_table_and_a_timeline(stub, card):
    fields = stub.orders[0]
    assert [value for name, value in fields if name == "task"] == ["picture", "caption", "timeline"]
    assert {("words", "true"), ("model", "tiny"), ("file", "woman & crowd.wav")} <= {*fields}
    assert card.get_by_role("heading", name="woman & crowd.wav").is_visible()
    assert card.locator(".facts").inner_text() == "0:08 · 0.2 MB"
    assert card.locator(".caption").inner_text() == CAPTION
    assert card.locator(".caption").get_attribute("lang") == "en"
    assert card.locator(".confidence").inner_text() == (
        "Fairly sure (0.62): of 100 such captions, about 62 are right."
    )
    card.get_by_text("All 4 candidates, and why one was chosen").first.click()
    rows = card.get_by_role("table").get_by_role("row").all_inner_texts()
    cells = [re.split(r"[\t\n]+", row.strip()) for row in rows]
    assert cells[0] == "Candidate Likelihood Similarity Fluency Score Drawn Why".split()
    assert cells[1] == [
        CAPTION,
        "−0.60",
        "0.50",
        "0.90",
        "0.20",
        "4",
        "Chosen: the best that passes",
    ]
    assert cells[3][3:5] == ["0.50", "not fluent"]
    assert cells[3][-1] == "Not fluent: a word is repeated"
    head = card.get_by_role("columnheader", name="Similarity").locator("abbr")
    assert "Cosine" in head.get_attribute("title")
    assert card.locator(".rows li .text").all_inner_texts() == [
        "a woman is speaking", "a crowd of people applauding", "a door slams & someone <laughs>"
    ]  # fmt: skip


def test_files_are_dropped(stub, page):
    page.evaluate(
        """() => {
          const given = new DataTransfer()
          for (const name of ["a.wav", "b.wav"]) given.items.add(new File(["x"], name))
          for (const type of ["dragover", "drop"]) {
            const event = {dataTransfer: given, bubbles: true, cancelable: true}
            document.querySelector("#drop").dispatchEvent(new DragEvent(type, event))
          }
        }"""
    )
    page.locator(".finished").nth(1).wait_for()
    assert page.locator(".card h2").all_inner_texts() == ["a.wav", "b.wav"]
    assert {dict(order)["file"] for order in stub.orders} == {"a.wav", "b.wav"}


def test_the_microphone_is_recorded(stub, page):
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("0:01", exact=True).wait_for()
    level = page.locator(".level i")  # the fake microphone beeps
    until(page, lambda: float(level.evaluate("one => one.style.transform")[7:-1]) > 0.1)
    assert page.evaluate("document.activeElement.id") == "record-stop"
    page.keyboard.press("Enter")
    page.locator(".finished").wait_for()
    name = page.locator(".card h2").inner_text()
    assert re.fullmatch(r"recording-\d{4}(-\d\d){5}\.wav", name)
    assert dict(stub.orders[0])["file"] == name
    sound = page.locator("audio")
    assert 0.9 < sound.evaluate("one => one.duration") < 5
    samples, rate_hz = soundfile.read(io.BytesIO(stub.uploads[name]))
    assert samples.ndim == 1
    assert len(samples) / rate_hz == pytest.approx(sound.evaluate("one => one.duration"), abs=0.01)
    assert samples.max() > 0.01


def test_a_forbidden_microphone_is_explained(page):
    page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia =
             () => Promise.reject(new DOMException("no", "NotAllowedError")) }"""
    )
    page.get_by_role("button", name="Record", exact=True).click()
    assert (
        "may not use the microphone"
        in page.get_by_role("alert").filter(has_text="mic").inner_text()
    )
    assert page.evaluate("document.activeElement.id") == "record"


def test_recording_needs_a_secure_page(page):
    page.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.get_by_role("button", name="Record", exact=True).click()
    assert page.get_by_text("Browsers record only on secure pages").is_visible()


def test_a_span_plays_from_its_start_to_its_end(card):
    row = card.locator(".rows li").nth(1)
    row.get_by_role("button", name="Play 0:02.8 – 0:05.1").click()
    sound = card.locator("audio")
    row.and_(card.page.locator("[aria-current]")).wait_for()
    assert 2.7 < sound.evaluate("one => one.currentTime") < 3.6
    assert card.locator(".spans .on title").text_content().endswith("a crowd of people applauding")
    sound.evaluate("one => { one.playbackRate = 8 }")
    until(card.page, lambda: is_paused(card.page))
    assert sound.evaluate("one => one.currentTime") == pytest.approx(5.067, abs=0.02)
    assert card.locator("[aria-current]").count() == 0


def test_a_click_on_a_span_of_the_picture_plays_it(card):
    card.locator(".spans [data-id]").nth(2).click()
    card.locator(".rows li").nth(2).and_(card.page.locator("[aria-current]")).wait_for()
    assert card.locator("audio").evaluate("one => one.currentTime") == pytest.approx(5.4, abs=0.5)


def test_the_picture_is_a_slider(card):
    slider = card.get_by_role("slider", name="Place in the recording")
    assert slider.get_attribute("aria-valuetext") == "0:00.0 of 0:08.0"
    slider.focus()
    steps = [(["ArrowRight"] * 2, "0:02.0"), (["Shift+ArrowLeft"], "0:01.9"), (["End"], "0:08.0")]
    for keys, text in [*steps, (["PageDown"], "0:03.0"), (["Home"], "0:00.0")]:
        for key in keys:
            slider.press(key)
        assert slider.get_attribute("aria-valuetext") == f"{text} of 0:08.0"
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] / 4, "y": 20})
    assert slider.get_attribute("aria-valuetext") == "0:02.0 of 0:08.0"
    page = card.page
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.up()
    page.mouse.move(box["x"], box["y"] + 20)  # not held any more
    assert slider.get_attribute("aria-valuetext") == "0:04.0 of 0:08.0"


def pixels(card, canvas: str = ".moving") -> list[int]:
    """Sum of the alpha values in each of 8 equal parts of a canvas."""
    return card.locator(f".picture {canvas}").evaluate(
        """one => {
          const step = Math.floor(one.width / 8), context = one.getContext("2d")
          return Array.from({length: 8}, (_, n) => context.getImageData(n * step + 4, 0, step - 8,
            one.height).data.reduce((sum, value, at) => at % 4 === 3 ? sum + value : sum, 0))
        }"""
    )


def test_a_word_marks_its_times_and_tells_them(card):
    words = card.locator(".word")
    assert words.all_inner_texts() == CAPTION.split()
    assert pixels(card) == [0] * 8
    words.nth(1).hover()
    faded = pixels(card)
    assert min(faded) == faded[1]  # "woman" attends to the second second
    assert faded[1] < faded[7] / 2
    assert card.locator(".word-note").inner_text() == "“woman” attends most to 0:01.0 – 0:02.0."
    words.nth(0).focus()
    card.page.keyboard.press("ArrowRight")
    card.page.keyboard.press("End")
    assert card.page.evaluate("document.activeElement.textContent") == "applauds"
    assert card.page.evaluate("document.activeElement.title") == (
        "“applauds” attends most to 0:06.0 – 0:07.0."
    )
    assert [one.get_attribute("tabindex") for one in words.all()].count("0") == 1


def test_words_light_up_while_they_are_heard(card):
    def lit() -> list[float]:
        return [float(one) for one in card.locator(".word").evaluate_all(
            "all => all.map(one => one.style.getPropertyValue('--lit') || '0')"
        )]  # fmt: skip

    card.get_by_role("slider").focus()
    card.page.keyboard.press("End")
    card.page.keyboard.press("PageDown")  # 3 s
    card.page.keyboard.press(" ")
    found = until(card.page, lambda: max(now := lit()) > 0.5 and now)
    assert max(found) in found[2:5]
    assert found[0] == 0
    card.page.keyboard.press(" ")
    until(card.page, lambda: is_paused(card.page) and max(lit()) == 0)


def test_two_models_stand_side_by_side(stub, page, recording):
    page.get_by_text("Settings").click()
    page.get_by_label("clotho").check()
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Decoding").select_option("beam")
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    fields = stub.orders[0]
    assert [value for name, value in fields if name == "model"] == ["tiny", "clotho"]
    assert {("seed", "7"), ("decode", "beam")} <= {*fields}
    assert not {"candidates", "sensitivity", "min_confidence"} & {name for name, _ in fields}
    left, right = (one.bounding_box() for one in page.locator(".said").all())
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]
    assert page.get_by_role("region", name="Caption · clotho").is_visible()
    assert page.get_by_role("region", name="What is heard when · tiny").locator("li").count() == 3
    assert page.locator(".spans.second [data-id]").count() == 3


def test_wrong_settings_are_told_before_an_upload(stub, page, recording):
    stub.reset(models=("a", "b", "c"))
    page.reload()
    page.get_by_text("Settings").click()
    page.get_by_label("Least confidence").fill("2")
    page.set_input_files("#files", recording)
    assert page.get_by_text("Least confidence: a number from 0 to 1.").is_visible()
    page.get_by_label("Least confidence").fill("0.5")
    for name in "bc":
        page.get_by_label(name, exact=True).check()
    assert page.get_by_text("Choose at most 2 models.").is_visible()
    assert stub.orders == []


def test_a_format_that_the_browser_cannot_play_still_has_its_results(page, tmp_path):
    path = tmp_path / "odd.wav"
    path.write_bytes(b"not a sound that a browser knows")
    page.set_input_files("#files", path)
    page.locator(".finished").wait_for()
    assert page.get_by_text("The browser cannot play this format.").is_visible()
    slider = page.get_by_role("slider", name="Place in the recording")
    slider.press("PageUp")
    assert slider.get_attribute("aria-valuetext") == "0:05.0 of 0:08.0"
    page.get_by_role("button", name="Add at the play head").click()
    assert page.get_by_label("Start").input_value() == "0:05.000"


def test_no_confidence_is_none_and_no_sound_is_explained(stub, page, recording):
    stub.script.confidence = None
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    assert page.locator(".confidence").inner_text() == ""
    stub.reset(caption="no recognisable sound", spans=1)
    page.get_by_role("button", name="Run again with the present settings").click()
    page.get_by_text("The recording is silent, or the model was less sure").wait_for()


def test_the_caption_is_copied(open_page, recording):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.set_input_files("#files", recording)
    page.locator(".finished").wait_for()
    page.get_by_role("button", name="Copy the caption").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == CAPTION


def test_a_removed_card_is_erased_on_the_service(stub, card):
    card.get_by_role("button", name="Remove, here and on the service: woman & crowd.wav").click()
    assert card.count() == 0
    assert card.page.evaluate("document.activeElement.id") == "pick"
    until(card.page, lambda: len(stub.deleted) == 1)
