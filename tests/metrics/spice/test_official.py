"""The published SPICE: how it is started and read, and how its parser's files are brought."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from auricle.cli.data_metrics import metrics
from auricle.errors import AuricleError, DataError, MissingDependencyError
from auricle.fetch.http import download
from auricle.metrics import java
from auricle.metrics.java import carried
from auricle.metrics.scores import MissingMetricError
from auricle.metrics.spice import official, spice, stanford
from tests.helpers.skips import skipped_if_missing

CANDIDATES = ["A Dog barks, loudly.", "!", "rain"]
REFERENCES = [["a dog barks loudly", "a dog"], ["wind"], ["rain falls", "rain", "heavy rain"]]

# Takes a Java's and SPICE's arguments; a caption's score is the share of its words in a reference.
FAKE = """#!{python}
import json, os, pathlib, sys

if sys.argv[1] == "-version":
    sys.exit(print('openjdk version "{version}"', file=sys.stderr))
log = pathlib.Path(__file__).with_name("log.jsonl")
with log.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
mode = os.environ.get("FAKE", "")
if mode == "fails" or mode == "store" and "-cache" in sys.argv:
    sys.exit("Exception: java.lang.OutOfMemoryError: heap" + chr(10) + "  at Place")
program = sys.argv.index("edu.anu.spice.SpiceScorer")
clips = json.load(open(sys.argv[program + 1]))
log.with_name("clips.json").write_text(json.dumps(clips))
answers = []
for clip in reversed(clips[1:] if mode == "short" else clips):
    words = clip["test"].split()
    said = sum(word in " ".join(clip["refs"]).split() for word in words) / len(words)
    one = dict(f=said, pr=said, re=0.5, tp=1, fp=1, fn=1, numImages=1)
    none = dict(one, f=None, pr=None, re=None)
    answers.append(dict(image_id=clip["image_id"], scores=dict(All=one, Object=one, Color=none)))
json.dump(answers, open(sys.argv[sys.argv.index("-out") + 1], "w"))
"""


def write_jars(folder: Path) -> Path:
    """Look-alikes of CoreNLP's two jars."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, inside in stanford.JARS.items():
        with zipfile.ZipFile(folder / name, "w") as jar:
            jar.writestr(inside, name)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Where the files belong, without them; nothing of this machine is found in their place."""
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(stanford.FOLDER, raising=False)
    empty = tmp_path / "site" / "spice" / "lib"
    empty.mkdir(parents=True)
    monkeypatch.setattr(stanford, "carried", lambda *parts: tmp_path / "site" / Path(*parts))
    return tmp_path / "cache" / stanford.NAME


@pytest.fixture
def fake(home, tmp_path, monkeypatch):
    """``fake(version)`` -> the folder of a Java of that version; all else is there too."""
    write_jars(home)
    monkeypatch.setattr(official, "carried", lambda *parts: Path("pycocoevalcap", *parts))

    def make(version: str = "17.0.1") -> Path:
        folder = tmp_path / f"java-{version}"
        folder.mkdir()
        program = folder / "java"
        program.write_text(FAKE.format(python=sys.executable, version=version))
        program.chmod(0o755)
        monkeypatch.setenv("AURICLE_JAVA", str(program))
        return folder

    return make


def started(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_scores_stand_in_the_captions_order_with_those_of_each_kind(fake):
    folder = fake()
    score = spice(CANDIDATES, REFERENCES)
    assert (score.name, score.items) == ("SPICE", (1.0, 0.0, 1.0))
    assert score.corpus == pytest.approx(2 / 3)
    assert score.details["recall"] == (0.5, 0.5, 0.5)
    assert score.details["Object"] == score.items
    assert all(math.isnan(value) for value in score.details["Color"])  # neither side has a colour
    assert len(started(folder)) == 1


def test_the_program_is_given_ptb_tokens_and_no_empty_caption(fake):
    folder = fake()
    spice(CANDIDATES, REFERENCES)
    clips = json.loads((folder / "clips.json").read_text())
    assert [clip["test"] for clip in clips] == ["a dog barks loudly", ".", "rain"]
    assert [clip["refs"] for clip in clips] == REFERENCES


@pytest.mark.parametrize(
    ("version", "opened", "native"), [("1.8.0_392", 0, 0), ("17.0.1", 8, 0), ("25.0.1", 8, 1)]
)
def test_a_newer_java_is_given_leave(fake, version, opened, native):
    folder = fake(version)
    spice(CANDIDATES, REFERENCES)
    (line,) = started(folder)
    assert sum(option.startswith("--add-opens=") for option in line) == opened
    assert sum(option.startswith("--enable-native-access=") for option in line) == native
    places = line[line.index("-cp") + 1].split(os.pathsep)
    assert Path(places[0], "AsItIs.class").is_file()  # before any other engine
    assert [Path(place).name for place in places[-2:]] == list(stanford.JARS)


def test_parses_are_kept_where_the_store_works_and_a_broken_store_is_gone_round(
    fake, tmp_path, monkeypatch
):
    monkeypatch.setattr(official.platform, "machine", lambda: "x86_64")
    folder = fake()
    spice(CANDIDATES, REFERENCES)
    monkeypatch.setenv("FAKE", "store")
    assert spice(CANDIDATES, REFERENCES).items == (1.0, 0.0, 1.0)
    monkeypatch.setattr(official.platform, "machine", lambda: "aarch64")
    spice(CANDIDATES, REFERENCES)
    stores = [line[line.index("-cache") + 1] for line in started(folder) if "-cache" in line]
    assert stores == [str(tmp_path / "cache" / "spice-parses")] * 2
    assert len(started(folder)) == 4


@pytest.mark.parametrize(
    ("mode", "said"),
    [("fails", "ended with 1 and said: .*OutOfMemoryError"), ("short", "2 answers to 3")],
)
def test_a_program_that_fails_says_why(fake, monkeypatch, mode, said):
    fake()
    monkeypatch.setenv("FAKE", mode)
    with pytest.raises(AuricleError, match=said):
        spice(CANDIDATES, REFERENCES)


def test_missing_files_are_told_before_anything_starts(home, monkeypatch):
    monkeypatch.setattr(official, "command", lambda parser: pytest.fail("started"))
    with pytest.raises(MissingMetricError) as told:
        spice(CANDIDATES, REFERENCES)
    assert told.value.missing.name == "SPICE"
    assert told.value.missing.command == "auricle data metrics"
    assert str(home) in told.value.missing.reason


def test_a_missing_java_is_told_with_what_brings_one(home, monkeypatch):
    write_jars(home)
    monkeypatch.setenv("AURICLE_JAVA", "/no/such/java")
    with pytest.raises(MissingMetricError) as told:
        spice(CANDIDATES, REFERENCES)
    assert told.value.missing.command == "unset AURICLE_JAVA"


@pytest.mark.parametrize("references", [[], [["a"]], [["a"], [], ["b"]]])
def test_clips_that_cannot_be_scored_are_refused(references):
    with pytest.raises(ValueError, match="SPICE takes"):
        spice(CANDIDATES, references)


def javas() -> list[Path]:
    """Every Java of this machine."""
    found = []
    for place in java._places():
        try:
            java.java_version(place)
        except MissingDependencyError:
            continue
        found.append(place)
    return list(dict.fromkeys(found))


@pytest.mark.slow
@pytest.mark.parametrize("program", javas() or [pytest.param(None, marks=pytest.mark.skip)])
def test_the_real_program_writes_without_javascript(program, tmp_path, monkeypatch):
    """Without captions it needs no more of CoreNLP than the tokenizer's jar has."""
    with skipped_if_missing():
        stand_in = carried("tokenizer", "stanford-corenlp-3.4.1.jar")
    monkeypatch.setenv("AURICLE_JAVA", str(program))
    start = official.command([stand_in])
    assert official.run(start, [], tmp_path / "store") == []
    if java.java_version(program) >= 15:
        places = start.index("-cp") + 1
        start[places] = start[places].split(os.pathsep, 1)[1]
        with pytest.raises(AuricleError, match=r"scriptEngine|NullPointer"):
            official.run(start, [], None)


# The files of the parser.


@pytest.fixture
def archive(tmp_path) -> Path:
    """A look-alike of the release, its jars two folders down."""
    inside = write_jars(tmp_path / "release")
    path = tmp_path / stanford.ARCHIVE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in stanford.JARS:
            file.write(inside / name, f"stanford-corenlp-full-2015-12-09/{name}")
    return path


def test_files_come_from_the_archive_or_from_its_folder(home, archive, tmp_path):
    assert stanford.install(archive) == (home, True)
    assert [path.name for path in stanford.jars()] == list(stanford.JARS)
    shutil.rmtree(home)
    stanford.install(tmp_path / "release")
    assert stanford.jars() == [home / name for name in stanford.JARS]
    assert sorted(path.name for path in home.iterdir()) == sorted(stanford.JARS)


def test_files_that_pycocoevalcap_has_fetched_are_found(home, tmp_path):
    lib = write_jars(tmp_path / "site" / "spice" / "lib")
    assert stanford.jars() == [lib / name for name in stanford.JARS]


def test_another_folder_may_be_named(home, tmp_path, monkeypatch):
    monkeypatch.setenv(stanford.FOLDER, str(write_jars(tmp_path / "mine")))
    assert stanford.jars()[0].parent == tmp_path / "mine"


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _other(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{stanford.NAME}.jar", "no jar")
    return path


def _empty(path: Path) -> Path:
    path.unlink()
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(_cut, "no whole zip"), (_other, "is not that of"), (_empty, "holds no stanford-corenlp")],
)
def test_what_is_not_that_release_leaves_nothing_behind(home, archive, spoil, said):
    with pytest.raises(DataError, match=said) as told:
        stanford.install(spoil(archive))
    assert stanford.URL in str(told.value)
    assert not home.exists() or not list(home.iterdir())


@pytest.fixture
def served(archive, monkeypatch):
    """The look-alike on a server of this machine, by its own checksum."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(
        stanford, "URL", f"http://127.0.0.1:{server.server_port}/{stanford.ARCHIVE}"
    )
    monkeypatch.setattr(stanford, "SHA1", hashlib.sha1(archive.read_bytes()).hexdigest())
    yield server
    server.shutdown()
    server.server_close()


def app() -> typer.Typer:
    single = typer.Typer()
    single.command()(metrics)
    return single


def test_the_command_fetches_once(home, served):
    first = CliRunner().invoke(app(), [])
    assert (first.exit_code, first.stderr) == (0, f"auricle: written: {home}\n")
    assert sorted(path.name for path in home.iterdir()) == sorted(stanford.JARS)  # no archive left
    served.shutdown()
    again = CliRunner().invoke(app(), [])
    assert again.exit_code == 0
    assert "all is there" in again.stderr


def test_the_command_without_a_network_says_what_to_fetch_and_where_to_put_it(home, monkeypatch):
    monkeypatch.setattr(stanford, "URL", f"http://127.0.0.1:9/{stanford.ARCHIVE}")
    monkeypatch.setattr(stanford, "download", partial(download, pause_s=0))
    result = CliRunner().invoke(app(), [])
    assert result.exit_code == 2
    assert stanford.URL in result.stderr
    assert str(home / stanford.ARCHIVE) in result.stderr


def test_the_command_takes_a_folder_and_names_the_variable(home, tmp_path, monkeypatch):
    monkeypatch.setenv(stanford.FOLDER, "before")  # what the command sets is undone after the test
    place = tmp_path / "there"
    source = write_jars(tmp_path / "release")
    result = CliRunner().invoke(app(), ["--from", str(source), "--folder", str(place)])
    assert result.exit_code == 0
    assert f"{stanford.FOLDER}={place}" in result.stderr
    assert all((place / name).is_file() for name in stanford.JARS)
