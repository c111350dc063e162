"""The tasks of a batch do what the commands for one machine do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import auricle
from auricle.batch.inputs import items_of
from auricle.batch.job import JobSpec
from auricle.batch.run import run_batch
from auricle.batch.worker import Worker
from auricle.data.clip import Clip
from auricle.data.keys import ContentKeys
from auricle.errors import DataError
from auricle.evaluation.predictions import read_predictions
from auricle.fetch.identity import model_digest
from auricle.search.hear import Listener
from auricle.search.indexer import Indexer
from auricle.search.rows import Maker
from auricle.search.store import Index
from auricle.search.taken import take_batch
from auricle.shards import read_folder
from auricle.training.precompute import (
    feature_store,
    precompute_features,
    take_features,
    weights_digest,
)
from tests.helpers.paths import EXAMPLES

NAMES = ("rain-and-thunder.ogg", "telephone-ringing.wav", "man-speaking.mp3")


@pytest.fixture(scope="module")
def captioner():
    return auricle.load("tiny")


@pytest.fixture
def sounds(tmp_path):
    """Three recordings, and one that is none."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(EXAMPLES / name, folder)
    (folder / "broken.wav").write_bytes(b"no sound")
    return folder


@pytest.fixture
def batch(sounds, tmp_path, captioner, monkeypatch):
    """``batch(task)`` -> the folder of a batch of the recordings, done in this process."""
    monkeypatch.setattr("auricle.pipeline.Captioner.from_pretrained", lambda *_, **__: captioner)

    def here(job, chunks):
        worker = Worker(job)
        for chunk in chunks:
            yield worker.do(chunk)

    def run(task, format="parquet"):
        job = JobSpec(str(tmp_path / task), task, "tiny", model_digest("tiny"), format=format)
        assert run_batch(job, items_of(str(sounds)), here).failed == {"audio": 1}
        return tmp_path / task

    return run


def rows_by_name(folder):
    return {Path(row["audio"]).name: row for row in read_folder(folder)}


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_captions_are_those_of_the_captioner(batch, sounds, captioner, format):
    rows = rows_by_name(batch("caption", format))
    broken = rows.pop("broken.wav")
    assert (broken["kind"], broken["caption"]) == ("audio", None)
    assert "\n" not in broken["error"]
    assert rows.keys() == set(NAMES)
    for caption in captioner.caption([sounds / name for name in NAMES]):
        row = rows[Path(caption.audio).name]
        assert row["audio"] == caption.audio
        assert row["caption"] == caption.caption
        assert row["score"] == pytest.approx(caption.score, abs=1e-4)
        assert [one["text"] for one in row["candidates"]] == [
            one.text for one in caption.candidates
        ]
        assert row["audio_s"] == caption.end_s


def test_predictions_are_read_from_a_batch(batch):
    folder = batch("caption")
    found = {Path(one.clip).name: one for one in read_predictions(folder)}
    assert found.keys() == set(NAMES)
    assert all(one.caption and one.candidates for one in found.values())
    with pytest.raises(DataError, match="has no column caption"):
        read_predictions(batch("timeline"))


def test_timelines_are_those_of_the_captioner(batch, sounds, captioner):
    rows = rows_by_name(batch("timeline"))
    for name in NAMES:
        expected = [
            (one.start_s, one.end_s, one.caption) for one in captioner.timeline(sounds / name)
        ]
        found = [(one["start_s"], one["end_s"], one["caption"]) for one in rows[name]["captions"]]
        assert found == expected != []


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_features_are_what_precompute_finds(batch, sounds, tmp_path, captioner, format):
    store = take_features(batch("features", format), tmp_path / "cache")
    (model,) = captioner.models
    own = feature_store(model.config, weights_digest(model.encoder), tmp_path / "cache")
    assert own.folder == store.folder
    assert len(own) == len(NAMES)
    clips = [Clip(sounds / name, (), name) for name in NAMES]
    limit_s = model.config.max_duration_s
    counts = {}
    for cache in ("cache", "fresh"):
        into = feature_store(model.config, weights_digest(model.encoder), tmp_path / cache)
        keys = ContentKeys(tmp_path / cache)
        counts[cache] = precompute_features(
            clips, model.encoder, into, keys, max_duration_s=limit_s
        )
    assert (counts["cache"].reused, counts["fresh"].done) == (3, 3)
    for clip in clips:
        key = ContentKeys(tmp_path / "fresh").clip_key(clip)
        assert store.get(key) == pytest.approx(into.get(key), abs=0.02)


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_embeddings_fill_an_index_as_the_indexer_does(batch, sounds, tmp_path, captioner, format):
    maker = Maker("tiny", model_digest("tiny"))
    folder = batch("embed", format)
    found = {}
    with Index(tmp_path / "taken", maker) as taken, Index(tmp_path / "own", maker) as own:
        summary = take_batch(taken, folder)
        assert (summary.new, summary.failed) == (3, 1)
        Indexer(own, lambda: Listener(captioner)).update([str(sounds)])
        assert list(taken.files()) == list(own.files())
        for index in (taken, own):
            found[index] = {one.audio: one for one in index.sounds()}
        assert found[taken].keys() == found[own].keys()
        for audio, sound in found[own].items():
            assert (found[taken][audio].caption, found[taken][audio].tags) == (
                *(sound.caption, sound.tags),
            )
        prints = [
            {audio: words.tolist() for audio, _, words in one.prints()} for one in (taken, own)
        ]
        assert prints[0] == prints[1]
        assert take_batch(taken, folder).unchanged == 4


def test_sections_of_a_file_are_sounds_of_their_own(tmp_path, captioner, monkeypatch):
    monkeypatch.setattr("auricle.pipeline.Captioner.from_pretrained", lambda *_, **__: captioner)
    manifest = tmp_path / "m.jsonl"
    audio = f'{{"audio": "{EXAMPLES / NAMES[0]}", "captions": []'
    manifest.write_text(
        f'{audio}, "id": "a", "end_s": 2.0}}\n{audio}, "id": "b", "start_s": 2.0}}\n'
    )
    job = JobSpec(str(tmp_path / "out"), "embed", "tiny", model_digest("tiny"))

    def here(job, chunks):
        for chunk in chunks:
            yield Worker(job).do(chunk)

    run_batch(job, items_of(str(manifest)), here)
    with Index(tmp_path / "index", Maker("tiny", job.digest)) as index:
        take_batch(index, tmp_path / "out")
        assert [(Path(one.audio).name, one.start_s) for one in index.sounds()] == [
            *((f"{NAMES[0]}#a", 0.0), (f"{NAMES[0]}#b", 2.0)),
        ]
