"""Sidecars of `auricle caption`, resumed around a stub captioner, and in killed processes."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from auricle.ledger import NAME, Ledger, alone

MODEL = "a library that prints"  # is loaded
root = getattr(os, "geteuid", lambda: 1)() == 0


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def three(write_tone, tmp_path) -> Path:
    """A folder of three recordings, two of one stem."""
    for name in ("s/a.wav", "s/a.flac", "s/deep/b.wav"):
        write_tone(name)
    return tmp_path / "s"


def held(folder: Path) -> dict[str, str]:
    """The sidecars in ``folder``: path -> text."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(NAME)
    }


def states(folder: Path) -> dict[str, str]:
    with Ledger(folder / NAME) as ledger:
        return {Path(row.recording).name: row.state for row, _ in ledger.rows()}


def test_a_folder_is_mirrored(run, three, out):
    result = run("caption", three, "--output", f"{out}/")
    assert (result.exit_code, result.stdout) == (0, "")
    sidecars = held(out)
    assert set(sidecars) == {"a.wav.jsonl", "a.flac.jsonl", "deep/b.wav.jsonl"}
    for name, text in sidecars.items():
        assert json.loads(text)["audio"] == str(three / name.removesuffix(".jsonl"))
    assert set(states(out).values()) == {"done"}


@pytest.mark.parametrize(
    ("format", "suffix"),
    [("text", "txt"), ("json", "json"), ("table", "table.csv"), ("csv", "csv")],
)
def test_every_format_is_what_a_single_file_would_hold(run, write_tone, out, format, suffix):
    path = write_tone("s/long.wav", 5.0)
    out.mkdir()
    for _ in range(2):  # an existing folder needs no slash
        result = run("caption", path, "--format", format, "--output", out, "--overwrite")
        assert result.exit_code == 0
    single = out.with_name("single")
    run("caption", path, "--format", format, "--output", single)
    sidecar = out / f"long.wav.{suffix}"
    assert sidecar.read_bytes() == single.read_bytes()
    assert list(held(out)) == [sidecar.name]


def test_sidecars_beside_the_recordings(run, three, tmp_path):
    assert run("caption", three, "--sidecar").exit_code == 0
    for name in ("a.wav", "a.flac", "deep/b.wav"):
        assert json.loads((three / f"{name}.jsonl").read_text(encoding="utf-8"))
    assert states(three) == {"a.wav": "done", "a.flac": "done", "b.wav": "done"}
    moved = three.rename(tmp_path / "moved")  # with its ledger
    again = run("caption", moved, "--sidecar", "--resume")
    assert (again.exit_code, MODEL in again.stderr) == (0, False)


def test_names_are_unique_over_roots_and_runs(run, write_tone, tmp_path, out):
    for folder in ("x", "y", "z/x"):
        write_tone(f"{folder}/a.wav")
    run("caption", tmp_path / "x", "--output", f"{out}/")
    run("caption", tmp_path / "x", tmp_path / "y", "--output", out, "--resume")
    run("caption", tmp_path / "z" / "x", "--output", out, "--resume")
    audio = {name: json.loads(text)["audio"] for name, text in held(out).items()}
    assert audio == {
        "a.wav.jsonl": str(tmp_path / "x" / "a.wav"),
        "y/a.wav.jsonl": str(tmp_path / "y" / "a.wav"),
        "a.wav~2.jsonl": str(tmp_path / "z" / "x" / "a.wav"),
    }


def test_recordings_that_have_moved_are_known_again(run, three, write_tone, out, tmp_path):
    run("caption", three, "--output", f"{out}/")
    moved = three.rename(tmp_path / "elsewhere")
    write_tone("elsewhere/a.wav", 2.0)  # another one, under an old name
    for _ in range(2):
        result = run("caption", moved, "--output", out, "--resume", "--dry-run")
        assert result.stdout == (
            f"done\t{moved}/a.flac\nnew\t{moved}/a.wav\ndone\t{moved}/deep/b.wav\n"
        )
    run("caption", moved, "--output", out, "--resume")
    assert set(held(out)) == {*("a.wav.jsonl", "a.flac.jsonl", "deep/b.wav.jsonl", "a.wav~2.jsonl")}
    with Ledger(out / NAME) as ledger:
        recordings = {row.recording for row, _ in ledger.rows()}
    files = {moved / "a.flac", moved / "a.wav", moved / "deep" / "b.wav", three / "a.wav"}
    assert recordings == set(map(str, files))


def test_files_lists_and_patterns_are_mirrored_from_the_folder_that_they_share(
    run, three, out, tmp_path
):
    expected = {"a.wav.jsonl", "deep/b.wav.jsonl"}
    (tmp_path / "list").write_text(f"{three}/a.wav\n{three}/deep/b.wav\n", encoding="utf-8")
    for number, given in enumerate(
        ([three / "a.wav", three / "deep" / "b.wav"], [f"@{tmp_path}/list"], [three / "**/*.wav"])
    ):
        run("caption", *given, "--output", f"{out}{number}/")
        assert set(held(Path(f"{out}{number}"))) == expected


def test_work_that_is_there_is_not_done_again_without_being_told(run, three, out):
    run("caption", three, "--output", f"{out}/")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl")}
    refused = run("caption", three, "--output", f"{out}/")
    assert (refused.exit_code, MODEL in refused.stderr) == (2, False)
    assert "3 of these recordings are in" in refused.stderr
    assert "--resume" in refused.stderr
    assert "--overwrite" in refused.stderr
    resumed = run("caption", three, "--output", out, "--resume")
    assert (resumed.exit_code, MODEL in resumed.stderr) == (0, False)
    assert "3 done before" in resumed.stderr
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.jsonl")}
    assert run("caption", three, "--output", out, "--overwrite").exit_code == 0
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


def test_resume_does_what_has_changed_and_no_more(run, three, write_tone, out, monkeypatch):
    def resumed(*options: str) -> list[str]:
        result = run("caption", three, "--output", out, "--resume", "--dry-run", *options)
        lines = result.stdout.splitlines()
        assert run("caption", three, "--output", out, "--resume", *options).exit_code == 0
        assert run("caption", three, "--output", out, "--resume", *options).exit_code == 0
        return [line for line in lines if not line.startswith("done\t")]

    run("caption", three, "--output", f"{out}/")
    os.utime(three / "a.wav")  # the same content
    assert resumed() == []
    write_tone("s/a.wav", 1.5)
    assert resumed() == [f"changed\t{three}/a.wav"]
    (out / "a.flac.jsonl").unlink()
    (out / "deep" / "b.wav.jsonl").write_text("")  # as a power failure may leave it
    assert resumed() == [f"lost\t{three}/a.flac", f"lost\t{three}/deep/b.wav"]
    write_tone("s/new.wav")
    assert resumed() == [f"new\t{three}/new.wav"]
    assert [line.partition("\t")[0] for line in resumed("--seed", "1")] == ["other"] * 4
    assert [line.partition("\t")[0] for line in resumed("--seed", "1", "--format", "text")] == [
        "other"
    ] * 4
    assert resumed("--seed", "1", "--format", "text", "--batch-size", "3") == []
    monkeypatch.setattr("auricle.fetch.identity.model_digest", lambda name: "trained again")
    assert len(resumed("--seed", "1", "--format", "text")) == 4


def test_a_dry_run_says_what_would_be_done_and_does_nothing(run, three, out):
    result = run("caption", three, "--output", f"{out}/", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == "".join(
        f"new\t{three}/{name}\n" for name in ("a.flac", "a.wav", "deep/b.wav")
    )
    assert "3 are new" in result.stderr
    assert not out.exists()
    assert MODEL not in result.stderr


def test_failures_are_kept_and_tried_again_on_request(run, three, write_tone, out):
    bad = three / "bad.wav"
    bad.write_text("no sound", encoding="utf-8")
    first = run("caption", three, "gone.wav", "--output", f"{out}/")
    assert first.exit_code == 1
    assert len(held(out)) == 3
    assert states(out)["bad.wav"] == "failed"
    listed = run("ledger", out)
    assert "caption\tdone\t3\ncaption\tfailed\t1\n" in listed.stdout
    assert f"{bad}\tn" in listed.stdout

    left = run("caption", three, "--output", out, "--resume")
    assert (left.exit_code, MODEL in left.stderr) == (1, False)
    assert "1 failed before, and is left" in left.stderr
    retried = run("caption", three, "--output", out, "--resume", "--retry-failed")
    assert (retried.exit_code, MODEL in retried.stderr) == (1, True)
    assert f"auricle: error: {bad}: " in retried.stderr
    write_tone("s/bad.wav")  # repaired: its content is other
    assert run("caption", three, "--output", out, "--resume").exit_code == 0
    assert set(states(out).values()) == {"done"}


def test_files_that_are_not_ours_are_not_replaced(run, three, write_tone):
    (three / "a.wav.txt").write_text("a transcript")
    (three / "a.wav.jsonl").write_text("{}")
    refused = run("caption", three, "--sidecar", "--format", "text")
    assert (refused.exit_code, f"{three}/a.wav.txt: there already" in refused.stderr) == (2, True)
    assert (three / "a.wav.txt").read_text() == "a transcript"
    (three / "a.wav.txt").unlink()
    assert run("caption", three, "--sidecar", "--format", "text").exit_code == 0
    other = run("caption", three, "--sidecar", "--resume")  # another format, the same ledger
    assert (other.exit_code, "a.wav.jsonl: there already" in other.stderr) == (2, True)
    assert (three / "a.wav.jsonl").read_text() == "{}"
    (three / "a.wav.jsonl").unlink()
    for format in ("jsonl", "text"):
        assert run("caption", three, "--sidecar", "--resume", "--format", format).exit_code == 0

    recording = write_tone("s/a.wav").rename(three / "a.wav.json")  # named itself, it is one
    write_tone("s/a.wav")
    sound = recording.read_bytes()
    options = ["--sidecar", "--format", "json", "--overwrite"]
    assert run("caption", three / "a.wav", recording, *options).exit_code == 2
    assert recording.read_bytes() == sound


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--resume", "'--resume': needs a sidecar per recording"),
        ("--dry-run --output file", "'--dry-run': needs a sidecar per recording"),
        ("--sidecar --output d/", "leave out --output"),
        ("--output d/ --resume --overwrite", "give one of them"),
        ("--output d/ --retry-failed", "give --resume, too"),
        ("--output d/ --explain", "the tables would be apart"),
        ("--output d/ --stream", "--stream"),
        ("--output d/ --model nonsense", "nonsense: no such model"),
        ("--output a.wav/", "cannot be written"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_written(
    run, write_tone, tmp_path, monkeypatch, options, words
):
    write_tone("a.wav")
    monkeypatch.chdir(tmp_path)
    result = run("caption", "a.wav", *options.split())
    assert words in result.output
    assert result.exit_code == 2 - ("cannot be written" in words)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_what_is_no_file_is_named_and_the_rest_is_done(run, three, out, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    address = "https://example.org/a.wav"
    result = run("caption", three, tmp_path / "pipe", address, "--output", f"{out}/")
    assert result.exit_code == 1
    assert len(held(out)) == 3
    for name in (tmp_path / "pipe", address):
        assert f"auricle: error: {name}: no file, so there is no place for a sidecar" in (
            result.stderr
        )


def test_a_second_run_at_once_is_refused(run, three, out):
    with alone(out / NAME):
        refused = run("caption", three, "--output", out)
    assert (refused.exit_code, MODEL in refused.stderr) == (2, False)
    assert "another auricle works with it" in refused.stderr
    assert run("caption", three, "--output", out).exit_code == 0


@pytest.mark.skipif(root, reason="root may do everything")
def test_a_folder_that_cannot_be_written(run, three, out):
    out.mkdir(mode=0o500)
    refused = run("caption", three, "--output", out)
    assert (refused.exit_code, "cannot be written" in refused.stderr) == (1, True)
    (three / "deep").chmod(0o500)
    partly = run("caption", three, "--sidecar")
    assert partly.exit_code == 1
    assert f"{three}/deep/b.wav: " in partly.stderr
    assert (three / "a.wav.jsonl").exists()


def test_a_sidecar_that_cannot_be_written_fails_alone(run, three, out):
    (out / "deep").parent.mkdir()
    (out / "deep").write_text("a file where a folder is needed")
    result = run("caption", three, "--output", out)
    assert result.exit_code == 1
    assert "its sidecar cannot be written" in result.stderr
    assert states(out) == {"a.wav": "done", "a.flac": "done", "b.wav": "failed"}


def test_a_name_as_long_as_names_may_be(run, write_tone, out):
    fits, too_long = f"{'n' * 245}.wav", f"{'m' * 247}.wav"
    write_tone(f"s/{fits}")
    folder = write_tone(f"s/{too_long}").parent
    result = run("caption", folder, "--output", f"{out}/")
    assert result.exit_code == 1
    assert set(held(out)) == {f"{fits}.jsonl"}
    assert states(out) == {fits: "done", too_long: "failed"}


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(run, three, out, monkeypatch):
    from auricle import sidecars

    written = sidecars.Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if len(held(out)) == 2:
            raise OSError(28, "No space left on device")
        return written(path, content)

    monkeypatch.setattr(sidecars.Path, "write_bytes", full)
    result = run("caption", three, "--output", f"{out}/")
    assert result.exit_code == 1
    assert "(No space left on device); make room, then go on with --resume" in result.stderr
    monkeypatch.undo()
    assert sorted(states(out).values()) == ["done", "done", "open"]


def test_names_that_are_no_unicode(run, three, out):
    name = os.fsdecode(b"\xff\x1b.wav")
    (three / "a.wav").rename(three / name)
    assert run("caption", three, "--output", f"{out}/").exit_code == 0
    assert json.loads((out / f"{name}.jsonl").read_text(encoding="utf-8"))
    again = run("caption", three, "--output", out, "--resume", "--dry-run")
    assert f"done\t{three}/\\xff\\x1b.wav\n" in again.stdout
    listed = run("ledger", out, "--format", "jsonl")
    assert "\x1b" not in listed.stdout
    assert [json.loads(line)["recording"] for line in listed.stdout.splitlines()][-1] == str(
        three / name
    )


def wait_for(count: int, folder: Path) -> None:
    give_up = time.monotonic() + 20
    while len(list(folder.rglob("*.jsonl"))) < count:
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_killed_three_times_every_recording_is_done_exactly_once(program, write_tone, tmp_path):
    for number in range(40):
        write_tone(f"s/{number % 3}/{number}.wav", 0.2)
    folder, whole, broken = (tmp_path / name for name in ("s", "whole", "broken"))
    assert program("caption", folder, "--output", f"{whole}/").wait() == 0
    chance = random.Random(0)
    for round in range(3):
        process = program("caption", folder, "--output", f"{broken}/", "--resume", pause_s=0.01)
        wait_for(10 * round + chance.randrange(1, 9), broken)
        time.sleep(chance.uniform(0, 0.01))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        for text in held(broken).values():
            assert not text or json.loads(text)  # of a hidden file that was being written
    rest = program("caption", folder, "--output", f"{broken}/", "--resume")
    _, said = rest.communicate()
    assert rest.returncode == 0
    assert int(said.rpartition(" done, ")[0].rpartition(" ")[2]) < 30  # some were done before
    assert held(broken) == held(whole)
    assert states(broken) == states(whole)
    assert set(states(broken).values()) == {"done"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_cleanly(program, write_tone, tmp_path, number):
    for name in range(20):
        write_tone(f"s/{name}.wav", 0.2)
    out = tmp_path / "out"
    process = program("caption", tmp_path / "s", "--output", f"{out}/", pause_s=0.05)
    wait_for(3, out)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 128 + number
    assert "interrupted: finished results have been written" in said
    assert "Traceback" not in said
    sidecars = held(out)
    assert 3 <= len(sidecars) < 20
    done = [name for name, state in states(out).items() if state == "done"]
    assert len(done) in (len(sidecars), len(sidecars) - 1)
    assert not list(out.glob("auricle.ledger-*"))  # it is one file again
    for text in sidecars.values():
        assert json.loads(text)
