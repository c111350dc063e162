"""Markdown of others' text: it shows as it is, through every writer of a card or a report."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from auricle.data.clip import Clip
from auricle.data.data_card import markdown as data_card
from auricle.data.data_card import survey
from auricle.data.manifest import write_manifest
from auricle.evaluation.assessment import Assessment
from auricle.evaluation.pairing import Pairs
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.evaluation.rows import Faults
from auricle.hub.card import default_card
from auricle.hub.ensemble import EnsembleConfig, Member, ensemble_card
from auricle.markdown import code, escape, table
from auricle.metrics import evaluate
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.records import Candidate
from auricle.report.data_plots import draw
from auricle.report.evaluation import write_report
from auricle.tiny.card import tiny_credits
from auricle.tiny.sounds import Sound
from auricle.training.card import paired_card
from auricle.training.config import TrainingConfig, UnpairedConfig
from auricle.training.examples import Source
from auricle.training.job import Outcome
from auricle.training.recipe import Recipe

EVIL = "x](javascript:alert(1)) <script>alert(1)</script> <img src=x onerror=a> | `b` **c** $y$"
EVIL += "\n\n# h\n- i"


def harmless(text: str) -> None:
    """No element, link or line is made of `EVIL`."""
    plain = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    assert "<script" not in plain
    assert "<img" not in plain
    assert not re.search(r"(?<!\\)\]\(javascript", plain)
    assert not re.search(r"^(# h|- i)$", plain, re.MULTILINE)
    for line in plain.splitlines():
        if line.startswith("|"):  # rows keep their number of cells
            assert len(re.findall(r"(?<!\\)\|", line)) < 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a dog barks, then rain (0.5)", "a dog barks, then rain (0.5)"),
        ("a_b*c _d_", r"a_b\*c \_d\_"),
        ("[a](b)", r"\[a\](b)"),
        ("a|b", r"a\|b"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("a\nb\r\tc", "a b c"),
        ("\x1b[31m\u202ea\udcff", r"\\x1b\[31m\\u202ea\\xff"),
        ("a dog 🐕\u200d🦺", "a dog 🐕\u200d🦺"),  # a joiner is writing
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("---", r"\---"),
        ("-0.5", "-0.5"),
        ("C:\\x", r"C:\\x"),
    ],
)
def test_text_shows_as_it_is(text, shown):
    assert escape(text) == shown


def test_tables_and_code_keep_their_form():
    assert table(("a", "b|"), [("-", "1.5")], numbers=True) == (
        "| a | b\\| |\n| --- | ---: |\n| - | 1.5 |\n"
    )
    assert code("a") == "```\na\n```\n"
    assert code("a\n```\nb").startswith("````\n")


def test_a_report(tmp_path):
    candidates = (Candidate(EVIL, -1.0, 0.5, 0.1, True), Candidate(f"{EVIL}2", -1.0, 0.5, 0, True))
    pairs = Pairs(
        (Prediction(EVIL, EVIL, f"{EVIL}:1", candidates),),
        (Reference(EVIL, (EVIL,), EVIL, (EVIL,)),),
        1,
        Faults(),
        (EVIL,),
    )
    found = Assessment(EVIL, EVIL, pairs, evaluate([EVIL], [(EVIL,)], ["cider-d", "fluency"]))
    page, _, report = write_report(found, tmp_path)
    harmless(report.read_text())
    tags = HTMLParser()
    seen: Counter[str] = Counter()
    tags.handle_starttag = lambda tag, _: seen.update([tag])
    tags.feed(page.read_text())
    assert (seen["script"], seen["img"], seen["a"]) == (1, 0, 0)


def test_a_data_card_and_its_plots(write_tone, tmp_path):
    path = write_tone("a.wav")
    clips = [Clip(path, (EVIL,), "1", f"s{EVIL}", licence=f"$\\frac$ {'x' * 500}")]
    write_manifest(tmp_path / "m.jsonl", [*clips, Clip(path, ("a",), "2", "_", licence="_")])
    splits = survey([tmp_path / "m.jsonl"])
    harmless(data_card(splits, draw(splits, tmp_path / "plots")))


@pytest.fixture(scope="module")
def model():
    return AudioCaptioner(debug_config())


def test_cards_of_models(model):
    unpaired = UnpairedConfig("", "", "", "")
    recipe = Recipe(EVIL, "out", TrainingConfig(steps=1), unpaired=unpaired, licence=EVIL)
    source = Source(
        Path(EVIL.replace("/", "")), 1, 1.0, Counter({EVIL: 1}), Counter(), "", (0, 0), {}
    )
    outcome = Outcome(("r.toml", f"name={EVIL}```"), 1)
    card = paired_card(recipe, model, {"training": [source]}, outcome)
    harmless(card.partition("---\n# ")[2].replace("````", "```"))
    harmless(default_card(EVIL, model, EVIL))
    config = EnsembleConfig((Member("a_b"), Member("c")))
    harmless(ensemble_card(EVIL, config))
    harmless(tiny_credits([Sound(EVIL, EVIL, (), Path("a"), EVIL, "CC0", EVIL)]))
