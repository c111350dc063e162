"""The page: one file without faults, in which a click plays exactly one span."""

import base64
import io
import re
import shutil
import time
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from auricle.report import timeline_page
from auricle.report.overview import overview
from auricle.report.timeline import Plot
from auricle.report.timeline_page import page, write_page
from auricle.report.words import WordsOverTime
from tests.helpers.plots import plot_of
from tests.helpers.sounds import tone
from tests.helpers.timed import timed
from tests.report.test_phone import CHROMIUM, WIDTH, screen_width

NASTY = """</script><script>alert(1)</script><img src=x onerror='a'> "q" 'q' & ${name} $name"""
VOID = {"meta", "img", "br", "path"}


class Reader(HTMLParser):
    """Elements with their attributes and texts; asserts that they nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.raw = [], [], text
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        element = (tag, dict(attributes), [])
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        while self.open and self.open[-1][0] != tag:
            assert self.open.pop()[0] in ("li", "p")  # need no end
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element[2].append(data)

    def of(self, tag, kind=""):
        return [
            (attributes, "".join(texts))
            for name, attributes, texts in self.elements
            if name == tag and kind in (attributes.get("class") or "")
        ]


def test_texts_of_others_stay_texts():
    words = WordsOverTime(("<b>", '"'), np.full((2, 3), 1 / 3), 0.0, 5.0)
    captions = [timed(0, 5, NASTY, confidence=0.25), timed(2, 8, "rain")]
    found = Reader(page(plot_of(captions, 60.0, f"{NASTY}.wav".replace("/", "_"), words), "", ""))
    assert len(found.of("script")) == 1
    assert len(found.of("img")) == 2  # the spectrogram and the attention
    assert all(re.match("data:image/(jpeg|png);base64,", a["src"]) for a, _ in found.of("img"))
    assert not any(
        name.startswith("on") for _, attributes, _ in found.elements for name in attributes
    )
    rows = [text for attributes, text in found.of("button") if "class" not in attributes]
    assert rows[0].endswith(NASTY)
    spans = found.of("button", "span")
    assert [attributes["title"] for attributes, _ in spans] == [NASTY, "rain"]
    assert "var(--sure) 25%" in spans[0][0]["style"]
    assert "--sure" not in spans[1][0]["style"]
    assert rows[0].startswith("10:00.0 – 0:05.00.25")
    assert spans[0][0]["aria-label"] == f"1, 0:00.0 – 0:05.0: {NASTY}"
    assert found.of("title")[0][1] == f"{NASTY}.wav".replace("/", "_")


def test_spans_lie_where_they_are_heard():
    captions = [timed(6, 12), timed(30, 60.4), timed(9, 15)]
    found = Reader(page(plot_of(captions), "", ""))
    styles = {a["data-n"]: (a["style"], a["data-begin"]) for a, _ in found.of("button", "span")}
    assert styles["1"][0].startswith("left: 10.000%; width: 10.000%;")
    assert styles["2"][0].startswith("left: 50.000%; width: 50.000%;")
    assert styles["3"] == (styles["3"][0], "9")
    assert len(found.of("div", "lane")) == 2
    rows = [(a["data-begin"], a["data-end"]) for a, _ in found.of("button") if "class" not in a]
    assert rows == [("6", "12"), ("30", "60.4"), ("9", "15")]


@pytest.fixture
def recording(tmp_path):
    def write(seconds, name="a 'b' #1.wav"):
        path = tmp_path / name
        soundfile.write(path, np.concatenate([tone(seconds / 2), 0.1 * tone(seconds / 2)]), 16_000)
        return Plot(path, overview(path), [timed(0.5, 1.25), timed(1, 2.75, "rain falls")])

    return write


def test_the_sound_is_inside_the_page(recording, tmp_path):
    write_page(recording(3.0), tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=(?!\"data:)|url\(|https?:(?!//www\.w3\.org)", text)
    (attributes, _) = Reader(text).of("audio")[0]
    kind, content = attributes["src"].split(",")
    assert kind == "data:audio/mpeg;base64"
    heard, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate_hz == 24_000
    assert len(heard) / rate_hz == pytest.approx(3.0, abs=0.1)
    assert np.abs(heard[:30_000]).mean() > 5 * np.abs(heard[40_000:70_000]).mean()


def test_a_longer_sound_is_smaller_or_beside_the_page(recording, tmp_path, monkeypatch):
    found, path = recording(3.0), tmp_path / "pages" / "p.html"
    sizes = []
    for limits in ([(600, 24_000, 0.6)], [(1, 24_000, 0.6), (600, 16_000, 0.8)], []):
        monkeypatch.setattr(timeline_page, "EMBEDDED", limits)
        write_page(found, path)
        sizes.append(path.stat().st_size)
    assert sizes[0] > sizes[1] + 5_000 > sizes[2] + 10_000
    reader = Reader(path.read_text(encoding="utf-8"))
    assert reader.of("audio")[0][0]["src"] == "../a%20%27b%27%20%231.wav"
    assert "plays from a 'b' #1.wav, which must stay where it is" in reader.of("p", "facts")[1][1]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_pages_fit_a_phone(tmp_path):
    captions = [timed(n, n + 3, NASTY * 2 if n % 2 else "x" * 200) for n in range(50)]
    words = WordsOverTime(("a", "b" * 100), np.full((2, 3), 1 / 3), 0.0, 60.0)
    for plot in (plot_of(captions, path="x" * 100), plot_of(captions[:1], words=words)):
        sound = '<audio controls src=""></audio>'
        assert screen_width(page(plot, sound, NASTY), tmp_path) <= WIDTH


@pytest.fixture
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or pytest.skip("no Chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.slow
def test_a_click_plays_exactly_its_span(browser, recording, tmp_path):
    write_page(recording(3.0), tmp_path / "p.html")
    shown, faults = browser.new_page(), []
    shown.on("pageerror", lambda error: faults.append(str(error)))
    shown.goto((tmp_path / "p.html").as_uri())
    shown.wait_for_function("document.querySelector('audio').readyState >= 2")
    state = """() => {
      const audio = document.querySelector("audio")
      const on = [...document.querySelectorAll("[aria-current]")].map(part => part.dataset.n)
      return [audio.paused, audio.currentTime, on, document.querySelector(".now").textContent]
    }"""
    for kind in (".lane button", ".captions button"):
        for place, (begin, end, text) in enumerate(
            [(0.5, 1.25, "a dog barks"), (1, 2.75, "rain falls")]
        ):
            shown.locator(kind).nth(place).click()
            time.sleep(0.3)
            paused, at, on, told = shown.evaluate(state)
            assert not paused
            assert begin <= at < end
            assert set(on) == {str(place + 1)}
            assert len(on) == 3  # the span, its frame over the picture, the row
            assert told == text
            shown.wait_for_function("document.querySelector('audio').paused")
            paused, at, on, told = shown.evaluate(state)
            assert at == pytest.approx(end, abs=0.12)
            assert (on, told) == ([], "")
    shown.locator(".captions button").first.focus()
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("Enter")
    time.sleep(0.3)
    assert set(shown.evaluate(state)[2]) == {"2"}
    assert faults == []
