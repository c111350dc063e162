"""The report: everything on one page, text escaped, sounds inside; the command that writes it."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli import app
from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.errors import DataError
from auricle.evaluation.assessment import Assessment, as_json
from auricle.evaluation.pairing import Pairs
from auricle.evaluation.predictions import Prediction
from auricle.evaluation.references import Reference
from auricle.evaluation.rows import Faults
from auricle.evaluation.table import markdown
from auricle.metrics import evaluate
from auricle.metrics.scores import Score
from auricle.records import Candidate
from auricle.report.evaluation import ends, page, write_report
from auricle.report.player import clip_player, duration_s
from auricle.report.plots import against, distributions

EVIL = "a dog & <script>alert('x')</script> $title"
SAID = ["a dog barks", EVIL, "rain falls and", "wind blows"]
MEANT = (("a dog is barking",), ("a <b>dog</b>",), ("rain falls", "it rains"), ("strong wind",))
RIVALS = (
    Candidate("a dog barks", -1.0, 0.5, 0.05, True, count=3),
    Candidate("a <i>cat</i>", -2.0, 0.1, -0.5, True, reason="score 0.55 below"),
)


@pytest.fixture
def found(write_tone):
    """Four clips, the first with a recording and rivals, the second with a broken recording."""
    tone = write_tone("tone.wav", 1.5)
    broken = tone.parent / "broken.wav"
    broken.write_bytes(b"no sound at all")
    audio = [Clip(tone, ("x",), "0", "test"), Clip(broken, ("x",), "1", "test"), None, None]
    said = tuple(
        Prediction(str(n), text, f"said.csv:{n}", RIVALS if n == 0 else ())
        for n, text in enumerate(SAID)
    )
    clips = tuple(
        Reference(f"<clip {n}>", texts, "", (), audio[n]) for n, texts in enumerate(MEANT)
    )
    pairs = Pairs(said, clips, 5, Faults(), ("a note",))
    scores = evaluate(SAID, MEANT, ["bleu", "rouge-l", "cider-d", "fluency", "statistics"])
    return Assessment("said.csv", "r.csv", pairs, scores)


class Tags(HTMLParser):
    """Elements that are open at the end, and every tag there is."""

    VOID = frozenset(
        "meta img li td th tr p path use".split()
    )  # closed, if at all, by what follows

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_holds_everything_and_escapes_it(found):
    text = page(found)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.seen.count("script") == 1
    assert tags.seen.count("svg") >= 4
    assert (tags.seen.count("audio"), tags.seen.count("img")) == (1, 1)
    assert "<b>dog" not in text
    assert "<i>cat" not in text
    assert "a &lt;i&gt;cat&lt;/i&gt;" in text
    assert "score 0.55 below" in text
    assert "$title" in text  # of the caption, as it stands there
    assert "4 of 5 clips" in text
    assert "a note" in text
    assert "broken.wav" in text  # why it has no sound
    for name in ("BLEU-1", "CIDEr-D", "Fluency error rate (auricle detector)"):
        assert name in text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert all(a.startswith(("data:", "#")) for a in addresses)  # nothing is fetched


def test_the_sound_in_the_page_is_the_clips(found):
    (content,) = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page(found))
    sound, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate_hz == 16_000
    assert len(sound) / rate_hz == pytest.approx(1.5, abs=0.1)
    assert abs(sound).max() == pytest.approx(0.5, abs=0.1)


def test_a_page_and_the_same_as_json_and_markdown(found, tmp_path):
    told = []
    paths = write_report(found, tmp_path / "new" / "report", lambda *done: told.append(done))
    assert [path.name for path in paths] == ["report.html", "report.json", "report.md"]
    assert told == [("report", n, 4) for n in range(1, 5)]
    stored = json.loads(paths[1].read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(as_json(found)))
    assert stored["clips_of_references"] == 5
    first, _, third, _ = stored["items"]
    assert first["candidates"][1]["text"] == "a <i>cat</i>"
    assert first["scores"]["CIDEr-D"] == found.evaluation["CIDEr-D"].items[0]
    assert (first["fluency_error"], third["fluency_error"]) == (None, "incomplete end")
    assert stored["scores"]["CIDEr-D"]["interval"][0] <= stored["scores"]["CIDEr-D"]["value"]
    text = paths[2].read_text(encoding="utf-8")
    assert text.startswith(markdown(found))
    for said in (
        "| CIDEr-D |",
        "### &lt;clip 0&gt;",
        "- candidate, -0.500: a &lt;i&gt;cat",
        "incomplete",
    ):
        assert said in text


def test_a_folder_that_cannot_be_made_is_an_error(found, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="no folder for a report"):
        write_report(found, tmp_path / "file")


def test_both_ends_are_shown_of_many_clips_and_all_of_few():
    score = Score("CIDEr-D", 0.5, tuple(n / 30 for n in range(30)))
    best, worst = ends(score, shown=3).values()
    assert (best, worst) == ([29, 28, 27], [0, 1, 2])
    (every,) = ends(Score("CIDEr-D", 0.5, (0.1, 0.9, 0.5)), shown=3).values()
    assert every == [1, 2, 0]


def test_drawings_are_the_same_for_the_same_figures():
    score = Score("METEOR", 0.5, tuple(n / 40 for n in range(40)))
    (once,) = distributions([score])
    assert once == distributions([score])[0]
    drawn = against(score, {"words": [float("nan"), *map(float, range(39))], "seconds": [1.0] * 40})
    assert len(drawn) == 2
    assert all(text.startswith("<svg") for text in drawn)


def test_the_shortest_sound_has_a_picture(write_tone):
    tone = write_tone("tone.wav", 1.0)
    shown = clip_player(Clip(tone, ("x",), "0", "test", start_s=0.5, end_s=0.51), "0")
    (image,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', shown)
    assert base64.b64decode(image)[:2] == b"\xff\xd8"  # a JPEG
    section = Clip(write_tone("long.wav", 3.0), ("x",), "0", "test", start_s=1.0, end_s=2.5)
    ticks = re.findall(r">([\d.]+) s<", clip_player(section, "0"))
    assert ticks == ["0", "0.2", "0.4", "0.6", "0.8", "1", "1.2", "1.4"]
    assert duration_s(section) == 1.5
    assert duration_s(None) != duration_s(None)  # not a number


@pytest.fixture
def data(write_tone, tmp_path):
    clips = [Clip(write_tone(f"{n}.wav", 0.5 + n / 4), MEANT[n], str(n), "test") for n in range(4)]
    write_manifest(tmp_path / "data.jsonl", clips)
    rows = [json.dumps({"id": str(n), "caption": text}) for n, text in enumerate(SAID)]
    (tmp_path / "said.jsonl").write_text("\n".join(rows))
    return tmp_path


def evaluated(folder, *options, said="said.jsonl"):
    arguments = ["evaluate", str(folder / said), "--references", str(folder / "data.jsonl")]
    return CliRunner().invoke(app, [*arguments, *options])


def test_the_command_prints_a_table_json_or_markdown(data):
    ran = evaluated(data, "--metrics", "bleu,cider-d", "--metrics", "statistics")
    assert ran.exit_code == 0, ran.output
    assert "CIDEr-D" in ran.stdout
    assert "Vocabulary" in ran.stdout
    ran = evaluated(data, "--metrics", "bleu", "--format", "json")
    assert set(json.loads(ran.stdout)["scores"]) == {f"BLEU-{n}" for n in range(1, 5)}
    assert "| BLEU-4 |" in evaluated(data, "--metrics", "bleu", "--format", "markdown").stdout


def test_the_command_writes_a_report(data):
    ran = evaluated(data, "--metrics", "cider-d", "--report", str(data / "report"))
    assert ran.exit_code == 0, ran.output
    assert (data / "report" / "report.html").read_text().count("<audio") == 4
    assert "report.html" in ran.stderr


def test_the_command_counts_captions_that_are_not_of_the_training(data):
    options = ("--metrics", "statistics", "--training", str(data / "data.jsonl"))
    found = json.loads(evaluated(data, *options, "--format", "json").stdout)
    assert found["scores"]["Novel captions"]["value"] == 1.0


def test_the_command_refuses_what_it_does_not_know(data):
    ran = evaluated(data, "--metrics", "blue")
    assert (ran.exit_code, "did you mean bleu" in ran.stderr) == (2, True)
    ran = evaluated(data, said="nothing.csv")
    assert (ran.exit_code, "no file that can be read" in ran.stderr) == (2, True)
    ran = evaluated(data, said="no-such-model")
    assert (ran.exit_code, "no such model" in ran.stderr) == (2, True)


def test_a_model_captions_first_and_retrieval_is_measured(data):
    (data / "0.wav").unlink()
    options = ("--metrics", "bleu", "--report", str(data / "report"), "--candidates", "4")
    ran = evaluated(data, *options, said="../tiny")
    assert ran.exit_code == 2
    ran = CliRunner().invoke(
        app,
        ["evaluate", "tiny", "--references", str(data / "data.jsonl"), *options, "--partial"],
    )
    assert ran.exit_code == 1, ran.output  # one recording is gone
    kept = (data / "report" / "captions.jsonl").read_text().splitlines()
    assert [json.loads(line)["audio"] for line in kept] == ["1", "2", "3"]
    scores = json.loads((data / "report" / "report.json").read_text())["scores"]
    assert 0 <= scores["R@1, text to audio"]["value"] <= 1
    assert scores["R@10, audio to text"]["value"] == 1.0
    assert scores["mAP@10, text to audio"]["interval"] is not None
