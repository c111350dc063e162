"""The embedded model on the example recordings and on sounds that say nothing."""

import numpy as np
import pytest

from auricle.decoding.confidence import NO_SOUND
from tests.helpers.paths import EXAMPLES

EXPECTED = {
    "birds-singing.ogg": "bird",
    "church-bells.ogg": "bell",
    "clock-ticking.flac": "clock",
    "helicopter.ogg": "helicopter",
    "police-siren.ogg": "siren",
    "rain-and-thunder.ogg": "rain",
    "sea-waves.ogg": "wave",
    "strong-wind.ogg": "wind",
}
RATE = 16_000
ALIVE = "dog cat bird man woman person people child baby speak talk music vehicle engine".split()


def test_examples_are_named(tiny):
    captions = tiny.caption([EXAMPLES / name for name in EXPECTED], batch_size=4)
    heard = {name: c.caption for name, c in zip(EXPECTED, captions, strict=True)}
    assert {name: text for name, text in heard.items() if EXPECTED[name] not in text} == {}


def test_order_is_told(tiny):
    caption = tiny.caption(EXAMPLES / "woman-speaking-then-applause.ogg")[0].caption
    voice = min(caption.find(word) for word in ("speak", "talk", "speech") if word in caption)
    applause = min(caption.find(w) for w in ("applau", "clap", "cheer") if w in caption)
    assert voice < applause


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_invented_where_nothing_is_heard(tiny, seed):
    noise = np.random.default_rng(seed)
    time_s = np.arange(5 * RATE) / RATE
    sounds = {
        "tone": 0.4 * np.sin(2 * np.pi * 440 * time_s),
        "high tone": 0.2 * np.sin(2 * np.pi * 3000 * time_s),
        "white noise": 0.1 * noise.standard_normal(5 * RATE),
        "faint noise": 0.001 * noise.standard_normal(5 * RATE),
    }
    captions = tiny.caption([(s.astype(np.float32), RATE) for s in sounds.values()], seed=seed)
    heard = dict(zip(sounds, (c.caption for c in captions), strict=True))
    invented = {k: text for k, text in heard.items() if set(ALIVE) & set(text.split())}
    assert invented == {}


def test_digital_silence_is_silence(tiny):
    assert tiny.caption((np.zeros(RATE, np.float32), RATE))[0].caption == NO_SOUND


def test_a_caption_alone_and_in_a_batch_is_the_same(tiny):
    paths = sorted(EXAMPLES.glob("*.ogg"))[:5]
    together = [c.caption for c in tiny.caption(paths, batch_size=5)]
    assert [tiny.caption(path)[0].caption for path in paths] == together


def test_its_folder_is_small_and_its_card_names_its_sources():
    from auricle.fetch.names import BUNDLED

    files = [path for path in (BUNDLED / "tiny").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6
    card = (BUNDLED / "tiny" / "README.md").read_text(encoding="utf-8")
    for part in ("license:", "YAMNet", "AudioCaps", "1,486 sounds", "CREDITS.md", "CIDEr-D"):
        assert part in card
    credits = (BUNDLED / "tiny" / "CREDITS.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("* ") for line in credits) == 1486
    assert any("freesound.org" in line for line in credits)
