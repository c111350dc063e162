"""Pages on a phone: nothing but a table inside its own box is wider than the screen."""

import re
import shutil
import subprocess
from html import escape

import pytest

from auricle.data.clip import Clip, Mix
from auricle.data.manifest import write_manifest
from auricle.evaluation.assessment import Assessment
from auricle.evaluation.pairing import Pairs
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.evaluation.rows import Faults
from auricle.metrics import evaluate
from auricle.records import Candidate
from auricle.report.evaluation import page
from auricle.report.mixups import write_preview
from auricle.report.page import html_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WIDTH, REM = 375, 16  # pixels
LONG = "/home/somebody/" + "x" * 120 + ".wav"
WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2


@pytest.fixture
def pages(write_tone, tmp_path):
    """An evaluation's page and a preview of mix-ups, with long words, names and many columns."""
    sound = Clip(write_tone("x" * 100 + ".wav", 2.0), (WORD,), LONG, "test")
    rivals = tuple(
        Candidate(text, -1.0, 0.5, 0.1, True, -10.0, 0.9, 0.5, 3, "m", f"score {WORD}")
        for text in (WORD, f"{WORD} and", "a dog barks")
    )
    said = (Prediction(LONG, f"{WORD} and", LONG, rivals), Prediction("b", "a dog and", "b"))
    clips = (Reference(LONG, (WORD,), LONG, (), sound), Reference("b", ("a dog",), "b", ()))
    pairs = Pairs(said, clips, 2, Faults(), (LONG,))
    texts = [prediction.caption for prediction in said]
    scores = evaluate(texts, [(WORD,), ("a dog",)], ["cider-d", "fluency"])
    mixed = Clip(
        sound.audio,
        (WORD,),
        LONG,
        "train",
        mix=Mix(sound.audio, level_db=0.0),
        extra={"mixup": {"captions": [WORD, WORD], "model": LONG}},
    )
    write_manifest(tmp_path / "m.jsonl", [mixed])
    write_preview(tmp_path / "m.jsonl", tmp_path / "preview.html", 1)
    return [page(Assessment(LONG, LONG, pairs, scores)), (tmp_path / "preview.html").read_text()]


def test_pages_have_the_form_that_folds(pages):
    for text in pages:
        assert '<meta name=viewport content="width=device-width, initial-scale=1">' in text
        style = text[text.index("<style>") : text.index("</style>")]
        assert "overflow-wrap: anywhere" in style
        wide = re.findall(r"[{;]\s*(?:min-)?width: (\d+)(px|rem)", style)
        assert wide
        assert all(int(number) * (REM if unit == "rem" else 1) <= 360 for number, unit in wide)
        body = text[text.index("</style>") :]
        tables = len(re.findall("<table", body))
        assert tables == len(re.findall(r"<div class=wide><table|<table class=sources>", body)) > 0
        height = re.search(r"audio {[^}]*min-height: (\d+)px", style)
        assert int(height[1]) >= 44  # a finger's width


def screen_width(text: str, tmp_path) -> int:
    """The width that a page takes on a screen of `WIDTH`, in an inner frame: Chromium's own windows
    are not as narrow."""
    script = (
        "onload = () => { const inner = document.querySelector('iframe').contentDocument;"
        " for (const part of inner.querySelectorAll('details')) part.open = true;"
        " document.title = inner.scrollingElement.scrollWidth }"
    )
    frame = f'<iframe width={WIDTH} height=700 srcdoc="{escape(text)}"></iframe>'
    (tmp_path / "outer.html").write_text(f"<title></title><script>{script}</script>{frame}")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "outer.html").as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return int(re.search(r"<title>(\d+)</title>", ran.stdout)[1])


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_pages_fit_the_screen(pages, tmp_path):
    assert all(screen_width(text, tmp_path) <= WIDTH for text in pages)
    unbroken = html_page("x", "", "<div style='width: 500px'>x</div>")
    assert screen_width(unbroken, tmp_path) > WIDTH  # it would be seen
