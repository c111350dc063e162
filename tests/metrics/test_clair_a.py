"""CLAIR-A through a server with faults: verdicts are read from any answer, kept, and billed."""

import json
import math

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.llm import client as client_module
from auricle.llm.client import ClientConfig
from auricle.metrics import evaluate
from auricle.metrics.clair_a import Judgement, LlmJudge, chat, judge_captions, read_judgement
from auricle.metrics.registry import METRICS, chosen
from tests.helpers.hostile_server import HostileServer, endless
from tests.helpers.mixup_server import MixupServer

pytest.importorskip("openai", reason="needs openai: pip install 'auricle[mixup]'")

SAID = ["a dog barks", "rain falls", "a man talks", "rain falls"]
MEANT = [["a dog is barking"], ["it rains", "rain"], ["a woman sings"], ["it rains", "rain"]]
KEY = "sk-test-never-to-be-seen-1234567890"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.02)


def verdict(messages):
    """80 for the dog, 40 for others, in three ways of answering; first no verdict on the man."""
    text = messages[0]["content"]
    if "a dog barks" in text:
        return '```json\n{"score": 80, "reason": "the same  dog"}\n```'
    if "a man talks" in text and len(messages) == 1:
        return "I cannot say."
    return 'Sure! Here it is: {"score": "40/100", "reason": "so so"} I hope it helps.'


def judge(server, **more):
    return LlmJudge(ClientConfig("judge", server.base_url, timeout_s=1.0), **more)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"score": 85, "reason": "x"}', 85),
        ('{"reason": "braces {} in it", "score": 7}', 7),
        ('<think>{"a": 1}</think>\n{"score": 12.5}', 12.5),
        ("```json\n{'score': 60, 'reason': 'single quotes'}\n```", 60),
        ('{"score": 90, "reason": "torn', 90),
        ("Score: 70", 70),
        ('{"score": "85 / 100"}', 85),
        ('{"score": 0, "reason": "nothing"}', 0),
        ('{"score": 101}', None),
        ('{"score": -3}', None),
        ('{"score": 0.85}', None),  # of 1, not of 100
        ('{"score": true}', None),
        ('{"score": null}', None),
        ('{"score": NaN}', None),
        ("no idea", None),
        ("", None),
        ("{" * 3000, None),
    ],
)
def test_a_verdict_is_read_from_any_answer_that_has_one(answer, score):
    found = read_judgement(answer)
    assert (found.score if found else None) == score


def test_scores_are_verdicts_with_ties_broken_by_similarity():
    costs = []
    with MixupServer(reply=verdict) as server:
        found = evaluate(SAID, MEANT, ["clair-a", "sbert"], llm=judge(server, spent=costs.append))
        score = found["CLAIR-A (judge)"]
        assert server.asked.total() == 4  # three different captions, the man twice
    similar = found.scores[0].items
    assert found.scores[0].name.startswith("SBERT")
    for item, points, same in zip(score.items, (80, 40, 40, 40), similar, strict=True):
        assert item == pytest.approx(0.9999 * points / 100 + 0.0001 * same)
    assert score.corpus == pytest.approx(sum(score.items) / 4)
    assert score.reasons == ("the same dog", "so so", "so so", "so so")
    assert found.intervals["CLAIR-A (judge)"].low < score.corpus
    assert [(c.prompt, c.completion) for c in costs] == [(160, 80)]  # by the server's count


def test_faults_of_the_server_lose_nothing():
    with MixupServer(0.3, reply=verdict, stall_s=1.5) as server:
        captions = [f"a man talks {n}" for n in range(30)]
        found = judge_captions(judge(server), [(text, ("a voice",)) for text in captions])
        assert server.met
    assert len(found.found) == 30
    assert not found.failed


def test_captions_without_a_verdict_do_not_count_and_are_named():
    with MixupServer(reply=lambda m: "?" if "rain" in m[0]["content"] else '{"score": 50}') as s:
        found = evaluate(SAID, MEANT, ["clair-a"], llm=judge(s))
    score = found["CLAIR-A (judge)"]
    assert [math.isnan(item) for item in score.items] == [False, True, False, True]
    assert score.corpus == pytest.approx(0.5, abs=1e-3)
    assert "1 no verdict in the answer" in found.missing[0].reason
    with MixupServer(reply=lambda _: "?") as server:
        found = evaluate(SAID, MEANT, ["clair-a"], llm=judge(server))
    assert (found.scores, len(found.missing)) == ((), 1)


def test_a_server_that_does_not_end_its_reply_costs_only_its_captions():
    with HostileServer(endless) as server:
        found = evaluate(SAID[:2], MEANT[:2], ["clair-a"], llm=judge(server))
    assert "2 a reply of more than 1 MB" in found.missing[0].reason


def test_verdicts_are_kept_and_not_asked_for_again(tmp_path):
    kept = tmp_path / "more" / "verdicts.jsonl"
    pairs = [(text, tuple(meant)) for text, meant in zip(SAID, MEANT, strict=True)]
    with MixupServer(reply=verdict) as server:
        first = judge_captions(judge(server, kept=kept), pairs[:2])
        assert server.asked.total() == 2
        with kept.open("a") as file:
            file.write('{"model": "judge", "pro')  # a kill in the middle of a line
        again = judge_captions(judge(server, kept=kept), pairs)
        assert server.asked.total() == 4
    assert first.found.items() <= again.found.items()
    assert again.found[pairs[0]] == Judgement(80.0, "the same dog")
    assert KEY not in kept.read_text()


def test_without_a_judge_and_without_a_server_it_is_missing():
    assert "clair-a" not in chosen(None)
    assert list(chosen(["all", "clair-a"])) == [k for k, m in METRICS.items() if not m.asked] + [
        "clair-a"
    ]
    assert "--judge" in evaluate(SAID, MEANT, ["clair-a"]).missing[0].command
    absent = LlmJudge(ClientConfig("judge", "http://127.0.0.1:9/v1"))
    missing = evaluate(SAID, MEANT, ["clair-a"], llm=absent).missing[0]
    assert "nothing answers there" in missing.reason


def test_the_prompt_holds_caption_and_references():
    text = chat("a  dog\nbarks", ["one", "two"])[0]["content"]
    assert "Caption:\n- a dog barks\n" in text
    assert "References:\n- one\n- two\n" in text
    assert '{"score": ' in text


def test_the_command(tmp_path):
    clips = [
        f'{{"id": "{n}", "audio": "{n}.wav", "captions": ["{t[0]}"]}}' for n, t in enumerate(MEANT)
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(clips))
    said = [json.dumps({"audio": str(n), "caption": text}) for n, text in enumerate(SAID)]
    (tmp_path / "said.jsonl").write_text("\n".join(said))
    command = ["evaluate", tmp_path / "said.jsonl", "--references", tmp_path / "data.jsonl"]
    command += ["--metrics", "clair-a", "--judge", "judge", "--price", 1, 2, "--format", "json"]
    command += ["--verdicts", tmp_path / "verdicts.jsonl"]
    with MixupServer(reply=verdict, key=KEY, model="judge") as server:
        full = list(map(str, [*command, "--base-url", server.base_url]))
        found = CliRunner().invoke(app, full)
        wrong = [part if part != "judge" else "other" for part in full]
        other = CliRunner().invoke(app, wrong)
    assert found.exit_code == 0, found.output
    scores = json.loads(found.stdout)
    assert scores["scores"]["CLAIR-A (judge)"]["value"] == pytest.approx(0.5, abs=1e-3)
    assert scores["items"][0]["reasons"] == {"CLAIR-A (judge)": "the same dog"}
    assert "240 tokens (costs 0.00032)" in found.stderr
    assert KEY not in found.output + (tmp_path / "verdicts.jsonl").read_text()
    assert "correct --judge" in json.loads(other.stdout)["missing"][0]["reason"]
