"""Audio-grounded scores in a model's own space: of a file, of a model, of clips without a sound."""

import json

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as F
from typer.testing import CliRunner

from auricle.cli import app
from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.evaluation.captioning import caption_clips, retrieval
from auricle.evaluation.references import Reference
from auricle.metrics import evaluate
from auricle.metrics.fense import Judge
from auricle.metrics.grounded import mace_like
from auricle.metrics.inputs import MetricInputs
from auricle.metrics.registry import METRICS, chosen
from auricle.metrics.space import Grounding, ModelSpace
from auricle.model.captioner import AudioCaptioner
from auricle.text.fluency import default_detector
from tests.helpers.hash_embedder import HashEmbedder
from tests.helpers.models import captioner_of, make_bundle, make_ensemble

SAID = ["a dog barks and", "rain falls", "people talk"]
MEANT = [["a dog", "it barks"], ["rain"], ["a crowd"]]


@pytest.fixture
def references(tmp_path):
    found = []
    for number, texts in enumerate(MEANT):
        noise = np.random.default_rng(number).standard_normal(8000 + 1000 * number) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", noise, 16_000)
        clip = Clip(tmp_path / f"{number}.wav", tuple(texts), str(number))
        found.append(Reference(str(number), tuple(texts), "", (), clip))
    return found


@pytest.fixture
def encoded(monkeypatch):
    """Lengths of what is encoded."""
    found = []
    original = AudioCaptioner.features
    monkeypatch.setattr(
        AudioCaptioner, "features", lambda *a: found.append(a[2].tolist()) or original(*a)
    )
    return found


def space_of(captioner, known=None):
    return ModelSpace("debug", captioner.models, captioner.scorers, known)


def test_audio_sim_is_the_cosine_with_the_models_embedding_of_the_sound(references):
    captioner = captioner_of(make_bundle(0))
    grounding = Grounding(tuple(r.audio for r in references), space=space_of(captioner))
    found = evaluate(SAID, MEANT, ["audio-sim"], grounding=grounding)
    for number, item in enumerate(found["audio-sim (debug)"].items):
        waveform = soundfile.read(references[number].audio.audio, dtype="float32")[0]
        sound = captioner.models[0].encode([waveform]).embedding[0].detach()
        said = HashEmbedder().embed([SAID[number]])[0]
        assert item == pytest.approx(float(F.cosine_similarity(sound, said, dim=0)), abs=1e-5)


def test_mace_like_by_its_formula(references, monkeypatch):
    monkeypatch.setattr(MetricInputs, "judge", Judge(default_detector(), "auricle detector"))
    captioner = captioner_of(make_bundle(0))
    grounding = Grounding(tuple(r.audio for r in references), space=space_of(captioner))
    found = evaluate(SAID, MEANT, ["audio-sim", "mace-like"], grounding=grounding)
    score, sound = found["MACE-like (debug, auricle detector)"], found["audio-sim (debug)"].items
    said, meant = HashEmbedder().embed(SAID), HashEmbedder().embed(["a dog", "it barks"])
    mean = float((meant @ said[0]).mean())
    assert score.items[0] == pytest.approx(
        (sound[0] + mean) / 2 * 0.7, abs=1e-6
    )  # "and" at the end
    assert mace_like([0.4, 0.4], [0.8, 0.8], [False, True]).items == pytest.approx((0.6, 0.42))


def test_a_model_that_captioned_the_clips_encodes_nothing_again(references, tmp_path, encoded):
    captioner = captioner_of(make_ensemble([make_bundle(0), make_bundle(1)]))
    said = caption_clips(captioner, references, tmp_path / "o.jsonl")
    retrieval(captioner, references, said.embeddings)
    assert len(encoded) == 1
    space = ModelSpace.of(captioner, said.sounds(references))
    grounding = Grounding(tuple(r.audio for r in references), space=space)
    known = evaluate(SAID, MEANT, ["audio-sim"], grounding=grounding)
    assert len(encoded) == 1
    grounding = Grounding(grounding.recordings, space=space_of(captioner))
    new = evaluate(SAID, MEANT, ["audio-sim"], grounding=grounding)
    assert len(encoded) == 2
    assert known["audio-sim (together)"].items == pytest.approx(
        new["audio-sim (debug)"].items, abs=1e-5
    )


def test_a_sound_is_heard_once(references, encoded):
    space = space_of(captioner_of(make_bundle(0)))
    clips = [r.audio for r in references]
    first = space.sounds([*clips, *clips])
    assert torch.equal(first[:3], first[3:])
    space.sounds(clips)
    assert [sorted(lengths) for lengths in encoded] == [[8000, 9000, 10_000]]


def test_they_are_computed_only_where_named_and_say_what_is_missing(references, tmp_path):
    asked = [key for key, metric in METRICS.items() if metric.asked]
    assert asked == ["audio-sim", "clap-sim", "mace-like", "clair-a"]
    assert not set(asked) & set(chosen(None))
    for grounding in (None, Grounding((references[0].audio, None, None))):
        found = evaluate(SAID, MEANT, asked[:3], grounding=grounding)
        assert found.scores == ()
        assert [m.name for m in found.missing] == ["audio-sim", "clap-sim", "MACE-like"]
        assert all("--audio" in m.command for m in found.missing)
    gone = Clip(tmp_path / "gone.wav", ("x",), "gone")
    space = space_of(captioner_of(make_bundle(0)))
    grounding = Grounding((references[0].audio, gone, gone), space=space)
    missing = evaluate(SAID, MEANT, ["audio-sim"], grounding=grounding).missing[0]
    assert "1 of 3 recordings cannot be heard" in missing.reason
    assert "gone.wav" in missing.reason


@pytest.fixture
def manifest(references, tmp_path):
    write_manifest(tmp_path / "data.jsonl", [r.audio for r in references])
    return tmp_path / "data.jsonl"


def run(*arguments):
    found = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--format", "json"])
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_the_command_scores_a_file_by_tiny_and_a_model_by_itself(manifest, tmp_path, encoded):
    said = [json.dumps({"audio": str(n), "caption": text}) for n, text in enumerate(SAID)]
    (tmp_path / "said.jsonl").write_text("\n".join(said))
    common = ("--references", manifest, "--metrics", "audio-sim,mace-like")
    of_file = run(tmp_path / "said.jsonl", *common)["scores"]
    assert list(of_file) == ["audio-sim (tiny)", "MACE-like (tiny, auricle detector)"]
    before = len(encoded)
    of_model = run("tiny", *common, "--captions", tmp_path / "c.jsonl", "--decode", "greedy")
    assert len(encoded) == before + 1  # for its captions, and not again
    assert "audio-sim (tiny)" in of_model["scores"]
    assert len(of_model["items"]) == 3
