"""Paired batches: from manifests to what a training step and a validation read."""

import gc
import json
import pickle
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from auricle.data.clip import load_clip
from auricle.data.keys import ContentKeys, text_key
from auricle.data.store import ArrayStore
from auricle.errors import AudioError, DataError
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import Batch
from auricle.training.config import TrainingConfig
from auricle.training.examples import Examples
from auricle.training.inputs import StoredEmbeddings, StoredFeatures, Waveforms
from auricle.training.paired_batches import PairedBatches, iter_validation

RATE = 4_000
CLIPS = 23


def caption(number: int, variant: int) -> str:
    return f"sound number {number} told in way {variant}{' at length' * (number % 3)}"


@pytest.fixture
def folder(tmp_path):
    """A manifest of clips of different lengths; clip i is constant at (i + 1) / 100."""
    rows = []
    for i in range(CLIPS):
        samples = np.full(800 + 40 * i, (i + 1) / 100, np.float32)
        soundfile.write(tmp_path / f"{i}.wav", samples, RATE, subtype="FLOAT")
        texts = [caption(i, variant) for variant in range(3)]
        rows.append({"audio": f"{i}.wav", "captions": texts, "id": f"clip {i}", "split": "train"})
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


@pytest.fixture
def examples(folder):
    return Examples.read([folder / "m.jsonl"], "train", 30.0)


class Bench:
    """What batches are made with; ``batches`` are batches of waveforms."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.tokenizer = CaptionTokenizer.train(examples.captions(), 300)
        self.inputs = Waveforms(examples, RATE, 30.0)

    def embed(self, captions) -> torch.Tensor:
        return torch.tensor([[len(text), sum(text.encode())] for text in captions]).float()

    def batches(self, world: int = 1, inputs=None, **training) -> PairedBatches:
        config = TrainingConfig(**{"epochs": 1, "batch_size": 4, **training})
        return PairedBatches(
            self.examples,
            inputs or self.inputs,
            self.tokenizer,
            self.embed,
            config,
            max_tokens=64,
            bucket=2,
            world=world,
        )

    def texts(self, batch: Batch) -> list[str]:
        return [self.tokenizer.decode(row[row >= 0].tolist()) for row in batch.labels]


@pytest.fixture
def bench(examples):
    return Bench(examples)


def number(text: str) -> int:
    return int(text.split()[2])


def equal(one: Batch, other: Batch) -> bool:
    names = ("audio", "lengths", "labels", "text_embeddings")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def test_a_batch_is_waveforms_captions_and_embeddings_of_the_same_clips(bench):
    (batch,) = bench.batches().at(1)
    assert len(batch) == 4
    texts = bench.texts(batch)
    for row, text in enumerate(texts):
        clip, length = number(text), int(batch.lengths[row])
        assert length == 800 + 40 * clip
        assert torch.allclose(batch.audio[row, :length], torch.tensor((clip + 1) / 100))
        assert not batch.audio[row, length:].any()
        assert batch.labels[row][batch.labels[row] >= 0][-1] == bench.tokenizer.eos_id
    assert batch.audio.shape == (4, batch.lengths.max())
    assert batch.audio.dtype == batch.text_embeddings.dtype == torch.float32
    assert torch.equal(batch.text_embeddings, bench.embed(texts))
    assert batch.replaced == ()


def test_an_epoch_uses_full_batches_of_different_clips(bench):
    data = bench.batches()
    assert data.steps_per_epoch == CLIPS // 4
    for epoch in range(2):
        steps = range(epoch * 5 + 1, epoch * 5 + 6)
        clips = [number(text) for step in steps for text in bench.texts(data.at(step)[0])]
        assert len(clips) == len(set(clips)) == 20


def test_captions_are_chosen_anew_in_every_epoch_and_evenly(bench):
    data = bench.batches()
    chosen: dict[int, set[str]] = {}
    counts: Counter[str] = Counter()
    for step in range(1, 5 * 20 + 1):
        for text in bench.texts(data.at(step)[0]):
            chosen.setdefault(number(text), set()).add(text)
            counts[text.split()[6]] += 1
    assert all(len(texts) == 3 for texts in chosen.values())
    assert set(counts) == {"0", "1", "2"}
    assert min(counts.values()) > 0.25 * sum(counts.values())


def test_a_step_is_the_same_in_any_order_and_in_a_copy(bench):
    data = bench.batches()
    expected = {step: data.at(step)[0] for step in range(1, 12)}
    copy = pickle.loads(pickle.dumps(bench.batches()))
    for step in (11, 1, 6):
        assert equal(copy.at(step)[0], expected[step])
    assert not equal(expected[1], expected[6])
    assert not equal(bench.batches(seed=1).at(1)[0], expected[1])


def test_processes_share_a_larger_batch(bench):
    whole, shared = bench.batches(batch_size=8), bench.batches(world=2)
    assert whole.steps_per_epoch == shared.steps_per_epoch == 2
    for step in (1, 2, 3):
        texts = bench.texts(whole.at(step)[0])
        for rank in (0, 1):
            (part,) = shared.at(step, rank, 2)
            assert bench.texts(part) == texts[rank::2]
    with pytest.raises(AssertionError):
        shared.at(1)


def test_a_step_has_as_many_micro_batches_as_are_accumulated(bench):
    single, double = bench.batches(), bench.batches(accumulate=2)
    assert double.steps_per_epoch == 2  # of 5 batches
    assert all(map(equal, double.at(2), [single.at(3)[0], single.at(4)[0]]))
    many = bench.batches(accumulate=7)
    assert many.steps_per_epoch == 1
    assert len(many.at(1)) == 7


@pytest.mark.parametrize(("world", "rows"), [(1, CLIPS), (2, CLIPS // 2), (3, CLIPS // 3)])
def test_a_set_smaller_than_a_batch_is_one_batch_with_equal_shares(bench, world, rows):
    data = bench.batches(world, batch_size=50)
    assert data.steps_per_epoch == 1
    parts = [data.at(1, rank, world)[0] for rank in range(world)]
    assert [len(part) for part in parts] == [rows] * world
    assert len({text for part in parts for text in bench.texts(part)}) == rows * world


def test_too_few_clips_are_refused(bench):
    with pytest.raises(DataError, match="23 clips to train on; at least 24"):
        bench.batches(world=24)
    bench.inputs.lengths = np.eye(1, CLIPS)[0]
    with pytest.raises(DataError, match="1 clips to train on; at least 2"):
        bench.batches()


def test_a_clip_deleted_in_use_is_replaced_by_the_next_and_named(bench, folder):
    data = bench.batches(batch_size=CLIPS)
    (folder / "5.wav").unlink()
    (folder / "6.wav").write_bytes(b"RIFF")
    (folder / f"{CLIPS - 1}.wav").unlink()
    (batch,) = data.at(1)
    clips = Counter(map(number, bench.texts(batch)))
    assert clips == Counter(range(CLIPS)) - Counter([5, 6, 22]) + Counter([7, 7, 0])
    assert Counter(batch.replaced) == {"clip 5": 1, "clip 6": 2, f"clip {CLIPS - 1}": 1}
    for row, text in enumerate(bench.texts(batch)):
        assert int(batch.lengths[row]) == 800 + 40 * number(text)
    assert batch.to(torch.device("cpu")).replaced == batch.replaced


def test_when_nothing_can_be_read_the_run_stops(bench, folder):
    data = bench.batches()
    for path in folder.glob("*.wav"):
        path.unlink()
    with pytest.raises(DataError, match=r"20 clips in a row cannot be read .*\.wav.*disk"):
        data.at(1)


class Steps(torch.utils.data.Dataset):
    def __init__(self, data: PairedBatches) -> None:
        self.data = data

    def __getitem__(self, step: int) -> list[Batch]:
        return self.data.at(step)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_prepare_the_same_batches(bench, folder, method, monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # or it warns of the fork
    data = bench.batches()
    (folder / "3.wav").unlink()
    steps = range(1, 6)
    loader = DataLoader(
        Steps(data), None, sampler=steps, num_workers=2, multiprocessing_context=method
    )
    found = list(loader)
    replaced: list[str] = []
    for (one,), step in zip(found, steps, strict=True):
        (other,) = data.at(step)
        assert equal(one, other)
        assert one.replaced == other.replaced
        replaced += one.replaced
    assert replaced == ["clip 3"]


def test_mixes_are_drawn_anew_in_every_epoch_and_fixed_in_validation(folder, write_tone):
    write_tone("1.wav", 0.5, RATE, 1)
    rows = [
        {"audio": f"{i}.wav", "captions": ["one and another"], "id": str(i), "split": "train"}
        for i in (1, 2)
    ]
    rows[0]["mix"] = {"audio": "sub/other.wav"}
    write_tone("sub/other.wav", 1.5, RATE)
    (folder / "mix.jsonl").write_text("\n".join(map(json.dumps, rows)))
    bench = Bench(Examples.read([folder / "mix.jsonl"], "train", 30.0))
    assert bench.examples.seconds.tolist() == pytest.approx([1.5, 0.22])
    data = bench.batches()
    heard = [data.at(epoch)[0].audio[-1] for epoch in (1, 2, 1)]
    assert len(heard[0]) == 6000
    assert torch.equal(heard[0], heard[2])
    assert not torch.allclose(heard[0], heard[1], atol=1e-3)
    (fixed,) = iter_validation(bench.examples, bench.inputs, 2)
    assert np.array_equal(fixed.audio[-1], load_clip(bench.examples.clip(0), RATE, 30.0))


@pytest.fixture
def stored(examples, tmp_path):
    """Features [3 + i, 2] of clip i under its key, all but those of clips 4 and 9."""
    store, keys = ArrayStore(tmp_path / "cache", {"of": "test"}, 2), ContentKeys(tmp_path / "cache")
    store.put_many(
        (keys.clip_key(clip), np.full((3 + i, 2), i + 0.5))
        for i, clip in enumerate(examples)
        if i not in (4, 9)
    )
    keys.save()
    return StoredFeatures(examples, store, keys)


def test_stored_features_stand_in_for_recordings(bench, stored, folder):
    for path in folder.glob("*.wav"):
        path.unlink()
    data = bench.batches(inputs=stored, batch_size=CLIPS - 2)
    (batch,) = data.at(1)
    clips = [number(text) for text in bench.texts(batch)]
    assert sorted(clips) == sorted(set(range(CLIPS)) - {4, 9})
    assert batch.audio.dtype == torch.float32
    assert batch.audio.shape == (CLIPS - 2, 3 + CLIPS - 1, 2)
    for row, clip in enumerate(clips):
        assert batch.lengths[row] == 3 + clip
        assert (batch.audio[row, : 3 + clip] == clip + 0.5).all()
        assert not batch.audio[row, 3 + clip :].any()


def test_an_empty_store_is_refused(examples, tmp_path):
    empty = ArrayStore(tmp_path / "cache", {"of": "other"}, 2)
    with pytest.raises(DataError, match=r"no features of the 23 clips .*auricle precompute"):
        StoredFeatures(examples, empty, ContentKeys(tmp_path / "cache"))


def test_stored_embeddings_come_normalised_in_the_order_asked_for(tmp_path):
    store = ArrayStore(tmp_path, {"of": "texts"}, 2)
    store.put_many([(text_key("a"), np.array([[3.0, 4.0]])), (text_key("b"), np.array([[0, 2.0]]))])
    found = StoredEmbeddings(store)(["b", "a", "b"])
    assert found.dtype == torch.float32
    assert torch.allclose(found, torch.tensor([[0, 1], [0.6, 0.8], [0, 1]]))
    with pytest.raises(DataError):
        StoredEmbeddings(store)(["c"])


def test_validation_hears_every_clip_once_with_all_its_captions(bench, stored):
    for inputs, left_out in ((bench.inputs, set()), (stored, {4, 9})):
        batches = list(iter_validation(bench.examples, inputs, 5))
        indices = [index for batch in batches for index in batch.indices]
        assert sorted(indices) == sorted(set(range(CLIPS)) - left_out)
        for batch in batches:
            assert len(batch) == len(batch.audio) == len(batch.lengths)
            for row, index in enumerate(batch.indices):
                assert batch.ids[row] == f"clip {index}"
                assert batch.paths[row].name == f"{index}.wav"
                assert batch.captions[row] == tuple(caption(index, variant) for variant in range(3))
        lengths = torch.cat([batch.lengths for batch in batches])
        assert (lengths.diff() >= 0).all()


def test_validation_leaves_out_what_cannot_be_read(bench, folder):
    for index in (0, 1, 7):
        (folder / f"{index}.wav").unlink()
    lost: list[tuple[str, AudioError]] = []
    found = list(
        iter_validation(bench.examples, bench.inputs, 2, lambda c, e: lost.append((c.id, e)))
    )
    assert [clip for clip, _ in lost] == ["clip 0", "clip 1", "clip 7"]
    assert sum(map(len, found)) == CLIPS - 3
    assert all(len(batch) for batch in found)


def test_memory_stays_flat_over_an_epoch(folder, bench):
    """benchmarks/flat_memory.py shows it at full size, with workers."""
    rows = [
        {"audio": "0.wav", "captions": [f"{i} {n} " * 20 for n in range(5)], "id": f"{i}"}
        for i in range(600)
    ]
    manifest = folder / "many.jsonl"
    manifest.write_text("\n".join(json.dumps(row | {"split": "train"}) for row in rows))
    bench.examples = Examples.read([manifest], "train", 30.0)
    bench.inputs = Waveforms(bench.examples, RATE, 30.0)
    data = bench.batches(batch_size=8)
    data.at(1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for step in range(1, data.steps_per_epoch + 1):
            data.at(step)
        gc.collect()  # of Python's own free lists: tuples that wait to be used again
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000 < 0.2 * manifest.stat().st_size
