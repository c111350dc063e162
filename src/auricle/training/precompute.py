"""Features of clips by the frozen encoder, and embeddings of captions, computed once.

    manifest ─► clips ─► waveforms ─► batches of like length ─► encoder ─► ArrayStore
                         (threads)

What a store has is not computed again, so a run that was stopped goes on. Several processes, of one
run or of more, share the clips between them: each claims what it computes, and leaves what another
one has claimed until that one has stored it, or has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from itertools import islice
from operator import length_hint
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn

from auricle.audio.lookahead import in_order
from auricle.data.clip import Clip, load_clip
from auricle.data.keys import ContentKeys, text_key
from auricle.data.store import ArrayStore
from auricle.errors import AudioError, DataError, ModelError
from auricle.files import read_json
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.model.encoder import Encoder
from auricle.shards import as_bytes, job_of, read_folder
from auricle.text.embedder import EMBEDDING_FORMAT, TextEmbedder
from auricle.training.batch import pad_audio
from auricle.training.processes import Share
from auricle.watch import UNKNOWN, Progress, silent

FORMAT = 1  # of what is stored; another number makes all of it be computed anew
WINDOW = 8  # batches whose clips are sorted by length together
BATCH_S = {"cpu": 20.0, "cuda": 300.0}  # BEATs takes 10 MB a second; a CPU has caches
TEXTS_AT_ONCE = 256
PART = 4096  # clips or texts that are settled before more are begun
TAKEN_AT_ONCE = 64  # arrays of a batch
BATCH_SETTINGS = "features.json"  # of the store that a batch's features are for

T = TypeVar("T")
OnError = Callable[[Clip, AudioError], None]
ALL = Share()


@dataclass(frozen=True)
class Counts:
    """Clips or texts that were computed, that were there already, and that could not be read.

    Attributes:
        damaged: stored arrays that were not as they had been put, and were dropped.
    """

    done: int = 0
    reused: int = 0
    failed: int = 0
    damaged: int = 0

    @classmethod
    def of_all(cls, counts: Sequence[Counts]) -> Counts:
        """Of processes that each dealt with all clips or texts and shared the work."""
        first = counts[0]
        done = sum(part.done for part in counts)
        others = sum(astuple(first)[:3]) - done - first.failed
        return cls(done, max(0, others), first.failed, sum(part.damaged for part in counts))


def feature_store(config: CaptionerConfig, weights: str, cache: str | Path) -> ArrayStore:
    """The store under ``cache`` for features of the encoder that ``config`` describes, [frames,
    encoder's dim] float16; ``weights`` is its `weights_digest`."""
    from auricle.model.yamnet import width

    encoder = config.encoder
    settings = {
        "format": FORMAT,
        "encoder": asdict(encoder),
        "weights": weights,
        "max_duration_s": config.max_duration_s,
        "published_behaviour": config.published_behaviour,
    }
    dim = width(encoder) if isinstance(encoder, YamnetConfig) else encoder.dim
    return ArrayStore(Path(cache) / "features", settings, dim)


def take_features(folder: Path, cache: str | Path) -> ArrayStore:
    """The store under ``cache`` of the features of an `auricle batch`, of which it gets those that
    it lacks.

    Raises DataError: ``folder`` is no such batch, or the store cannot be written.
    """
    job_of(folder, "features")
    try:
        settings = read_json(folder / BATCH_SETTINGS)
    except ModelError as error:
        raise DataError(str(error)) from error
    store = ArrayStore(Path(cache) / "features", settings, settings["width"])
    rows = read_folder(folder, ("key", "frames", "dim", "data"))
    found = (row for row in rows if row["data"] is not None)
    while some := list(islice(found, TAKEN_AT_ONCE)):
        store.put_many((row["key"], _array(row)) for row in some)
    return store


def _array(row: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(as_bytes(row["data"]), "<f2").reshape(row["frames"], row["dim"])


def embedding_store(name: str, prompt: str, width: int, cache: str | Path) -> ArrayStore:
    """The store under ``cache`` for embeddings by the text embedder ``name``, [1, ``width``]
    float32. A folder's name stands for the files in it as they are now."""
    settings = {
        "format": [FORMAT, EMBEDDING_FORMAT],
        "embedder": name,
        "prompt": prompt,
        "files": _files(Path(name)),
    }
    return ArrayStore(Path(cache) / "embeddings", settings, width, "float32")


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of a module's tensors and their names, wherever it lies."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def precompute_features(
    clips: Iterable[Clip],
    encoder: Encoder,
    store: ArrayStore,
    keys: ContentKeys,
    *,
    max_duration_s: float,
    batch_s: float | None = None,
    workers: int | None = None,
    share: Share = ALL,
    stage: str = "features",
    progress: Progress = silent,
    on_error: OnError | None = None,
) -> Counts:
    """Put the features of ``clips`` that ``store`` lacks into it, under their ``keys``.

    Mix-ups are mixed as their row says; what it leaves open its id decides.

    Args:
        encoder: on the device where it is to run.
        store: of `feature_store` for this encoder.
        max_duration_s: of longer clips the start is heard.
        batch_s: seconds of sound in a batch, padding included; by the device if not given.
        workers: threads that read and decode, one for each processor by default.
        share: of the stored arrays, those that this process checks.
        stage: told to ``progress`` with the clips dealt with, including those that failed.
        on_error: told of a clip that cannot be read, and the others go on; None raises.

    Raises:
        DataError: the disk is full; what was stored stays.
    """
    limit = round((batch_s or default_batch_s(encoder)) * encoder.sample_rate_hz)
    tally = _Tally(stage, length_hint(clips, UNKNOWN), progress, store, share)

    def prepare(clip: Clip) -> _Prepared:
        key = ""
        try:
            key = keys.clip_key(clip)
            if tally.stored(key):
                return _Prepared(clip, key)
            if not store.claim(key):
                return _Prepared(clip, key, left=True)
            if key in store:  # put there just now by another process
                store.release([key])
                return _Prepared(clip, key)
            waveform = load_clip(
                clip, encoder.sample_rate_hz, max_duration_s, mix_range_db=keys.mix_range_db
            )
            return _Prepared(clip, key, waveform)
        except AudioError as error:
            if key:
                store.release([key])
            return _Prepared(clip, key, error=error)

    def encode(window: dict[str, np.ndarray]) -> None:
        for found in encoded(encoder, window, limit):
            store.put_many(found.items())
            store.release(found)
            tally.add("done", len(found))
        keys.save()
        window.clear()

    def attempt(todo: Sequence[Clip]) -> list[tuple[str, Clip]]:
        left = []
        window: dict[str, np.ndarray] = {}
        samples = 0
        with contextlib.closing(in_order(prepare, todo, workers)) as prepared:
            for clip, key, waveform, error, others in prepared:
                if error:
                    if on_error is None:
                        raise error
                    on_error(clip, error)
                    tally.add("failed")
                elif others:
                    left.append((key, clip))
                elif waveform is None or key in window or key in store:
                    tally.add("reused")
                else:
                    window[key] = waveform
                    samples += len(waveform)
                if samples >= WINDOW * limit:
                    encode(window)
                    samples = 0
            encode(window)
        return left

    _by_turns(clips, attempt, store)
    return tally.counts


def encoded(
    encoder: Encoder, waveforms: Mapping[str, np.ndarray], limit: int
) -> Iterator[dict[str, np.ndarray]]:
    """The features, float32 [frames, dim], of ``waveforms``, float32 [L], under their keys, in
    batches of at most ``limit`` samples, padding included."""
    device = next(encoder.parameters()).device
    for names in _batches(waveforms, limit):
        with torch.inference_mode():
            padded, lengths = pad_audio([waveforms[key] for key in names])
            features, frames = encoder(padded.to(device), lengths.to(device))
        arrays = features.float().cpu().numpy()
        yield {
            key: arrays[i, :end]
            for i, (key, end) in enumerate(zip(names, frames.tolist(), strict=True))
        }


def default_batch_s(encoder: Encoder) -> float:
    """Seconds of sound in a batch, by the encoder's device."""
    return BATCH_S.get(next(encoder.parameters()).device.type, BATCH_S["cuda"])


def precompute_embeddings(
    texts: Iterable[str],
    embedder: TextEmbedder,
    store: ArrayStore,
    stage: str = "captions",
    progress: Progress = silent,
    share: Share = ALL,
) -> Counts:
    """Put the embeddings of ``texts`` that ``store`` lacks into it, under their `text_key`.

    ``progress`` is told the ``stage`` and the texts dealt with; of the stored embeddings this
    process checks its ``share``. Raises ModelError where the embedder gives another width than the
    store's.
    """
    tally = _Tally(stage, length_hint(texts, UNKNOWN), progress, store, share)

    def embed(new: Mapping[str, str]) -> None:
        vectors = embedder.encode(list(new.values())).cpu().numpy()
        if vectors.shape[1] != store.width:
            raise ModelError(
                f"text embedder {embedder.name}: its embeddings have {vectors.shape[1]} numbers"
                f" and the model's {store.width}; set model.embedding.dim={vectors.shape[1]}"
            )
        store.put_many((key, vectors[i : i + 1]) for i, key in enumerate(new))

    def attempt(todo: Sequence[str]) -> list[tuple[str, str]]:
        left = []
        for start in range(0, len(todo), TEXTS_AT_ONCE):
            chunk = todo[start : start + TEXTS_AT_ONCE]
            lacking = {text_key(text): text for text in chunk}
            lacking = {key: text for key, text in lacking.items() if not tally.stored(key)}
            claimed = {key: text for key, text in lacking.items() if store.claim(key)}
            new = {key: text for key, text in claimed.items() if key not in store}
            if new:
                embed(new)
            store.release(claimed)
            others = [item for item in lacking.items() if item[0] not in claimed]
            tally.add("done", len(new))
            tally.add("reused", len(chunk) - len(new) - len(others))
            left += others
        return left

    _by_turns(texts, attempt, store)
    return tally.counts


def _by_turns(
    items: Iterable[T],
    attempt: Callable[[Sequence[T]], Sequence[tuple[str, T]]],
    store: ArrayStore,
) -> None:
    """``attempt`` all items until it gives none back, which are those, by their keys, that other
    processes have claimed."""
    items = iter(items)
    try:
        while part := list(islice(items, PART)):
            while left := attempt(part):
                store.claim(left[0][0], wait=True)
                store.release([left[0][0]])
                part = [item for _, item in left]
    finally:
        store.release_all()


class _Prepared(NamedTuple):
    """A clip and its key; its waveform if this process has claimed it, ``left`` to another."""

    clip: Clip
    key: str = ""
    waveform: np.ndarray | None = None
    error: AudioError | None = None
    left: bool = False


class _Tally:
    """Counts that tell ``progress`` how many clips or texts are dealt with."""

    def __init__(
        self, stage: str, total: int, progress: Progress, store: ArrayStore, share: Share
    ) -> None:
        self.stage, self.total, self.progress = stage, total, progress
        self.store, self.share = store, share
        self._found = Counts()
        self._damaged = set[str]()

    def add(self, what: str, number: int = 1) -> None:
        self._found = replace(self._found, **{what: getattr(self._found, what) + number})
        if number:
            self.progress(self.stage, sum(astuple(self._found)), self.total)

    def stored(self, key: str) -> bool:
        """Whether the store has a ``key``, and whole if it is in the share. From any thread."""
        if key not in self.store:
            return False
        if not self.share.has(key) or self.store.check(key):
            return True
        self._damaged.add(key)
        return False

    @property
    def counts(self) -> Counts:
        return replace(self._found, damaged=len(self._damaged))


def _batches(window: Mapping[str, np.ndarray], limit: int) -> Iterator[list[str]]:
    """Keys of waveforms of like length, that padded have no more than ``limit`` samples, if more
    than one."""
    batch: list[str] = []
    for key in sorted(window, key=lambda key: len(window[key])):
        if batch and (len(batch) + 1) * len(window[key]) > limit:
            yield batch
            batch = []
        batch.append(key)
    if batch:
        yield batch


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of the files in ``folder``, sorted; none if it is no folder."""
    return sorted(
        (path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    )
