"""Features and embeddings computed once: what is stored is what the encoder says of each alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from auricle.cli import app
from auricle.data.clip import Clip, load_clip
from auricle.data.keys import ContentKeys, text_key
from auricle.data.manifest import parse_mix, write_manifest
from auricle.data.store import ArrayStore
from auricle.errors import AudioError, ModelError
from auricle.model.beats import Beats
from auricle.model.captioner import build_encoder
from auricle.model.config import CaptionerConfig, YamnetConfig, debug_config
from auricle.training import precompute
from auricle.training.precompute import (
    Counts,
    embedding_store,
    feature_store,
    precompute_embeddings,
    precompute_features,
    weights_digest,
)

CONFIG = debug_config()
DURATIONS_S = (0.5, 2.0, 1.0, 0.3, 1.5, 0.7)


class Listened(Beats):
    """The encoder of the debug model; remembers how many clips and samples it was given."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(CONFIG.encoder)  # type: ignore[arg-type]
        self.eval()
        self.calls: list[tuple[int, int]] = []

    def forward(self, waveforms: Tensor, lengths: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        self.calls.append((waveforms.shape[0], waveforms.shape[1]))
        return super().forward(waveforms, lengths)


class Run:
    """Precomputation of tones into a store under ``tmp_path``."""

    def __init__(self, tmp_path: Path, config: CaptionerConfig = CONFIG) -> None:
        self.encoder = Listened()
        self.store = feature_store(config, weights_digest(self.encoder), tmp_path / "cache")
        self.keys = ContentKeys(tmp_path / "cache")
        self.errors: list[tuple[str, str]] = []
        self.progress: list[int] = []

    def __call__(self, clips: Sequence[Clip], batch_s: float = 4.0) -> Counts:
        return precompute_features(
            clips,
            self.encoder,
            self.store,
            self.keys,
            max_duration_s=CONFIG.max_duration_s,
            batch_s=batch_s,
            workers=2,
            progress=lambda stage, done, total: self.progress.append(done),
            on_error=lambda clip, error: self.errors.append((clip.id, str(error))),
        )


@pytest.fixture
def clips(write_tone: Callable[..., Path]) -> list[Clip]:
    paths = [write_tone(f"{i}.wav", duration_s) for i, duration_s in enumerate(DURATIONS_S)]
    return [Clip(path, ("a tone",), path.stem, "train") for path in paths]


def alone(run: Run, clip: Clip) -> np.ndarray:
    """The features of ``clip`` in a batch of its own."""
    waveform = torch.from_numpy(load_clip(clip, run.encoder.sample_rate_hz, 30.0))
    with torch.no_grad():
        features, lengths = run.encoder(waveform[None], torch.tensor([len(waveform)]))
    return features[0, : int(lengths[0])].numpy()


def test_stored_features_are_those_of_each_clip_alone(tmp_path: Path, clips: list[Clip]) -> None:
    run = Run(tmp_path)
    part = replace(clips[1], start_s=0.5, end_s=1.1)
    mixed = replace(clips[0], mix=parse_mix({"audio": str(clips[2].audio)}, Path()))
    everything = [*clips, part, mixed]
    assert run(everything) == Counts(done=8)
    assert max(count for count, _ in run.encoder.calls) > 1
    for clip in everything:
        stored = run.store.get(run.keys.clip_key(clip))
        expected = alone(run, clip)
        assert stored.dtype == np.float16
        assert stored.shape == expected.shape
        np.testing.assert_allclose(stored, expected, rtol=1e-3, atol=1e-3)


def test_long_clips_are_heard_from_their_start(tmp_path: Path, clips: list[Clip]) -> None:
    config = replace(CONFIG, max_duration_s=1.0)
    run = Run(tmp_path, config)
    precompute_features(clips[1:2], run.encoder, run.store, run.keys, max_duration_s=1.0)
    stored = run.store.get(run.keys.clip_key(clips[1]))
    np.testing.assert_allclose(stored, alone(run, replace(clips[1], end_s=1.0)), atol=1e-2)
    assert run.store.folder != Run(tmp_path).store.folder


def test_batches_are_bounded_in_padded_seconds(tmp_path: Path, clips: list[Clip]) -> None:
    run = Run(tmp_path)
    run(clips, batch_s=2.0)
    rate_hz = run.encoder.sample_rate_hz
    assert all(count * longest <= 2.0 * rate_hz for count, longest in run.encoder.calls)
    assert sum(count for count, _ in run.encoder.calls) == len(clips)
    assert len(run.encoder.calls) == 4  # 0.3+0.5, 0.7+1.0, 1.5, 2.0: little of it is padding


def test_a_clip_longer_than_a_batch_is_a_batch(tmp_path: Path, clips: list[Clip]) -> None:
    run = Run(tmp_path)
    assert run(clips, batch_s=0.1).done == len(clips)
    assert [count for count, _ in run.encoder.calls] == [1] * len(clips)


def test_windows_bound_what_is_in_memory(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precompute, "WINDOW", 1)
    run = Run(tmp_path)
    assert run(clips, batch_s=2.5).done == len(clips)
    assert [count for count, _ in run.encoder.calls][:2] == [1, 1]  # 0.5 and 2.0 s fill a window


def test_what_is_there_is_not_computed_again(tmp_path: Path, clips: list[Clip]) -> None:
    first = Run(tmp_path)
    assert first(clips[:4]) == Counts(done=4)
    assert first.progress[-1] == 4
    again = Run(tmp_path)
    assert again(clips) == Counts(done=2, reused=4)
    assert sum(count for count, _ in again.encoder.calls) == 2
    assert again.progress[-1] == 6
    assert again.progress == sorted(again.progress)


def test_equal_sounds_are_computed_once(tmp_path: Path, clips: list[Clip]) -> None:
    run = Run(tmp_path)
    copy = replace(clips[0], id="copy")
    assert run([clips[0], copy, clips[1], copy]) == Counts(done=2, reused=2)
    assert sum(count for count, _ in run.encoder.calls) == 2


def test_a_changed_file_is_computed_again(
    tmp_path: Path, clips: list[Clip], write_tone: Callable[..., Path]
) -> None:
    Run(tmp_path)(clips)
    write_tone("2.wav", 1.25)
    assert Run(tmp_path)(clips) == Counts(done=1, reused=len(clips) - 1)


def test_other_settings_are_computed_again(tmp_path: Path, clips: list[Clip]) -> None:
    run = Run(tmp_path)
    run(clips[:1])
    digest = weights_digest(run.encoder)
    encoder = CONFIG.encoder
    for config, weights in (
        (replace(CONFIG, encoder=replace(encoder, output_layer=1)), digest),
        (replace(CONFIG, max_duration_s=10.0), digest),
        (CONFIG, "other weights"),
    ):
        assert len(feature_store(config, weights, tmp_path / "cache")) == 0
    assert len(feature_store(CONFIG, digest, tmp_path / "cache")) == 1
    same = replace(CONFIG, conformer=replace(CONFIG.conformer, layers=1))
    assert len(feature_store(same, digest, tmp_path / "cache")) == 1


def test_bad_files_are_reported_and_the_rest_goes_on(tmp_path: Path, clips: list[Clip]) -> None:
    clips[1].audio.write_bytes(b"not audio")
    clips[3].audio.unlink()
    run = Run(tmp_path)
    late = replace(clips[0], id="late", start_s=9.0)
    assert run([*clips, late]) == Counts(done=4, failed=3)
    assert [name for name, _ in run.errors] == ["1", "3", "late"]
    assert "no such file" in run.errors[1][1].lower()
    assert "section starts at 9 s" in run.errors[2][1]
    assert run.progress[-1] == 7


def test_without_on_error_a_bad_file_raises(tmp_path: Path, clips: list[Clip]) -> None:
    clips[1].audio.write_bytes(b"not audio")
    run = Run(tmp_path)
    with pytest.raises(AudioError, match=r"1\.wav"):
        precompute_features(clips, run.encoder, run.store, run.keys, max_duration_s=30.0)


def test_an_interrupted_run_goes_on(tmp_path: Path, clips: list[Clip]) -> None:
    run = Run(tmp_path)
    heard = run.encoder.forward

    def interrupted(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        if len(run.encoder.calls) == 2:
            raise KeyboardInterrupt
        return heard(*inputs)

    run.encoder.forward = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(clips, batch_s=0.1)
    assert len(run.store) == 2
    assert Run(tmp_path)(clips) == Counts(done=4, reused=2)


def test_yamnets_features_have_its_width(tmp_path: Path, clips: list[Clip]) -> None:
    plain = {"scores": 521, "embeddings": 1024, "both": 1545}
    for (features, scores), voice in product(plain.items(), (False, True)):
        width = scores + 12 * voice
        yamnet = YamnetConfig(features=features, voice=voice)  # type: ignore[arg-type]
        config = replace(CONFIG, encoder=yamnet)
        encoder = build_encoder(config).eval()
        store = feature_store(config, weights_digest(encoder), tmp_path)
        keys = ContentKeys(tmp_path)
        counts = precompute_features(clips[:2], encoder, store, keys, max_duration_s=30.0)
        assert counts.done == 2
        assert store.get(keys.clip_key(clips[1])).shape == (4, width)


def test_the_digest_tells_weights_apart() -> None:
    one, same = Listened(), Listened()
    assert weights_digest(one) == weights_digest(same)
    same.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert weights_digest(one) == weights_digest(same)
    assert weights_digest(one) != weights_digest(Listened().half())
    with torch.no_grad():
        same.patches.weight[0, 0, 0, 0] += 1e-3
    assert weights_digest(one) != weights_digest(same)


class Embedder:
    """Four numbers by a text's letters."""

    name = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.asked += texts
        return torch.tensor([[float(text.count(letter)) for letter in "abcd"] for text in texts])


def embed(texts: Sequence[str], store: ArrayStore, progress: list[int]) -> tuple[Counts, list[str]]:
    embedder = Embedder()
    counts = precompute_embeddings(
        texts,
        embedder,  # type: ignore[arg-type]
        store,
        progress=lambda stage, done, total: progress.append(done),
    )
    return counts, embedder.asked


def test_texts_are_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precompute, "TEXTS_AT_ONCE", 3)
    store = embedding_store("letters", "", 4, tmp_path)
    progress: list[int] = []
    texts = ["a", "bb", "a", "cab", "bb", "dad", "a"]
    counts, asked = embed(texts, store, progress)
    assert asked == ["a", "bb", "cab", "dad"]
    assert counts == Counts(done=4, reused=3)
    assert progress[-1] == 7
    np.testing.assert_array_equal(store.get(text_key("dad")), np.float32([[1, 0, 0, 2]]))
    counts, asked = embed([*texts, "new"], store, progress)
    assert asked == ["new"]
    assert counts == Counts(done=1, reused=7)


def test_embedders_and_prompts_have_stores_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "embedder"
    folder.mkdir()
    (folder / "weights").write_bytes(b"1")
    before = embedding_store(str(folder), "", 4, tmp_path)
    assert embedding_store(str(folder), "", 4, tmp_path).folder == before.folder
    (folder / "weights").write_bytes(b"12")
    stores = [
        before,
        embedding_store(str(folder), "", 4, tmp_path),
        embedding_store("letters", "", 4, tmp_path),
        embedding_store("letters", "Represent: ", 4, tmp_path),
        embedding_store("letters", "", 5, tmp_path),
    ]
    assert len({store.folder for store in stores}) == len(stores)


def test_an_embedder_of_another_width_is_named(tmp_path: Path) -> None:
    store = embedding_store("letters", "", 768, tmp_path)
    with pytest.raises(ModelError, match=r"letters: .* 4 .* 768; set model.embedding.dim=4"):
        embed(["a"], store, [])


def write_recipe(folder: Path, clips: Sequence[Clip]) -> Path:
    """A recipe for the debug model on ``clips``, in ``folder``."""
    write_manifest(folder / "tones.jsonl", clips)
    model = {name: asdict(getattr(CONFIG, name)) for name in ("encoder", "conformer", "embedding")}
    recipe = folder / "recipe.toml"
    recipe.write_text(
        """
        name = "tones"
        out = "out"
        encoder_weights = "random"
        data = {train = ["tones.jsonl"], min_words = 1, cache = "cache"}
        training = {steps = 1}
        tokenizer = {name = "", vocab_size = 260}
        text_embedder = {name = "all-MiniLM-L6-v2", prompt = ""}
        """
        + "".join(
            f"[model.{block}]\n"
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
            for block, values in model.items()
        )
    )
    return recipe


@pytest.mark.slow
def test_the_command_fills_the_cache(tmp_path: Path, clips: list[Clip]) -> None:
    recipe = write_recipe(tmp_path, clips)
    first = CliRunner().invoke(app, ["precompute", str(recipe)])
    assert first.exit_code == 0, first.output
    assert "6 computed, 0 there already, 0 failed" in first.stdout
    again = CliRunner().invoke(app, ["precompute", str(recipe), "training.batch_size=2"])
    assert again.exit_code == 0, again.output
    assert "0 computed, 6 there already, 0 failed" in again.stdout


def test_the_command_says_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: object, **__: object) -> dict[str, Counts]:
        return {"features": Counts(3, 2, 1), "caption embeddings": Counts(7)}

    monkeypatch.setattr("auricle.training.run.precompute_recipe", found)
    said = CliRunner().invoke(app, ["precompute", "any.toml"])
    assert said.exit_code == 1
    assert said.stdout.splitlines() == [
        "features             3 computed, 2 there already, 1 failed",
        "caption embeddings   7 computed, 0 there already, 0 failed",
    ]


def test_what_another_process_has_just_stored_is_not_held(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that each hold what the other waits for would wait for ever."""
    run, held = Run(tmp_path), set[str]()
    claim, release = run.store.claim, run.store.release

    def claimed(key: str, wait: bool = False) -> bool:
        if not held:
            run.store.put_many([(key, np.zeros((1, run.store.width)))])
        held.add(key)
        return claim(key, wait)

    def released(keys: Sequence[str]) -> None:
        held.difference_update(keys)
        release(keys)

    monkeypatch.setattr(run.store, "claim", claimed)
    monkeypatch.setattr(run.store, "release", released)
    monkeypatch.setattr(run.store, "release_all", lambda: None)
    assert run(clips).reused >= 1
    assert held == set()
