"""Jobs: what a recording becomes, whatever turns it into captions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from auricle.audio import source as audio_source
from auricle.audio.find import Input, find_audio_files
from auricle.audio.load import load_audio
from auricle.errors import AudioError
from auricle.jobs import Batch, Task
from auricle.ledger import NAME, Ledger
from auricle.records import Caption
from auricle.sidecars import Outcome, Sidecars

FORMATS = {
    ".txt": lambda outcome: "".join(f"{one.caption}\n" for one in outcome.captions),
    ".count": lambda outcome: str(len(outcome.captions)),
}


@pytest.fixture
def batch(tmp_path) -> Iterator[Batch]:
    with Ledger(tmp_path / NAME, writable=True) as ledger:
        sidecars = Sidecars(FORMATS, tmp_path / "out", str(tmp_path), "token")
        yield Batch("timeline", 1, ledger, sidecars)


def spoken(text: str, at_s: float) -> Caption:
    return Caption("a.wav", at_s, at_s + 1, text, None, (), "tiny", "greedy", 0)


def several(tasks: Iterator[Task]) -> Iterator[Outcome]:
    """As many captions as a recording has seconds."""
    for task in tasks:
        try:
            recording = load_audio(task.source(), 16_000)
        except AudioError as error:
            yield Outcome(error=error)
            continue
        captions = [spoken(f"second {n}", n) for n in range(int(recording.duration_s))]
        yield Outcome(captions, duration_s=recording.duration_s)


def test_a_recording_has_several_captions_or_none_and_several_formats(batch, write_tone, tmp_path):
    for name, seconds in (("none.wav", 0.5), ("two.wav", 2.0)):
        write_tone(name, seconds)
    (tmp_path / "zero.wav").touch()
    inputs = find_audio_files([tmp_path])
    outcomes = [outcome for _, outcome in batch.run(inputs, several)]
    assert [len(outcome.captions) for outcome in outcomes] == [0, 2, 0]
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "none.wav.txt": "",
        "none.wav.count": "0",
        "two.wav.txt": "second 0\nsecond 1\n",
        "two.wav.count": "2",
    }
    rows = [row for row, _ in batch.ledger.rows()]
    assert [row.state for row in rows] == ["done", "done", "failed"]
    assert rows[1].caption == "second 0\nsecond 1"
    assert rows[2].reason == "the file is empty (0 bytes); give one with sound in it"
    assert [one.why.name for one in batch.examine(inputs)] == ["done", "done", "failed"]
    assert [one.why.name for one in batch.examine(inputs, retry=True)][2] == "retry"


@pytest.mark.parametrize("in_memory", [0, audio_source.IN_MEMORY])
def test_files_of_every_size_are_hashed_and_read(batch, write_tone, monkeypatch, in_memory):
    monkeypatch.setattr(audio_source, "IN_MEMORY", in_memory)
    path = write_tone("a.wav", 3.0)
    ((_, outcome),) = batch.run(find_audio_files([path]), several)
    assert len(outcome.captions) == 3
    row = batch.ledger.find("timeline", str(path))
    assert row.content == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    assert (row.size, row.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_tasks_are_begun_only_as_they_are_taken(batch, write_tone):
    inputs = find_audio_files([write_tone(f"{n}.wav") for n in range(3)])
    running = batch.run(inputs, several)
    next(running)
    assert batch.ledger.counts() == {("timeline", "done"): 1}
    running.close()
    assert [one.why.name for one in batch.examine(inputs)] == ["done", "new", "new"]


def test_a_recording_that_is_gone_fails_as_any_other(batch, tmp_path):
    gone = Input(str(tmp_path / "gone.wav"), tmp_path / "gone.wav", root=tmp_path)
    ((_, outcome),) = batch.run([gone], several)
    assert str(outcome.error) == f"{tmp_path}/gone.wav: no such file; check the path"
    assert batch.ledger.find("timeline", str(gone.path)).reason == "no such file; check the path"


def test_an_error_names_the_recording_that_was_in_work(batch, write_tone):
    path = write_tone("a.wav")

    def broken(tasks: Iterator[Task]) -> Iterator[Outcome]:
        next(tasks)
        yield from ()
        raise MemoryError

    with pytest.raises(MemoryError) as raised:
        list(batch.run(find_audio_files([path]), broken))
    assert raised.value.__notes__ == [f"at {path} or a recording soon after it"]
