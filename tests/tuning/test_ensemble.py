"""Members' weights fitted on a manifest, and told."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli.ensemble import app
from auricle.decoding.options import RerankWeights
from auricle.decoding.rerank import choose, rank
from auricle.hub.ensemble import Member, load_model
from auricle.hub.folder import save_bundle
from auricle.records import Candidate
from auricle.tuning.clips import ClipCandidates, read_clips
from auricle.tuning.ensemble import FITTED, MEAN, Trials, Weights, fit_ensemble
from auricle.tuning.panel import Opinions, Panel, token_points
from auricle.watch import Watch
from tests.helpers.hash_embedder import HashEmbedder
from tests.helpers.models import OPTIONS, RATE, WORDS, captioner_of, make_ensemble


@pytest.fixture
def manifest(sounds, tmp_path):
    """Six clips with captions, one without, and one that cannot be read."""
    noise = np.random.default_rng(1)
    rows = []
    for number in range(6):
        sound = noise.standard_normal(RATE // 2) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE)
        captions = [" ".join(noise.choice(WORDS, 6)) for _ in range(3)]
        rows.append({"audio": f"{number}.wav", "captions": captions, "id": str(number)})
    (tmp_path / "bad.wav").write_text("no audio")
    rows.append({"audio": "bad.wav", "captions": ["rain falls"], "id": "bad"})
    rows.append({"audio": "0.wav", "captions": [], "id": "mute"})
    path = tmp_path / "val.jsonl"
    path.write_text("".join(json.dumps(row | {"split": "val"}) + "\n" for row in rows))
    return path


def panel_of(ensemble, manifest, notes=None):
    panel = Panel(captioner_of(ensemble))
    notes = [] if notes is None else notes
    heard = panel.hear(read_clips(manifest, notes.append), seed=2, watch=Watch(notes.append))
    return panel, heard


@pytest.mark.parametrize("pool", ["candidates", "tokens"])
def test_a_table_chooses_what_the_ensemble_captions(bundles, manifest, pool):
    """Looked up, against decoded anew under each setting of weights."""
    rerank = RerankWeights(0.3, 0.01, 0.7, 0.1, 0.2)
    ensemble = make_ensemble(bundles, pool)
    ensemble = replace(
        ensemble, config=replace(ensemble.config, decoding=replace(OPTIONS, rerank=rerank))
    )
    notes = []
    panel, heard = panel_of(ensemble, manifest, notes)
    assert len(heard) == 6
    assert any("bad.wav" in note for note in notes)
    worth = [
        [np.arange(len(o.together[point][0])) for o in heard]  # the place of the chosen
        for point in range(len(panel.points))
    ]
    trials = Trials.of(heard, panel, worth)
    settings = [(panel.points[at], row) for at, row in ((0, (0.5, 0.5)), (-1, (0.1, 0.9)))]
    if pool == "candidates":
        settings += [((0.9, 0.1), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0))]
    paths = [manifest.parent / f"{opinions.clip.id}.wav" for opinions in heard]
    for likelihood, similarity in settings:
        weights = Weights(likelihood, similarity)
        members = tuple(map(Member, ("m0", "m1"), likelihood, similarity))
        config = replace(ensemble.config, members=members)
        said = captioner_of(replace(ensemble, config=config)).caption(paths, seed=2)
        point = 0 if pool == "candidates" else panel.points.index(likelihood)
        looked_up = [
            opinions.together[point][0][int(place)].text
            for opinions, place in zip(heard, trials.earned(weights), strict=True)
        ]
        assert looked_up == [caption.caption for caption in said]


def test_what_members_say_alone_is_what_they_caption(bundles, manifest):
    _, heard = panel_of(make_ensemble(bundles), manifest)
    paths = [manifest.parent / f"{opinions.clip.id}.wav" for opinions in heard]
    for number, bundle in enumerate(bundles):
        said = captioner_of(bundle).caption(paths, seed=2)
        alone = [choose(opinions.alone[number]).text for opinions in heard]
        assert alone == [caption.caption for caption in said]


def imagined(knowing, clips=60, seed=0):
    """A panel of two, the second of which knows (or not) the better of two candidates; the metric
    is written in their texts."""
    noise = np.random.default_rng(seed)
    heard = []
    for clip in range(clips):
        worth = noise.permutation([0.0, 1.0])
        judged = []
        for member in range(2):
            sees = 0.2 * worth if member and knowing else noise.normal(0, 0.1, 2) * knowing
            judged.append(
                tuple(
                    Candidate(f"{clip} {w}", -1.0, float(s), 0.7 * float(s), True)
                    for w, s in zip(worth, sees, strict=True)
                )
            )
        alone = tuple(tuple(rank(found)) for found in judged)
        said = ClipCandidates(str(clip), str(clip), ("x",), judged[0])
        heard.append(Opinions(said, alone, (tuple(judged),)))
    members = (Member("guesses"), Member("knows"))
    ensemble = SimpleNamespace(config=SimpleNamespace(members=members), decoding=OPTIONS)
    panel = SimpleNamespace(ensemble=ensemble, pool="candidates", points=[(0.5, 0.5)])
    return heard, panel


@pytest.fixture
def worth_in_text(monkeypatch):
    def of(heard):
        return [np.array([float(c.text.split()[1]) for c in clip.candidates]) for clip in heard]

    monkeypatch.setattr("auricle.tuning.ensemble.metric", lambda name: (name, of))


def test_the_member_that_knows_gets_the_weight(worth_in_text):
    found = fit_ensemble(*imagined(knowing=True))
    assert found.weights.similarity[1] > 0.5
    assert found.best == "knows"
    assert found.rows[FITTED].value > found.rows[MEAN].value
    assert found.rows["the best candidate (oracle)"].value == 1.0
    assert "a gain" in found.verdicts()[2]
    assert "no ensemble of these does better here than knows alone" in found.verdicts()
    assert "| knows | 1.000 |" in found.to_markdown()
    assert fit_ensemble(*imagined(knowing=True)) == found


def test_where_nothing_can_be_learned_the_mean_stays(worth_in_text):
    found = fit_ensemble(*imagined(knowing=False))
    assert found.weights == Weights.mean(2)
    assert found.gains[f"{FITTED}, over {MEAN}"] == (0, 0, 0)
    assert all("no difference that shows" in verdict for verdict in found.verdicts()[:3])


def test_the_plain_mean_is_not_fitted(worth_in_text):
    found = fit_ensemble(*imagined(knowing=True), fitted=False)
    assert found.weights == Weights.mean(2)
    assert FITTED not in found.rows


@pytest.mark.parametrize("members", [2, 3, 4, 6])
def test_the_points_that_are_decoded_are_few_and_hold_mean_and_corners(members):
    points = token_points(members)
    assert len(points) <= 11
    assert points[0] == (1 / members,) * members
    for row in np.eye(members):
        assert tuple(row) in points
    assert all(sum(point) == pytest.approx(1) for point in points)


@pytest.mark.parametrize("pool", ["candidates", "tokens"])
def test_fit_from_the_command_line(bundles, manifest, tmp_path, monkeypatch, pool):
    monkeypatch.setattr("auricle.hub.ensemble.TextEmbedder", lambda *a: HashEmbedder())
    for number, bundle in enumerate(bundles):
        save_bundle(tmp_path / f"m{number}", bundle)
    out = tmp_path / "out"
    words = ["fit", str(tmp_path / "m0"), str(tmp_path / "m1"), "--data", str(manifest)]
    words += ["--output", str(out), "--pool", pool, "--folds", "3", "--candidates", "4"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "fitted, on clips held out" in result.stdout
    assert "bad.wav" in result.stderr
    ensemble = load_model(out)
    assert (ensemble.config.pool, ensemble.decoding.candidates) == (pool, 4)
    report = json.loads((out / "tuning.json").read_text())["ensemble"]
    assert report["clips"] == 6
    assert f"{report['rows'][MEAN]['value']:.3f}" in ensemble.card
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2
    assert "is not empty" in again.stderr


def test_fit_of_one_model_or_of_an_ensemble_is_refused(ensemble_folder, manifest, tmp_path):
    words = ["--data", str(manifest), "--output", str(tmp_path / "out")]
    one = CliRunner().invoke(app, ["fit", str(ensemble_folder / "members" / "m0"), *words])
    assert one.exit_code == 2
    assert "an ensemble has two or more" in one.stderr
    nested = CliRunner().invoke(app, ["fit", str(ensemble_folder), str(ensemble_folder), *words])
    assert nested.exit_code == 2
    assert "an ensemble, where a single model is needed" in nested.stderr


def test_fit_on_clips_that_cannot_be_read(bundles, manifest, tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.hub.ensemble.TextEmbedder", lambda *a: HashEmbedder())
    rows = [line for line in manifest.read_text().splitlines() if "bad.wav" in line]
    manifest.write_text("\n".join(rows))
    for number, bundle in enumerate(bundles):
        save_bundle(tmp_path / f"m{number}", bundle)
    words = ["fit", str(tmp_path / "m0"), str(tmp_path / "m1"), "--data", str(manifest)]
    result = CliRunner().invoke(app, [*words, "--output", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "no clip could be heard" in result.stderr
    assert not (tmp_path / "out").exists()
