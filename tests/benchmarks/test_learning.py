"""Learning is real: by heart, in common with text, in order, and in a manner of one's own."""

import importlib
from dataclasses import replace

import pytest

from auricle.data.manifest import write_manifest
from auricle.data.sound_folder import read_folder
from auricle.pipeline import Captioner
from auricle.text.embedder import TextEmbedder
from auricle.training.run import run_recipe
from tests.helpers.paths import EXAMPLES, ROOT

pytestmark = pytest.mark.usefixtures("fresh_accelerate")

MANNER = "hark good people for"


@pytest.fixture
def experiment(monkeypatch):
    """``experiment(name)``: that benchmark of learning as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "learning"))
    return importlib.import_module


@pytest.fixture
def real_sounds(experiment):
    esc = experiment("esc")
    if not esc.DATA.is_dir():
        pytest.skip(esc.MISSING)


@pytest.fixture(scope="module")
def examples():
    return read_folder(EXAMPLES).clips


@pytest.mark.slow
def test_a_model_of_the_papers_shape_learns_recordings_by_heart(experiment, examples, tmp_path):
    memorise = experiment("memorise")
    clips = [replace(c, captions=c.captions[:1], split="train") for c in examples[:4]]
    learned = memorise.recited(memorise.learn(clips, 80, "beats", tmp_path))
    assert {caption for caption, _ in learned} == {clip.captions[0] for clip in clips}
    assert [heard for _, heard in learned] == [caption for caption, _ in learned]


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["beats", "yamnet"])
def test_it_learns_sixteen_real_sounds_by_heart(experiment, real_sounds, encoder, tmp_path):
    memorise = experiment("memorise")
    learned = memorise.recited(
        memorise.learn(memorise.one_of_each_class(16), 200, encoder, tmp_path)
    )
    assert len({caption for caption, _ in learned}) == 16
    assert [heard for _, heard in learned] == [caption for caption, _ in learned]


@pytest.mark.slow
def test_info_nce_lifts_retrieval(experiment, real_sounds, tmp_path):
    retrieval, trained = experiment("retrieval"), experiment("trained").trained
    manifest, embedder = tmp_path / "esc.jsonl", TextEmbedder("all-MiniLM-L6-v2")
    retrieval.write_clips(manifest)
    found = {}
    for weight in (1.0, 0.0):
        values = retrieval.recipe(manifest, epochs=12, weight=weight, seed=0)
        job = trained(values, tmp_path / str(weight))
        found[weight] = retrieval.measured(job, manifest, embedder)
    for words in (retrieval.LEARNED, retrieval.NEW):
        way = "audio embedding", words
        assert found[0.0][way] < 0.1 < 0.5 < found[1.0][way]
        assert found[1.0][way] > max(v for key, v in found[0.0].items() if key[1] == words)


@pytest.mark.slow
def test_order_is_heard(experiment, real_sounds, tmp_path):
    order = experiment("order")
    manifest = order.write_pairs(tmp_path)
    values = order.recipe(manifest, order.Settings(), "query", seed=0)
    job = experiment("trained").trained(values, tmp_path / "run")
    found = order.accuracies(job, manifest, TextEmbedder("all-MiniLM-L6-v2"))
    assert found["order, by embedding"] > 0.85
    assert found["order, by likelihood"] > 0.75


@pytest.mark.slow
def test_own_captions_teach_their_manner(tiny, examples, tmp_path):
    manifest, out = tmp_path / "own.jsonl", tmp_path / "own"
    own = [replace(c, captions=tuple(f"{MANNER} {text}" for text in c.captions)) for c in examples]
    write_manifest(manifest, own)
    held = [clip.audio for clip in own if clip.split == "val"]
    assert held
    assert not any(found.caption.startswith(MANNER) for found in tiny.caption(held))
    changes = [f"data.{part}={manifest}" for part in ("train", "validation")]
    changes += [f"out={out}", f"data.cache={tmp_path / 'cache'}", "training.workers=0"]
    run_recipe("own-data", changes)
    heard = Captioner.from_pretrained(out, "cpu").caption(held)
    assert all(found.caption.startswith(MANNER) for found in heard)
    assert len({found.caption for found in heard}) > 1
