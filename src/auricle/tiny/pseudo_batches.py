"""Batches of the embedded model: captions, and pseudo-recordings of them.

captions ─► tags ─┐
sounds ─► tracks ─┴─► pseudo-recordings ─► Batch
"""

from __future__ import annotations

import csv
import dataclasses
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from auricle.errors import TrainingError
from auricle.fetch.yamnet_wheel import yamnet_weights
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.model.yamnet import CLASSES, Yamnet, scaled, width
from auricle.text.embedder import MINILM, TextEmbedder
from auricle.text.normalise import as_tagged, as_written
from auricle.text.tokenizer import CaptionTokenizer
from auricle.tiny.ontology import Ontology
from auricle.tiny.pseudo import Event, PseudoRecordings, Scene
from auricle.tiny.sounds import read_sounds
from auricle.tiny.synthetic import plain_recordings
from auricle.tiny.tagging import CaptionTagger, phrases
from auricle.tiny.tracks import Track, load_tracks, log_odds, read_tracks, save_tracks
from auricle.training.batch import Batch, epoch_batches, pad_audio, pad_labels
from auricle.training.config import PseudoConfig, TrainingConfig, UnpairedConfig
from auricle.training.initial import with_tokens
from auricle.watch import Note, Watch

BUCKET = 12  # batches whose captions are sorted by length together, so that little is padding
DRAW_STREAM = 1  # second word of a batch's seed; 0 is the order's
EMBEDDED_AT_ONCE = 2048
USUAL_FRAMES = 20  # 10 s
LONG_FRAMES = 62  # 30 s, in LONG_SHARE of the batches
LONG_SHARE = 0.05


class PseudoBatches:
    """Captions, each with a pseudo-recording drawn anew.

    Everything is prepared under ``work`` at the start; then `at` is a pure function of the step.

    Args:
        model: its tokenizer's numbers are not known yet: see `model_config`.
        watch: told what is being prepared.
        world: processes that share a batch.

    Raises:
        TrainingError: the model reads more than YAMNet's scores, or something else.
        FileNotFoundError: a collection of sounds is missing.
    """

    def __init__(
        self,
        config: UnpairedConfig,
        pseudo: PseudoConfig,
        training: TrainingConfig,
        model: CaptionerConfig,
        work: Path,
        watch: Watch,
        world: int = 1,
    ) -> None:
        encoder_config = model.encoder
        if not isinstance(encoder_config, YamnetConfig) or width(encoder_config) != CLASSES:
            raise TrainingError(
                "model.encoder: pseudo-recordings hold what YAMNet's scores tell and nothing else; "
                'make it type = "yamnet", features = "scores" and voice = false'
            )
        self.config, self.training, self.model, self.world = config, training, model, world
        self.work, self.watch, self.shared = work, watch, Path(config.shared)
        work.mkdir(parents=True, exist_ok=True)
        self.scale = encoder_config.scale
        listener = dataclasses.replace(encoder_config, scale="posterior")
        encoder = Yamnet.from_safetensors(yamnet_weights(), listener)
        labels = tomllib.loads(Path(config.labels).read_text(encoding="utf-8"))
        self.sounds = read_sounds(self.shared, Path(config.fetched), labels)
        self.ontology = Ontology(encoder.class_names, self.shared / "audioset")
        self._by_id = _read_captions(self.shared / "captions" / "train.csv")
        self.captions = list(self._by_id.values())
        self.tokenizer = CaptionTokenizer.train(map(as_written, self.captions), config.vocab_size)
        self._vectors = _Vectors(work, watch.note)
        told = tomllib.loads(Path(config.class_captions).read_text(encoding="utf-8"))
        self._classes = [(self._single(name), tuple(texts)) for name, texts in told.items()]
        self._prepare_plain(encoder)
        self._prepare_scenes()
        weights = encoder.classifier.weight.numpy()
        weights = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        self.pseudo = PseudoRecordings(
            self._tracks(encoder),
            self.ontology,
            self._labels[1],
            weights @ weights.T,
            pseudo,
        )
        # Only classes with sounds of their own, the commonest most: one that borrows its
        # kin's tracks would take their place (every rooster a turkey).
        own = np.array([len(self.pseudo.of_class.get(s.classes[0], ())) for s, _ in self._classes])
        self._class_odds = np.sqrt(own) / np.sqrt(own).sum()
        tokens = map(self.tokenizer.encode, map(as_written, self.captions))
        self._lengths = np.array([len(ids) for ids in tokens])
        self._epoch: tuple[int, list[np.ndarray]] = (-1, [])

    @property
    def model_config(self) -> CaptionerConfig:
        """The recipe's model with the tokenizer's numbers filled in."""
        return with_tokens(self.model, self.tokenizer)

    @property
    def steps_per_epoch(self) -> int:
        return self._per_epoch // self.training.accumulate

    def at(self, step: int, rank: int = 0, world: int = 1) -> list[Batch]:
        """The micro-batches of ``step`` (from 1), the same at every call: see `Batches`."""
        assert world == self.world, "an epoch's steps were counted for another number of processes"
        last = step * self.training.accumulate
        return [self._batch(n, rank) for n in range(last - self.training.accumulate + 1, last + 1)]

    @property
    def _per_epoch(self) -> int:
        """Micro-batches of an epoch: whole pools alone, as the shipped model learned from them."""
        return len(self.captions) // (BUCKET * self._batch_size) * BUCKET

    @property
    def _batch_size(self) -> int:
        return self.training.batch_size * self.world

    def _batch(self, number: int, rank: int) -> Batch:
        """Micro-batch ``number`` (from 1), drawn whole by every process; the rows of ``rank``."""
        data, seed = self.config, self.training.seed
        epoch, place = divmod(number - 1, self._per_epoch)
        if self._epoch[0] != epoch:
            batches = epoch_batches(self._lengths, self._batch_size, seed, epoch, BUCKET)
            self._epoch = (epoch, batches)
        rng = np.random.default_rng((seed, DRAW_STREAM, number))
        frames = LONG_FRAMES if rng.random() < LONG_SHARE else USUAL_FRAMES
        heard, written, texts_told = [], [], []
        for index in self._epoch[1][place]:
            lot = rng.random() - data.plain_share
            if lot < 0.0:
                odds, texts = self._plain[rng.integers(len(self._plain))]
                odds = odds[:frames] + rng.normal(0.0, 0.4, (min(frames, len(odds)), 1))
                text = texts[rng.integers(len(texts))]
            elif lot < data.class_share:
                scene, texts = self._classes[rng.choice(len(self._classes), p=self._class_odds)]
                odds = self.pseudo.draw(scene, rng, USUAL_FRAMES, clean=True)
                text = texts[rng.integers(len(texts))]
            else:
                odds = self.pseudo.draw(self._scenes[index], rng, frames)
                text = self.captions[index]
            heard.append(odds.astype(np.float32))
            written.append(self.tokenizer.encode(as_written(text)))
            texts_told.append(as_tagged(text))
        rows = slice(rank, None, self.world)
        vectors, decoder = self._vectors(texts_told[rows]), self.model_config.decoder
        return collate(
            heard[rows], written[rows], vectors, self.scale, decoder.eos_id, decoder.max_positions
        )

    def _single(self, name: str) -> Scene:
        """The scene of one class alone."""
        index, certain = np.array([self.ontology.index[name]]), np.ones(1)
        return Scene((Event(0, False, index, certain),), index, certain)

    def _tracks(self, encoder: Yamnet) -> list[Track]:
        path = self.work / "tracks.npz"
        if not path.is_file():
            variants, index = self.config.variants, self.ontology.index
            self.watch.note(f"hearing {len(self.sounds)} sounds, {variants} times each")
            tracks = read_tracks(
                self.sounds, encoder, index, variants, progress=self.watch.progress
            )
            save_tracks(path, tracks)
        return load_tracks(path)

    def _prepare_plain(self, encoder: Yamnet) -> None:
        recordings = plain_recordings(self.config.plain, encoder.sample_rate_hz)
        heard = log_odds(encoder, [recording.waveform for recording in recordings])
        self._plain = [(o, r.captions) for o, r in zip(heard, recordings, strict=True)]

    def _prepare_scenes(self) -> None:
        """Tags of every caption and phrase, as the tagger fitted on people's labels sees them."""
        cut = [phrases(caption) for caption in self.captions]
        whole = [as_tagged(caption) for caption in self.captions]
        texts = sorted({*whole, *(phrase.text for row in cut for phrase in row)})
        ours = {text for _, captions in [*self._plain, *self._classes] for text in captions}
        self._vectors([*texts, *sorted(ours)])
        self._labels = self._read_labels()
        path = self.work / "tags.npz"
        if not path.is_file():
            self.watch.note(f"tagging {len(texts)} captions and phrases")
            tagger = CaptionTagger(self.ontology, self._vectors).fit(*self._labels)
            classes, odds = [], []
            for start in range(0, len(texts), EMBEDDED_AT_ONCE):
                found = tagger.predict(texts[start : start + EMBEDDED_AT_ONCE])
                best = np.argsort(-found, axis=1)[:, : self.config.tags]
                classes.append(best.astype(np.int16))
                odds.append(np.take_along_axis(found, best, axis=1))
            np.savez(path, classes=np.concatenate(classes), odds=np.concatenate(odds))
        with np.load(path) as file:
            tags = dict(zip(texts, zip(file["classes"], file["odds"], strict=True), strict=True))
        self._scenes = [
            Scene(tuple(Event(p.order, p.faint, *tags[p.text]) for p in row), *tags[text])
            for row, text in zip(cut, whole, strict=True)
        ]

    def _read_labels(self) -> tuple[list[str], np.ndarray]:
        """Captions of the recordings that people labelled, and their labels [N, C]."""
        path = self.shared / "audioset" / "audiocaps_train_labels.csv"
        with path.open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["audiocap_id"] in self._by_id]
        targets = [self.ontology.targets(row["audioset_mids"].split(";")) for row in rows]
        return [self._by_id[row["audiocap_id"]] for row in rows], np.stack(targets)


def collate(
    heard: Sequence[np.ndarray],
    written: Sequence[Sequence[int]],
    vectors: np.ndarray,
    scale: str,
    eos_id: int,
    max_tokens: int,
) -> Batch:
    """Log-odds [T_i, C], token ids and text embeddings of B recordings -> a batch."""
    audio, lengths = pad_audio([scaled(torch.from_numpy(odds), scale).numpy() for odds in heard])
    labels = pad_labels(written, eos_id, max_tokens)
    return Batch(audio, lengths, labels, torch.from_numpy(vectors))


def _read_captions(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        return {row["audiocap_id"]: row["caption"] for row in csv.DictReader(file)}


class _Vectors:
    """Text embeddings, computed once and kept on disk: texts -> [N, E] float32."""

    def __init__(self, folder: Path, note: Note) -> None:
        self.texts_path, self.vectors_path = folder / "texts.json", folder / "vectors.npy"
        self.note = note
        self.row: dict[str, int] = {}
        self.vectors = np.zeros((0, 384), dtype=np.float16)
        if self.texts_path.is_file() and self.vectors_path.is_file():
            texts = json.loads(self.texts_path.read_text(encoding="utf-8"))
            self.row = {text: i for i, text in enumerate(texts)}
            self.vectors = np.load(self.vectors_path)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.row]
        if new:
            if len(new) > EMBEDDED_AT_ONCE:
                self.note(f"embedding {len(new)} texts")
            vectors = TextEmbedder(MINILM).encode(new).numpy()
            first = len(self.row)
            self.row.update({text: first + i for i, text in enumerate(new)})
            self.vectors = np.concatenate([self.vectors, vectors.astype(np.float16)])
            if len(new) > EMBEDDED_AT_ONCE:
                np.save(self.vectors_path, self.vectors)
                self.texts_path.write_text(json.dumps(list(self.row)), encoding="utf-8")
        return self.vectors[[self.row[text] for text in texts]].astype(np.float32)
