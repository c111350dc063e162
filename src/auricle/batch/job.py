"""The job of a batch, the chunks that it is done in, and what an engine reports of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any, Literal, TypeAlias

from auricle.batch.items import Item

TaskName: TypeAlias = Literal["caption", "timeline", "features", "embed"]
Format: TypeAlias = Literal["parquet", "jsonl"]
Failure: TypeAlias = Literal["input", "audio", "memory", "crash"]  # the kinds

CHUNK = 64  # items, by default


@dataclass(frozen=True)
class JobSpec:
    """What is done with every item, in plain values, which travel to workers.

    Attributes:
        folder: the output, an absolute path that every worker reaches.
        model: a name, or the absolute path of a folder.
        digest: of the model's files.
        decoding: arguments of `Captioner.decoding`.
        batch_size: recordings that are encoded together.
        threads: of a worker's model.

    The fields up to ``format`` decide the result; the others, how it is computed.
    """

    folder: str
    task: TaskName
    model: str
    digest: str
    decoding: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    format: Format = "parquet"
    device: str = "auto"
    batch_size: int = 8
    threads: int = 1

    @property
    def result(self) -> dict[str, Any]:
        """What decides the result, save the name and place of the model, as values of JSON."""
        names = ("task", "digest", "decoding", "precision", "format")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items that are done by one worker. ``name``: a digest of their ids; ``losses``: how often a
    worker was lost with them."""

    name: str
    items: tuple[Item, ...]
    losses: int = 0


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """A chunk whose rows are committed.

    Attributes:
        name: of the chunk.
        done: number of items with a result.
        failed: number of the others, by kind of failure.
        audio_s: seconds of sound that were heard.
        took_s: seconds of work.
    """

    name: str
    done: int
    failed: Mapping[str, int]
    audio_s: float
    took_s: float

    @property
    def items(self) -> int:
        return self.done + sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class ChunkLost:
    """A chunk whose worker died, was ended because it hung, or met an error of its own.

    Attributes:
        reason: one line.
        suspects: ids of the items that were being opened, if that is known.
    """

    chunk: Chunk
    reason: str
    suspects: tuple[str, ...] = ()


Report: TypeAlias = ChunkDone | ChunkLost

# Does the chunks, in any order: one report for each, when it is committed or lost. It may take
# chunks ahead. Closing it ends the workers. An engine raises what no other chunk could
# escape: the AuricleErrors and OSErrors of a worker, and workers that cannot begin.
Engine: TypeAlias = Callable[[JobSpec, Iterable[Chunk]], Generator[Report]]


def chunk_of(items: Sequence[Item], losses: int = 0) -> Chunk:
    digest = blake2b("".join(one.id for one in items).encode(), digest_size=16)
    return Chunk(digest.hexdigest(), tuple(items), losses)


def chunks_of(items: Iterable[Item], size: int = CHUNK) -> Iterator[Chunk]:
    items = iter(items)
    while some := list(islice(items, size)):
        yield chunk_of(some)


def again(lost: ChunkLost, left: Sequence[Item]) -> list[Chunk]:
    """The chunks that are tried instead of a lost one, of whose items these are ``left``: each
    suspect alone and the others, or halves; none if a single item was lost twice, which is then to
    blame."""
    if len(lost.chunk.items) == 1:
        return [] if lost.chunk.losses or not left else [chunk_of(left, 1)]
    suspects = [one for one in left if one.id in lost.suspects]
    others = [one for one in left if one.id not in lost.suspects]
    if suspects and others:
        return [*(chunk_of([one]) for one in suspects), chunk_of(others)]
    half = len(left) // 2
    return [chunk_of(some) for some in (left[:half], left[half:]) if some]
