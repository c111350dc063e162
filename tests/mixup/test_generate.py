"""Generation through a server with faults: nothing lost, nothing twice, no key anywhere."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.data import Clip, write_manifest
from auricle.errors import DataError, ProviderError
from auricle.llm import client as client_module
from auricle.llm.client import ClientConfig
from auricle.llm.cost import Price, TokenCount
from auricle.mixup.answers import read_rows
from auricle.mixup.generate import estimate, generate, generate_by_grammar, missing
from auricle.mixup.pairs import CaptionPairs
from auricle.mixup.prompts import PAPER
from auricle.mixup.status import GenerationStatus
from tests.helpers.mixup_server import MixupServer, mixed

pytest.importorskip("openai", reason="needs openai: pip install 'auricle[mixup]'")

KEY = "sk-test-never-to-be-seen-1234567890"
SUBJECTS = "A dog, A cat, A man, A bell, A train, Rain, An engine, A crow, Water, Wind".split(", ")
VERBS = "barks meows laughs rings passes falls idles caws drips blows".split()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.02)


def manifest(folder: Path, clips: int = 60) -> Path:
    path = folder / "manifest.jsonl"
    texts = [
        f"{subject} {verb} in room {room}"
        for room in range(9)
        for subject, verb in zip(SUBJECTS, VERBS, strict=True)
    ]
    write_manifest(
        path,
        (Clip(folder / f"{n}.wav", (texts[n % 90],), f"clip-{n}", "train") for n in range(clips)),
    )
    return path


def config(server: MixupServer, **more: object) -> ClientConfig:
    return replace(ClientConfig("tiny-llm", server.base_url, 8, timeout_s=1.0), **more)


def check(output: Path, pairs: CaptionPairs, count: int) -> None:
    """``output`` holds every pair once, in order, with the answer to its own captions."""
    rows = list(read_rows(output))
    assert [row.pair for row in rows] == list(range(count))
    for row in rows:
        assert pairs.made(row)
        assert row.captions == pairs[row.pair].captions
        assert row.answer == mixed(PAPER.messages(row.captions))
    assert output.read_bytes().count(b"\n") == count


def test_rows_say_where_they_come_from(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path), seed=7)
    with MixupServer() as server:
        summary = generate(tmp_path / "o.jsonl", pairs, 20, config(server))
    assert (summary.made, summary.found, summary.complete) == (20, 0, True)
    check(tmp_path / "o.jsonl", pairs, 20)
    row = next(read_rows(tmp_path / "o.jsonl"))
    assert (row.prompt, row.model, row.provider, row.seed) == ("paper-1", "tiny-llm", "openai", 7)
    assert row.audio == tuple(clip.audio for clip in pairs[0].clips)
    assert row.relation is None
    assert all(
        asked.startswith("Generate a mix of the following two audio captions, and keep the gen")
        for asked in server.asked
    )


def test_faults_are_survived(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))
    with MixupServer(faults=0.4, stall_s=0.6, seed=1) as server:
        summary = generate(
            tmp_path / "o.jsonl", pairs, 120, config(server, timeout_s=0.4, tries=20)
        )
    assert set(server.met) == {"stall", "limit", "fail", "garbage", "drop"}
    assert summary.retries == server.met.total()
    assert server.asked.total() == 120
    check(tmp_path / "o.jsonl", pairs, 120)


def test_at_most_so_many_requests_at_a_time(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))
    for limit in (1, 6):
        with MixupServer(delay_s=0.02) as server:
            generate(tmp_path / f"{limit}.jsonl", pairs, 30, config(server, concurrency=limit))
        assert server.most_at_once == limit


def test_what_fails_is_left_for_the_next_run(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))
    output = tmp_path / "o.jsonl"
    with MixupServer(faults=0.5, kinds=("fail",), seed=2) as server:
        first = generate(output, pairs, 40, config(server, tries=1))
    assert first.failed["500"] == server.met["fail"] > 5
    assert first.made == 40 - first.failed.total() > 5
    assert not first.complete
    pair_numbers = [row.pair for row in read_rows(output)]
    assert pair_numbers == sorted(pair_numbers)
    with MixupServer() as server:
        second = generate(output, pairs, 40, config(server))
    assert (second.found, second.made) == (first.made, first.failed.total())
    assert server.asked.total() == second.made  # none is asked twice
    check(output, pairs, 40)
    with MixupServer() as server:  # more of the same
        generate(output, pairs, 55, config(server))
    assert server.asked.total() == 15
    check(output, pairs, 55)


def test_a_pause_that_the_server_asks_for_is_kept(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))

    class Limited(MixupServer):
        def fault(self) -> str:
            first = not self.met
            self.met["limit"] += 1
            return "limit" if first else ""

    with Limited() as server:
        start_s = time.monotonic()
        generate(tmp_path / "o.jsonl", pairs, 1, config(server, tries=2))
    assert time.monotonic() - start_s >= 0.05


def stopped_by(run: Callable[[], object], output: Path) -> str:
    """The message of the error that ends ``run`` at once; no traceback shows the key."""
    start_s = time.monotonic()
    with pytest.raises(ProviderError) as error:
        run()
    assert time.monotonic() - start_s < 5
    assert not output.exists() or not list(read_rows(output))
    shown = "".join(traceback.format_exception(error.value))
    assert KEY not in shown
    return str(error.value)


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"key": "another"}, "the key is refused"),
        ({"model": "gpt"}, 'no model "tiny-llm" there'),
        ({"faults": 1.0, "kinds": ("quota",)}, "quota is used up"),
        ({"faults": 1.0, "kinds": ("refuse",)}, "refuses the requests"),
    ],
)
def test_what_no_retry_mends_ends_the_run(tmp_path, server, message):
    pairs = CaptionPairs.read(manifest(tmp_path))
    output = tmp_path / "o.jsonl"
    with MixupServer(**server) as running:
        said = stopped_by(lambda: generate(output, pairs, 60, config(running)), output)
        assert message in said
        assert running.base_url in said


def test_a_server_that_is_gone_ends_the_run(tmp_path, monkeypatch):
    pairs = CaptionPairs.read(manifest(tmp_path))
    output = tmp_path / "o.jsonl"
    with MixupServer() as gone:
        pass
    said = stopped_by(lambda: generate(output, pairs, 60, config(gone)), output)
    assert "nothing answers there" in said
    with MixupServer(faults=1.0, kinds=("fail",)) as broken:
        said = stopped_by(lambda: generate(output, pairs, 60, config(broken, tries=1)), output)
    assert "25 requests in a row without an answer" in said
    assert broken.met.total() < 40


def test_a_key_or_an_address_is_needed(tmp_path, monkeypatch):
    pairs = CaptionPairs.read(manifest(tmp_path))
    output = tmp_path / "o.jsonl"
    wrong = ClientConfig("m", "localhost:8000")
    assert "not an address" in stopped_by(lambda: generate(output, pairs, 5, wrong), output)
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\u00e9")
    said = stopped_by(lambda: generate(output, pairs, 5, ClientConfig("m")), output)
    assert "characters that no key has" in said
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "no key" in stopped_by(lambda: generate(output, pairs, 5, ClientConfig("m")), output)
    with MixupServer() as server:  # of one's own: no key needed
        assert generate(output, pairs, 5, config(server)).complete


def test_the_key_is_nowhere(tmp_path, caplog, capfd):
    """Not in a file, the log, the output or what is counted, even if the server repeats it."""
    caplog.set_level(logging.DEBUG)
    pairs = CaptionPairs.read(manifest(tmp_path))
    told: list[GenerationStatus] = []

    with MixupServer(faults=0.3, kinds=("fail", "refuse"), key=KEY, seed=4) as server:
        summary = generate(
            tmp_path / "o.jsonl", pairs, 40, config(server, tries=2), progress=told.append
        )
    assert summary.made > 10
    seen = repr((summary, told, config(server))) + caplog.text + "".join(capfd.readouterr())
    for path in tmp_path.rglob("*"):
        if path.is_file():
            seen += path.read_text()
    assert KEY not in seen
    assert "chat/completions" in seen  # the log was looked at


def test_an_answer_that_repeats_the_key_is_hidden(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))
    with MixupServer(reply=lambda messages: f"Your key is {KEY}.") as server:
        generate(tmp_path / "o.jsonl", pairs, 3, config(server))
    assert {row.answer for row in read_rows(tmp_path / "o.jsonl")} == {"Your key is ***."}


def test_a_key_that_is_no_secret_changes_no_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a")
    pairs = CaptionPairs.read(manifest(tmp_path))
    with MixupServer(reply=lambda messages: "A dog barks") as server:
        generate(tmp_path / "o.jsonl", pairs, 3, config(server))
    assert {row.answer for row in read_rows(tmp_path / "o.jsonl")} == {"A dog barks"}


def test_another_run_is_not_continued(tmp_path):
    path = manifest(tmp_path)
    pairs = CaptionPairs.read(path)
    output = tmp_path / "o.jsonl"
    with MixupServer() as server:
        generate(output, pairs, 5, config(server))
        before = output.read_bytes()
        for others, changed in (
            (CaptionPairs.read(path, seed=1), config(server)),
            (pairs, config(server, model="other")),
            (CaptionPairs.read(manifest(tmp_path, 50)), config(server)),
        ):
            with pytest.raises(DataError, match="go on with the same, or give another --output"):
                generate(output, others, 10, changed)
        with pytest.raises(DataError, match="give a lower --count"):
            generate(output, pairs, 10**9, config(server))
    assert output.read_bytes() == before


def test_progress_counts_rows_tokens_and_cost(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))
    told: list[GenerationStatus] = []
    with MixupServer() as server:
        summary = generate(tmp_path / "o.jsonl", pairs, 30, config(server), progress=told.append)
    assert [step.done for step in told] == list(range(31))
    assert summary.tokens == TokenCount(30 * 40, 30 * 20)  # as the server counts
    assert told[10].expected == TokenCount(1200, 600)
    assert told[0].seconds_left is None
    assert told[-1].seconds_left == 0
    assert told[15].per_s > 0
    assert summary.tokens.cost(Price(0.5, 1.5)) == pytest.approx((1200 * 0.5 + 600 * 1.5) / 1e6)
    assert summary.tokens.cost(None) is None


def test_an_estimate_comes_first(tmp_path):
    pairs = CaptionPairs.read(manifest(tmp_path))
    output = tmp_path / "o.jsonl"
    numbers = missing(output, pairs, 1000, "paper-1", "m", "openai")
    found = estimate(pairs, numbers)
    text = sum(len(PAPER.messages(pairs[n].captions)[0]["content"]) for n in numbers)
    assert found.prompt == pytest.approx(8000 + text / 4, rel=0.02)
    assert 25_000 < found.completion < 40_000
    assert estimate(pairs, []) == TokenCount()


def test_grammar_needs_no_server(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    pairs = CaptionPairs.read(manifest(tmp_path))
    output, again = tmp_path / "o.jsonl", tmp_path / "again.jsonl"
    first = generate_by_grammar(output, pairs, 100)
    rows = list(read_rows(output))
    assert first.made == len(rows) == 100
    assert {row.relation for row in rows} == {"together", "followed by"}
    assert {row.provider for row in rows} == {"local"}
    assert all(("followed by" in row.answer) == (row.relation == "followed by") for row in rows)
    generate_by_grammar(again, pairs, 40)
    torn = again.read_bytes()
    again.write_bytes(torn[:-30])
    assert generate_by_grammar(again, pairs, 100).made == 61
    assert again.read_bytes() == output.read_bytes()


RUN = """
import sys
from auricle.llm import client
from auricle.llm.client import ClientConfig
from auricle.mixup.generate import generate
from auricle.mixup.pairs import CaptionPairs
client.FIRST_WAIT_S = 0.05
manifest, output, address, count = sys.argv[1:]
config = ClientConfig("tiny-llm", address, 16, timeout_s=1.5)
generate(output, CaptionPairs.read(manifest, 11), int(count), config)
"""


def drill(folder: Path, count: int, kills: int, clips: int) -> MixupServer:
    """``count`` mix-ups, a tenth of the requests faulty, in a process killed ``kills`` times."""
    path, output = manifest(folder, clips), folder / "mixups.jsonl"
    with MixupServer(faults=0.1, stall_s=3.0, delay_s=0.02, key=KEY, seed=5) as server:
        command = [sys.executable, "-c", RUN, path, output, server.base_url, count]
        for kill in range(1, kills + 1):
            with subprocess.Popen([*map(str, command)], env=dict(os.environ)) as run:
                while lines(output) < count * kill // (kills + 1):
                    assert run.poll() is None
                    time.sleep(0.01)
                run.send_signal(signal.SIGKILL)
            assert lines(output) < count
            with output.open("ab") as file:  # as if killed in the middle of a line
                file.write(b'{"pair": 7, "ids": ["clip-1", "cl')
        for _ in range(3):  # what kept failing is left for the next run
            subprocess.run([*map(str, command)], check=True, env=dict(os.environ))
            if lines(output) == count:
                break
    check(output, CaptionPairs.read(path, 11), count)
    assert KEY.encode() not in output.read_bytes()
    return server


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_killed_run_is_continued(tmp_path):
    server = drill(tmp_path, count=60, kills=1, clips=40)
    assert server.asked.total() <= 60 + 16  # what was under way may be asked again


@pytest.mark.slow
def test_2000_mixups_with_faults_and_three_kills(tmp_path):
    server = drill(tmp_path, count=2000, kills=3, clips=500)
    assert server.met.total() > 150
    assert server.asked.total() <= 2000 + 3 * 16
    print(f"{server.asked.total()} answers, faults {dict(server.met)}")


def test_captions_stand_on_lines_of_their_own():
    assert PAPER.messages(("a\nb", "c"))[0]["content"].endswith(" under 25 words:\na b\nc")
