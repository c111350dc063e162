"""`auricle search` over a small index: formats, exit codes, evaluation, playing."""

from __future__ import annotations

import csv
import io
import json

import pytest

from auricle.audio import speaker
from auricle.errors import AudioError
from tests.helpers.small_index import small_index


@pytest.fixture
def search(run, tmp_path, monkeypatch):
    folder = small_index(tmp_path / "index", monkeypatch)
    return lambda *arguments: run("search", *arguments, "--index", folder)


def test_text_is_aligned_with_times_and_places(search):
    result = search("dog", "--limit", 2)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second = result.stdout.splitlines()
    assert first[6:] == "0:00.0–0:05.0  /b/rex.wav   a dog barks"
    assert second[6:] == ("0:30.0–0:40.0  /b/walk.wav  a dog barks far away (also at 1:00, 0:00)")
    assert first.index("/b/") == second.index("/b/")


def test_words_may_be_several_arguments(search):
    assert search("rain", "without", "thunder").stdout == search("rain", "--not", "thunder").stdout
    assert "storm.wav" not in search("rain", "--not", "thunder").stdout


def test_jsonl_and_csv_have_every_result(search):
    rows = [json.loads(line) for line in search("dog", "--format", "jsonl").stdout.splitlines()]
    assert list(rows[0])[:5] == ["audio", "start_s", "end_s", "caption", "score"]
    assert rows[0]["copies"] == ["/c/rex copy.wav"]
    table = search("dog", "--format", "csv").stdout
    assert table.startswith("\ufeffpath,start,end,caption,score")
    found = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert [one["path"] for one in found] == [row["audio"] for row in rows]


def test_a_list_for_a_player_has_the_times_of_parts(search):
    lines = search("dog", "--format", "m3u", "--limit", 2).stdout.splitlines()
    assert lines == [
        "#EXTM3U",
        "#EXTINF:5,a dog barks",
        "/b/rex.wav",
        "#EXTINF:10,a dog barks far away",
        "#EXTVLCOPT:start-time=30",
        "#EXTVLCOPT:stop-time=40",
        "/b/walk.wav",
    ]


def test_nothing_found_is_1(search):
    result = search("dog", "--folder", "/nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "auricle: note: nothing found\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "an empty query"),
        (("x" * 10_000,), "a query of 10,000 characters"),
        (("--not", "music"), "only what is not wanted: music"),
        (("dog", "--evaluate", "q.jsonl"), "it has queries of its own"),
        (("dog", "--min-duration", "0"), "0.0 is not above 0"),
    ],
)
def test_wrong_use_is_2(search, arguments, message):
    result = search(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_no_index_is_2(run, tmp_path):
    result = run("search", "dog", "--index", tmp_path)
    assert result.exit_code == 2
    assert "no index there; make one: auricle index FOLDER" in result.stderr


def test_results_are_played_best_first_and_failures_told(search, monkeypatch):
    played = []

    def play(path, start_s, end_s):
        played.append((path, start_s, end_s))
        if len(played) == 2:
            raise AudioError(f"{path}: no such file")

    monkeypatch.setattr(speaker, "play", play)
    result = search("dog", "--play", "--limit", 2)
    assert played == [("/b/rex.wav", 0.0, 5.0), ("/b/walk.wav", 30.0, 40.0)]
    assert result.exit_code == 1
    assert "error: /b/walk.wav: no such file" in result.stderr


def test_an_evaluation_tells_every_way(search, tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query": "rain", "audio": "shower.wav"}\n')
    result = search("--evaluate", path)
    assert result.exit_code == 0
    assert {"fused", "embedding", "words"} <= set(result.stdout.split())
    assert "1.000" in result.stdout
    assert "fewer than 40 queries" in result.stderr
    rows = search("--evaluate", path, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(row)["R@1"]["value"] for row in rows] == [1.0, 1.0, 1.0]
    path.write_text('{"query": "rain", "audio": "lost.wav"}\n')
    result = search("--evaluate", path)
    assert (result.exit_code, "lost.wav: not in the index" in result.stderr) == (2, True)
