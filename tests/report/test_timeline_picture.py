"""The picture: no text runs into another or out of the picture, however many captions there are."""

import random
import sys

import numpy as np
import pytest
from matplotlib import image, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from auricle.errors import MissingDependencyError
from auricle.report import plots
from auricle.report import timeline_picture as module
from auricle.report.plots import literally
from auricle.report.timeline_picture import DPI, drawn, labels, write_picture
from auricle.report.words import WordsOverTime
from tests.helpers.plots import plot_of
from tests.helpers.timed import timed

LONG = "rain falls on a metal roof while thunder rumbles and people talk in the background " * 3
TEXTS = ["a bell", "a dog barks in the distance", LONG, "Donaudampfschiff" * 12, "$x$ <b> \\ _a"]


def several(number, duration_s, seed=0):
    rng = random.Random(seed)
    starts = sorted(rng.uniform(0, duration_s - 1) for _ in range(number))
    ends = [min(duration_s, s + rng.choice([0.3, 4, 12])) for s in starts]
    return [
        timed(start, end, rng.choice(TEXTS), confidence=rng.choice([None, rng.random()]))
        for start, end in zip(starts, ends, strict=True)
    ]


def boxes(figure):
    """(text, box in pixels) of every text that is drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip()]
    hidden = {
        id(one)
        for axes in figure.axes
        if not axes.axison
        for line in (axes.xaxis, axes.yaxis)
        for one in line.findobj(Text)
    }
    found = [one for one in texts if id(one) not in hidden]
    return [(one.get_text(), one.get_window_extent(renderer)) for one in found]


@pytest.mark.parametrize(("number", "duration_s"), [(0, 1.0), (1, 6.0), (14, 60.0), (60, 600.0)])
def test_no_text_runs_into_another(number, duration_s):
    name = "x" * 300 + ".wav" if number else "$a$.wav"
    words = WordsOverTime(("a", "dog", "b" * 80), np.full((3, 5), 0.2, np.float32), 0.0, duration_s)
    captions = several(number, duration_s)
    with literally():
        figure = drawn(plot_of(captions, duration_s, name, words if number == 1 else None))
        found = boxes(figure)
    assert len(found) > number
    width, height = figure.get_size_inches() * DPI
    for place, (text, box) in enumerate(found):
        assert box.x0 >= 0, text
        assert box.x1 <= width, text
        assert box.y0 >= 0, text
        assert box.y1 <= height, text
        for other, another in found[:place]:
            wide = min(box.x1, another.x1) - max(box.x0, another.x0)
            high = min(box.y1, another.y1) - max(box.y0, another.y0)
            assert wide < 0.5 or high < 0.5, (text, other)


def test_texts_have_at_least_nine_points():
    with literally():
        figure = drawn(plot_of(several(14, 60.0)))
        assert min(one.get_fontsize() for one in figure.findobj(Text) if one.get_text()) >= 9


def test_a_caption_is_in_its_span_where_it_fits_and_else_its_number():
    captions = [timed(0, 10, "a dog barks"), timed(10, 10.5, "a bell"), timed(20, 40, LONG)]
    (row,) = labels(plot_of(captions), 12.0)
    assert [" ".join(one.lines) for one in row] == ["a dog barks", "2", LONG.strip()]
    crowded = [timed(n / 10, n / 10 + 0.1, "a bell") for n in range(600)]
    assert not any(one.lines for row in labels(plot_of(crowded), 12.0) for one in row[:-1])


def test_all_captions_are_listed_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(module, "LISTED", 20)
    captions = [timed(n, n + 1, f"sound{n}") for n in range(30)]
    with literally():
        texts = [text for text, _ in boxes(drawn(plot_of(captions)))]
    assert [text for text in texts if text == "sound19"]
    assert "sound20" not in texts
    assert "and 10 more; a page (--output NAME.html) has them all" in texts


def test_the_picture_is_a_png(tmp_path):
    write_picture(plot_of(several(3, 60.0)), tmp_path / "new" / "p.png")
    assert image.imread(tmp_path / "new" / "p.png").shape[1] == round(module.WIDTH * DPI)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.png"]


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match="plots need matplotlib"):
        write_picture(plot_of([]), tmp_path / "p.png")


def test_other_scripts_have_a_font_where_one_is_installed(monkeypatch):
    monkeypatch.setattr(plots, "OTHER_FONTS", ("no such font", "STIXGeneral"))
    with literally():
        assert rcParams["font.family"] == ["DejaVu Sans", "STIXGeneral"]
    assert rcParams["font.family"] == ["sans-serif"]
