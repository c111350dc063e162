"""What the page draws: equal to the overview and the attention that it is made of."""

import base64
import json

import numpy as np

from auricle.report.overview import overview
from auricle.report.player import mark_height
from auricle.report.words import WordsOverTime
from auricle.serve.pictures import picture, words_record
from tests.helpers.sounds import tone
from tests.helpers.timed import timed

RATE = 16_000


def pixels(found):
    spectrogram = found["spectrogram"]
    data = np.frombuffer(base64.b64decode(spectrogram["data"]), np.uint8)
    return data.reshape(spectrogram["rows"], spectrogram["columns"])


def test_a_picture_is_the_overview_in_whole_numbers():
    shown = overview((tone(2.0), RATE))
    found = json.loads(json.dumps(picture(shown)))
    assert (found["duration_s"], found["column_s"]) == (2.0, 0.01)
    np.testing.assert_allclose(np.array(found["highs"]) / 127, shown.highs, atol=0.5 / 127)
    np.testing.assert_allclose(np.array(found["lows"]) / 127, shown.lows, atol=0.5 / 127)
    assert pixels(found).shape == (64, 200)
    means = (shown.energies[0::2] + shown.energies[1::2]) / 2
    np.testing.assert_allclose(pixels(found) / 255, means, atol=0.5 / 255 + 1e-6)


def test_the_lowest_frequencies_come_first():
    """A tone is brightest where its mark would be."""
    for hertz in (250, 4000):
        found = picture(overview((tone(2.0, frequency_hz=hertz), RATE)))
        brightest = pixels(found).sum(axis=1, dtype=int).argmax()
        assert abs((brightest + 0.5) / 64 - mark_height(hertz)) < 1.5 / 64
        assert dict(found["marks"])[hertz] == round(mark_height(hertz), 4)


def test_the_shares_of_each_word():
    weights = np.array([[0.25, 0.75], [1 / 3, 2 / 3]], np.float32)
    caption = timed(1.0, 3.0, "dogs bark", audio="a.wav")
    found = words_record(caption, WordsOverTime(("dogs", "bark"), weights, 1.0, 3.0))
    assert json.loads(json.dumps(found)) == {
        "model": "tiny",
        "audio": "a.wav",
        "words": ["dogs", "bark"],
        "start_s": 1.0,
        "end_s": 3.0,
        "weights": [[0.25, 0.75], [0.33333, 0.66667]],
    }
