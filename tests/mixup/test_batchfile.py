"""Batch files: what is requested, and what comes back in any order and incomplete."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from auricle.data import Clip, write_manifest
from auricle.errors import DataError
from auricle.llm.client import ClientConfig
from auricle.mixup import batchfile
from auricle.mixup.answers import read_rows
from auricle.mixup.batchfile import read_results, write_requests
from auricle.mixup.pairs import CaptionPairs
from auricle.mixup.prompts import PAPER

CONFIG = ClientConfig("some-model", temperature=0.7)


@pytest.fixture
def pairs(tmp_path) -> CaptionPairs:
    path = tmp_path / "manifest.jsonl"
    clips = (Clip(tmp_path / f"{n}.wav", (f"Caption é {n}",), str(n), "train") for n in range(20))
    write_manifest(path, clips)
    return CaptionPairs.read(path, seed=-3)


def result(request: dict, status: int = 200, **more: object) -> dict:
    """As a provider returns it for one line of the requests."""
    captions = request["body"]["messages"][0]["content"].splitlines()[-2:]
    message = {"role": "assistant", "content": " and ".join(captions)}
    body = {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}
    response = {"status_code": status, "request_id": "r", "body": body if status == 200 else {}}
    return {
        "id": "b",
        "custom_id": request["custom_id"],
        "response": response,
        "error": None,
    } | more


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def write_lines(path: Path, lines: list) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_requests_are_in_the_providers_format(tmp_path, pairs):
    written = write_requests(tmp_path / "r.jsonl", tmp_path / "o.jsonl", pairs, 12, CONFIG)
    assert written == [(tmp_path / "r.jsonl", 12)]
    lines = read_lines(tmp_path / "r.jsonl")
    assert lines[4] == {
        "custom_id": "mixup--3-4",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "some-model",
            "messages": PAPER.messages(pairs[4].captions),
            "temperature": 0.7,
        },
    }
    assert len({line["custom_id"] for line in lines}) == 12


def test_results_become_rows_and_the_rest_is_requested_again(tmp_path, pairs):
    requests, output = tmp_path / "r.jsonl", tmp_path / "o.jsonl"
    write_requests(requests, output, pairs, 12, CONFIG)
    results = [result(request) for request in read_lines(requests)]
    results[2] = result(read_lines(requests)[2], status=500)
    results[5] |= {"response": None, "error": {"code": "batch_expired", "message": "too late"}}
    results[7]["response"]["body"] = {"choices": []}
    del results[9]
    random.Random(0).shuffle(results)
    path = write_lines(tmp_path / "results.jsonl", results)

    summary = read_results(path, output, pairs, 12, CONFIG)
    reasons = {"500": 1, "batch_expired": 1, "no chat completion in the reply": 1}
    assert (summary.made, summary.found, summary.failed, summary.left) == (8, 0, reasons, 4)
    rows = list(read_rows(output))
    assert [row.pair for row in rows] == [0, 1, 3, 4, 6, 8, 10, 11]
    assert all(row.answer == " and ".join(pairs[row.pair].captions) for row in rows)
    again = read_results(path, output, pairs, 12, CONFIG)
    assert (again.made, again.found, again.left) == (0, 8, 4)

    assert write_requests(requests, output, pairs, 12, CONFIG) == [(requests, 4)]
    rest = write_lines(path, [result(request) for request in read_lines(requests)])
    assert read_results(rest, output, pairs, 12, CONFIG).left == 0
    assert [row.pair for row in read_rows(output)] == list(range(12))
    requests.unlink()
    assert write_requests(requests, output, pairs, 12, CONFIG) == []
    assert not requests.exists()


def test_large_batches_are_split(tmp_path, pairs, monkeypatch):
    monkeypatch.setattr(batchfile, "MOST_REQUESTS", 5)
    written = write_requests(tmp_path / "r.jsonl", tmp_path / "o.jsonl", pairs, 12, CONFIG)
    names = [(path.name, count) for path, count in written]
    assert names == [("r.jsonl", 5), ("r.2.jsonl", 5), ("r.3.jsonl", 2)]
    ids = [line["custom_id"] for path, _ in written for line in read_lines(path)]
    assert ids == [f"mixup--3-{n}" for n in range(12)]
    monkeypatch.setattr(batchfile, "MOST_BYTES", 1000)
    written = write_requests(tmp_path / "s.jsonl", tmp_path / "o.jsonl", pairs, 12, CONFIG)
    assert sum(count for _, count in written) == 12
    assert all(path.stat().st_size <= 1000 for path, _ in written)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"custom_id": "request-1"}, "not a result of a batch of mix-ups"),
        ([], "not a result of a batch of mix-ups"),
        ({"custom_id": "mixup-4-1"}, "is of seed 4; give --seed 4"),
        ({"custom_id": "mixup--3-100000"}, "is of seed -3"),
        ({"custom_id": "mixup--3-" + "9" * 5_000}, "not a result of a batch of mix-ups"),
    ],
)
def test_other_files_are_refused(tmp_path, pairs, line, message):
    path = write_lines(tmp_path / "results.jsonl", [line])
    with pytest.raises(DataError, match=message):
        read_results(path, tmp_path / "o.jsonl", pairs, 12, CONFIG)


def test_deep_lines_are_refused(tmp_path, pairs):
    path = tmp_path / "results.jsonl"
    path.write_text('{"custom_id": "mixup--3-0", "x": ' + "[" * 100_000 + "\n")
    with pytest.raises(DataError, match="not a result of a batch of mix-ups"):
        read_results(path, tmp_path / "o.jsonl", pairs, 12, CONFIG)


def test_what_a_stranger_made_of_the_results_does_no_harm(tmp_path, pairs):
    requests, output = tmp_path / "r.jsonl", tmp_path / "o.jsonl"
    write_requests(requests, output, pairs, 12, CONFIG)
    results = [result(request) for request in read_lines(requests)]
    messages = [line["response"]["body"]["choices"][0]["message"] for line in results]
    messages[0]["content"] = "x" * 3 * 10**6
    messages[1]["content"] = ["A dog barks"]
    messages[2]["content"] = 7
    messages[3]["content"] = {"text": "A dog"}
    messages[4]["content"] = "A dog barks \ud800 loudly"
    results[5] |= {"response": None, "error": {"code": "\x1b[2J" + "z" * 10**6}}
    results[6]["response"] |= {"status_code": {"a": 1}}
    results[7]["response"]["body"] = [[]]
    second = json.loads(json.dumps(results[8]))
    second["response"]["body"]["choices"][0]["message"]["content"] = "Another answer"
    path = write_lines(tmp_path / "results.jsonl", [*results, second])

    summary = read_results(path, output, pairs, 12, CONFIG)
    assert summary.failed == {
        "an answer of more than 4,000 characters": 1,
        "no chat completion in the reply": 4,
        "no response": 2,
    }
    assert (summary.made, summary.found, summary.left) == (5, 1, 7)
    rows = {row.pair: row.answer for row in read_rows(output)}
    assert rows[4] == "A dog barks \N{REPLACEMENT CHARACTER} loudly"
    assert rows[8] == " and ".join(pairs[8].captions)
    assert output.stat().st_size < 10_000
