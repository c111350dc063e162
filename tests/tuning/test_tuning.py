"""Tuning: looking up against choosing, the search of weights, folds, the fit, the commands."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli.tune import app
from auricle.data.clip import Clip
from auricle.decoding.confidence import load_calibration
from auricle.decoding.options import DecodeOptions, RerankWeights
from auricle.decoding.rerank import choose, rank
from auricle.decoding.terms import TERMS, score
from auricle.errors import DataError, ModelError
from auricle.hub.ensemble import Ensemble
from auricle.metrics.cider import cider_d
from auricle.metrics.ptb import tokenize
from auricle.pipeline import Captioner
from auricle.records import Candidate
from auricle.tuning import worth as metrics
from auricle.tuning.candidate_table import CandidateTable
from auricle.tuning.clips import ClipCandidates, decode_clips, read_clips, sampling
from auricle.tuning.folds import folds
from auricle.tuning.rerank import FITTED, OWN, PAPERS, fit_rerank, fit_weights
from auricle.tuning.simplex import search_simplex, simplex_grid
from auricle.watch import Watch
from tests.helpers.hash_embedder import HashEmbedder
from tests.helpers.models import RATE, WORDS


def random_clip(rng, number, terms=True):
    """A clip of 1 to 6 candidates; the similarity knows what they are worth."""
    found = []
    for slot in range(rng.integers(1, 7)):
        worth = rng.random()
        found.append(
            Candidate(
                text=f"caption {number} {slot}",
                log_likelihood=-rng.random() * 3,
                similarity=worth + 0.05 * rng.standard_normal() if terms else None,
                score=worth,
                fluent=bool(rng.random() < 0.8),
                summed_log_likelihood=-rng.random() * 30,
                fluency=rng.random(),
                agreement=rng.random() if terms else None,
                count=int(rng.integers(1, 4)),
            )
        )
    return ClipCandidates(f"clip {number}", f"group {number}", ("a reference",), tuple(found))


def heard(count=60, seed=0, terms=True):
    rng = np.random.default_rng(seed)
    return [random_clip(rng, number, terms) for number in range(count)]


def worth(clips):
    return [np.array([candidate.score for candidate in clip.candidates]) for clip in clips]


@pytest.mark.parametrize("terms", [True, False])
def test_looking_up_is_choosing(terms):
    clips = heard(terms=terms)
    pool = CandidateTable.of(clips, worth(clips))
    assert set(TERMS) - set(pool.names) == (set() if terms else {"similarity", "agreement"})
    rng = np.random.default_rng(1)
    settings = rng.dirichlet(np.ones(len(pool.names)), size=130)
    means = pool.mean_earned(settings)
    for row, mean in zip(settings[::13], means[::13], strict=True):
        weights = pool.weights(row)
        chosen = [
            choose(rank([replace(c, score=score(c, weights)) for c in clip.candidates])).text
            for clip in clips
        ]
        looked_up = pool.chosen(row)
        found = zip(clips, looked_up, strict=True)
        assert [clip.candidates[slot].text for clip, slot in found] == chosen
        assert pool.earned(row).mean() == pytest.approx(mean)
        assert pool.row(asdict(weights)) == pytest.approx(row)


def test_what_bounds_a_choice():
    clips = heard(5)
    pool = CandidateTable.of(clips, worth(clips))
    for clip, best, drawn in zip(clips, pool.oracle(), pool.random(), strict=True):
        draws = [c.score for c in clip.candidates for _ in range(c.count)]
        assert best == max(draws)
        assert drawn == pytest.approx(np.mean(draws))


def test_the_spread_is_that_within_clips():
    clips = heard(7)
    pool = CandidateTable.of(clips, worth(clips))
    inside = [np.std([c.log_likelihood for c in clip.candidates]) for clip in clips]
    assert pool.spread()[0] == pytest.approx(np.mean(inside))


def test_the_grid_is_every_way_to_share():
    grid = simplex_grid(3, 4)
    assert len({tuple(row) for row in grid.tolist()}) == len(grid) == 15
    assert (grid >= 0).all()
    assert grid.sum(axis=1) == pytest.approx(1)


def test_the_search_finds_a_peak_between_the_points_of_its_grid():
    peak = np.array([0.13, 0.54, 0.33])

    def value(settings):
        return -((settings - peak) ** 2).sum(axis=1)

    found = search_simplex(value, np.array([1.0, 0.0, 0.0]))
    assert np.abs(found - peak).max() < 0.011
    assert found.sum() == pytest.approx(1)


def test_on_a_plateau_the_search_stays_where_it_is():
    start = np.array([0.3, 0.7])
    assert search_simplex(lambda settings: np.zeros(len(settings)), start).tolist() == [0.3, 0.7]


def test_clips_of_one_recording_fall_into_one_fold():
    groups = [f"recording {i // 3}" for i in range(30)]
    found = folds(groups, 4, seed=1)
    assert sorted(np.unique(found)) == [0, 1, 2, 3]
    assert all(len(set(found[i : i + 3])) == 1 for i in range(0, 30, 3))
    assert (folds(groups, 4, seed=1) == found).all()
    with pytest.raises(DataError, match="there are 10 recordings: give more"):
        folds(groups, 11)


def test_fitted_weights_find_the_term_that_tells(monkeypatch):
    clips = heard(80)
    monkeypatch.setitem(metrics.METRICS, "worth", ("worth", worth))
    own = RerankWeights(likelihood=1.0, similarity=0.0)
    fit = fit_rerank(clips, "worth", own=own)
    total = sum(asdict(fit.weights).values())
    assert total == pytest.approx(1, abs=1e-3)
    assert fit.weights.similarity > 0.8
    assert fit.gain.low > 0
    assert fit.verdict.startswith("gain over the paper's weights on held-out clips: +")
    similarity = fit.rows["similarity alone"]
    assert fit.rows[FITTED].value == pytest.approx(similarity.value, abs=0.03)
    assert fit.rows[OWN] == fit.rows["likelihood alone"]
    bounds = fit.rows["a random candidate"].value, fit.rows["the best candidate (oracle)"].value
    assert bounds[0] < fit.rows[PAPERS].value < fit.rows[FITTED].value < bounds[1]
    assert json.loads(json.dumps(fit.to_json()))["rows"][FITTED]["low"] == fit.rows[FITTED].low


def test_where_nothing_tells_it_says_so(monkeypatch):
    clips = heard(40)
    noise = np.random.default_rng(5)
    values = [noise.random(len(clip.candidates)) for clip in clips]
    monkeypatch.setitem(metrics.METRICS, "noise", ("noise", lambda _: values))
    fit = fit_rerank(clips, "noise")
    assert fit.verdict.startswith("no gain over the paper's weights that 40 clips can show")


def test_the_fit_is_the_best_of_the_weights_tried():
    clips = heard(30, seed=3)
    pool = CandidateTable.of(clips, worth(clips))
    fitted = pool.earned(fit_weights(pool)).mean()
    others = np.random.default_rng(0).dirichlet(np.ones(len(pool.names)), 300) / pool.spread()
    assert fitted >= pool.mean_earned(others).max() - 0.01


def test_every_candidate_is_scored_as_if_it_were_chosen():
    references = [("a dog barks", "a dog is barking loudly"), ("rain falls on a roof",), ("wind",)]
    said = [("a dog barks loudly", "rain falls"), ("rain falls on a tin roof",), ("wind", "a dog")]
    clips = [
        ClipCandidates(
            str(i), str(i), meant, tuple(Candidate(t, 0.0, 0.0, 0.0, True) for t in texts)
        )
        for i, (meant, texts) in enumerate(zip(references, said, strict=True))
    ]
    found = metrics.cider_d(clips)
    meant = [tokenize(texts) for texts in references]
    for slot in range(2):
        chosen = [texts[min(slot, len(texts) - 1)] for texts in said]
        expected = cider_d(tokenize(chosen), meant).items
        for clip, values in enumerate(found):
            if slot < len(values):
                assert values[slot] == pytest.approx(expected[clip], abs=1e-9)


@pytest.fixture
def command(bundle, monkeypatch):
    """``command("rerank", ...)`` on a debug model, without a text embedder's model."""
    monkeypatch.setattr("auricle.hub.ensemble.TextEmbedder", HashEmbedder)
    monkeypatch.setattr("auricle.text.embedder.TextEmbedder", HashEmbedder)
    monkeypatch.setattr("auricle.loaded.load_model", lambda name, device: Ensemble.of(bundle))
    monkeypatch.setattr("auricle.fetch.names.resolve", lambda name: name)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture
def manifest(tmp_path):
    """Ten clips, one of digital silence, one not there, one without captions, one broken line."""
    noise = np.random.default_rng(0)
    rows = []
    for number in range(12):
        sound = noise.standard_normal(RATE // 2) * (0.0 if number == 3 else 0.1)
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE)
        captions = [] if number == 4 else [" ".join(noise.permutation(WORDS)[:6])]
        audio = "missing.wav" if number == 5 else f"{number}.wav"
        rows.append({"audio": audio, "captions": captions, "id": str(number), "split": "val"})
    path = tmp_path / "val.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), "{broken"]) + "\n")
    return path


def test_a_manifest_is_heard_whatever_is_wrong_with_some_of_it(bundle, command, manifest):
    notes, progress = [], []
    clips = read_clips(manifest, notes.append)
    captioner = Captioner(Ensemble.of(bundle))
    watch = Watch(notes.append, lambda *at: progress.append(at))
    found = decode_clips(captioner, clips, watch=watch)
    assert [clip.id for clip in found] == ["0", "1", "2", "6", "7", "8", "9", "10", "11"]
    assert progress[-1] == ("captioning", 11, 11)
    said = " | ".join(notes)
    for what in ("not a line of JSON", "without captions", "missing.wav", "digital silence"):
        assert what in said
    alone = captioner.caption(manifest.parent / "7.wav")[0]
    assert [c.text for c in found[4].candidates] == [c.text for c in alone.candidates]


def test_what_cannot_be_heard_is_left_out(command, bundle, tmp_path):
    """The clips after it keep their own captions."""
    clips = []
    for number in range(1, 4):
        sound = np.full(RATE, 0.1 * number if number != 2 else np.nan, np.float32)
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE, "FLOAT")
        clips.append(Clip(tmp_path / f"{number}.wav", ("x",), str(number), "val"))
    notes = []
    captioner = Captioner(Ensemble.of(bundle))
    found = decode_clips(captioner, clips, watch=Watch(notes.append))
    assert [clip.id for clip in found] == ["1", "3"]
    assert len(notes) == 1
    alone = [captioner.caption(clip)[0].candidates for clip in (clips[0], clips[2])]
    assert [[c.text for c in clip.candidates] for clip in found] == [
        [c.text for c in candidates] for candidates in alone
    ]


def test_rerank_writes_a_tuned_model(command, manifest, tmp_path):
    out = tmp_path / "tuned"
    done = command("rerank", "debug", "--data", manifest, "--folds", 3, "--output", out)
    assert done.exit_code == 0, done.output
    assert "CIDEr-D of 9 clips" in done.output
    assert "missing.wav" in done.output
    weights = json.loads((out / "config.json").read_text())["decoding"]["rerank"]
    report = json.loads((out / "tuning.json").read_text())["rerank"]
    assert report["weights"] == weights != asdict(RerankWeights())
    assert report["verdict"] in done.output
    stored = [json.loads(line) for line in (out / "tuning.candidates.jsonl").open()]
    assert len(stored) == 9
    assert {"likelihood", "agreement"} <= set(report["weights"])
    assert stored[0]["candidates"][0]["agreement"] is not None
    again = command("rerank", "debug", "--data", manifest, "--output", out)
    assert again.exit_code == 2
    assert "exists and is not empty" in again.output


def test_confidence_calibrates_a_copy_and_checks_it(
    command, bundle, manifest, tmp_path, monkeypatch
):
    monkeypatch.setattr("auricle.tuning.reliability.RESAMPLES", 100)
    draw = np.random.default_rng(0)
    monkeypatch.setattr(
        "auricle.tuning.confidence.best_similarity",
        lambda clips: [np.array([draw.random()]) for _ in clips],
    )
    out = tmp_path / "sure"
    uncalibrated = command("confidence", "debug", "--data", manifest, "--check")
    assert uncalibrated.exit_code == 2
    assert "has no calibration to check" in uncalibrated.output
    done = command("confidence", "debug", "--data", manifest, "--folds", 3, "--output", out)
    assert done.exit_code == 0, done.output
    saved = load_calibration(out)
    assert saved is not None
    assert (saved.clips, saved.data, saved.method) == (9, "val.jsonl", "nucleus")
    assert json.dumps(asdict(saved)) in done.output
    assert (out / "reliability.png").is_file()
    report = json.loads((out / "tuning.json").read_text())["confidence"]
    assert report["verdict"] in done.output
    calibrated = replace(bundle, calibration=saved)
    monkeypatch.setattr("auricle.loaded.load_model", lambda name, device: Ensemble.of(calibrated))
    monkeypatch.setattr("auricle.fetch.names.resolve", lambda name: out)
    picture = tmp_path / "check.png"
    checked = command("confidence", out, "--data", manifest, "--check", "--plot", picture)
    assert checked.exit_code == 0, checked.output
    assert picture.is_file()
    before = (out / "model.safetensors").stat()
    again = command("confidence", out, "--data", manifest, "--folds", 3, "--output", out)
    assert again.exit_code == 0, again.output
    assert (out / "model.safetensors").stat() == before  # only the calibration is written


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (0, [], "no clip with captions"),
        (1, [], "there are 1 recordings: give more"),
        (3, [], "there are 3 recordings: give more"),
        (9, ["--metric", "bleu"], "metric 'bleu' is unknown; choose from cider_d, similarity"),
    ],
)
def test_what_cannot_be_tuned_on_is_refused(command, manifest, rows, options, message):
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join(lines[:rows]) + "\n")
    done = command("rerank", "debug", "--data", manifest, *options)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_a_model_that_searches_is_tuned_by_sampling(bundle):
    ensemble = Ensemble.of(bundle)
    beam = ensemble.with_decoding(DecodeOptions("beam", candidates=4, max_length=100))
    assert sampling(beam) == DecodeOptions()
    assert sampling(ensemble) == bundle.decoding


def test_an_unknown_metric_is_refused():
    with pytest.raises(ModelError, match="choose from"):
        fit_rerank(heard(10), "spice")
