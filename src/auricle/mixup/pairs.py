"""Pairs of captions of different recordings, in an order that a seed fixes.

The pairs of a manifest are numbered, and the numbers shuffled by a permutation that can be computed
at any position. So pair 49,999 takes no longer than pair 0, no pair occurs twice, and memory holds
only a few numbers per clip.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.data.clip import Clip
from auricle.data.manifest import DefaultIds, parse_clip, split_counts, with_id
from auricle.errors import DataError
from auricle.files import raw_lines
from auricle.mixup.answers import MixRelation, MixupRow, Provider

if TYPE_CHECKING:
    import numpy as np

ROUNDS = 4  # of the Feistel network; three make it pseudo-random (Luby and Rackoff, 1988)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clips of different recordings, one caption each; ``number``: its place in the order."""

    number: int
    seed: int
    clips: tuple[Clip, Clip]
    captions: tuple[str, str]

    def row(
        self,
        answer: str,
        *,
        prompt: str,
        model: str,
        provider: Provider,
        relation: MixRelation | None = None,
    ) -> MixupRow:
        """The row of ``answer``."""
        first, second = self.clips
        sections = (first.start_s, first.end_s), (second.start_s, second.end_s)
        return MixupRow(
            pair=self.number,
            ids=(first.id, second.id),
            audio=(first.audio, second.audio),
            captions=self.captions,
            prompt=prompt,
            model=model,
            provider=provider,
            seed=self.seed,
            answer=answer,
            sections=sections if any(map(any, sections)) else None,
            licences=(first.licence, second.licence),
            sources=(first.source, second.source),
            relation=relation,
        )


class CaptionPairs:
    """All pairs of captions of a manifest's clips, as a sequence: ``pairs[n]``, ``len(pairs)``.

    The two captions have different recordings: different ``source``, or without it different files
    or sections. A pair and its reverse count as one. Clips that are mix-ups are left out.
    """

    def __init__(
        self, manifest: Path, seed: int, clips: np.ndarray, numbers: Mapping[int, int]
    ) -> None:
        """``clips`` [N]: offset, captions, recording, id; see `_CLIP`. ``numbers``: from
        `DefaultIds`."""
        import numpy as np

        self.manifest, self.seed, self._numbers = manifest, seed, numbers
        clips = clips[np.argsort(clips["recording"], kind="stable")]
        self._offsets, self._ids = clips["offset"], clips["id"]
        # Captions are numbered clip by clip; each pairs with those after its recording's last.
        self._starts = np.concatenate([[0], np.cumsum(clips["captions"], dtype=np.int64)])
        ends = clips["recording"].searchsorted(clips["recording"], side="right")
        self._partners = self._starts[ends]  # [N] a clip's first partner caption
        counts = clips["captions"] * (self._starts[-1] - self._partners)
        self._pairs = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    @classmethod
    def read(
        cls, manifest: str | os.PathLike[str], seed: int = 0, split: str = "train"
    ) -> CaptionPairs:
        """The pairs of the clips of ``split`` or without a split ("" for every clip), in the order
        of ``seed``.

        Raises DataError: the manifest cannot be read, or has fewer than two captioned recordings.
        """
        import numpy as np

        path = Path(manifest)
        clips, splits = [], Counter[str]()
        ids = DefaultIds()
        for line in raw_lines(path, "manifest"):
            try:
                clip = ids.complete(parse_clip(line.content, path.parent), line.offset)
            except DataError as error:
                raise DataError(f"{path}:{line.number}: {error}") from error
            splits[clip.split] += 1
            captions = len(_captions(clip))
            if captions and clip.mix is None and (not split or clip.split in ("", split)):
                # Paths relative to the manifest: a moved data set keeps its order.
                file = os.path.relpath(clip.audio, path.parent)
                recording = clip.source or repr((file, clip.start_s, clip.end_s))
                clips.append((line.offset, captions, digest(recording), digest(clip.id)))
        pairs = cls(path, seed, np.array(clips, _CLIP), ids.numbers)
        if not len(pairs):
            raise DataError(
                f'{path}: split "{split}" has no captions of two different recordings to mix;'
                f" the manifest's splits are {split_counts(splits)}"
            )
        return pairs

    def __len__(self) -> int:
        return int(self._pairs[-1])

    def __getitem__(self, number: int) -> Pair:
        """Pair ``number``, read from the manifest; DataError if the manifest has changed."""
        places = self._places(number)
        clips, captions = [], []
        for clip_number, caption in places:
            clip = self._clip(clip_number)
            clips.append(clip)
            captions.append(_captions(clip)[caption])
        return Pair(number, self.seed, (clips[0], clips[1]), (captions[0], captions[1]))

    def made(self, row: MixupRow) -> bool:
        """Whether ``row`` belongs to the pair of its number."""
        if row.seed != self.seed or not 0 <= row.pair < len(self):
            return False
        return all(
            self._ids[clip] == digest(id_)
            for (clip, _), id_ in zip(self._places(row.pair), row.ids, strict=True)
        )

    def _places(self, number: int) -> list[tuple[int, int]]:
        """(clip, caption) numbers of the first and the second of pair ``number``."""
        if not 0 <= number < len(self):
            raise IndexError(f"pair {number} of {len(self)}")
        place = permuted(number, len(self), self.seed)
        clip = int(self._pairs.searchsorted(place, side="right")) - 1
        partners = int(self._starts[-1] - self._partners[clip])
        caption, partner = divmod(place - int(self._pairs[clip]), partners)
        partner += int(self._partners[clip])
        other = int(self._starts.searchsorted(partner, side="right")) - 1
        places = [(clip, caption), (other, partner - int(self._starts[other]))]
        return places[::-1] if _hash(self.seed, "order", number) & 1 else places

    def _clip(self, number: int) -> Clip:
        try:
            with self.manifest.open("rb") as file:
                file.seek(offset := int(self._offsets[number]))
                clip = parse_clip(file.readline(), self.manifest.parent)
            clip = with_id(clip, self._numbers.get(offset, 1))
            if digest(clip.id) == self._ids[number]:
                return clip
        except (OSError, DataError):
            pass
        raise DataError(
            f"{self.manifest}: the manifest was changed while in use; run the same command again"
        )


def permuted(place: int, size: int, seed: int) -> int:
    """The image of ``place`` under the permutation of range(``size``) that ``seed`` fixes.

    A Feistel network over the next power of four is applied until the result is in the range.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for number in range(ROUNDS):
            left, right = right, left ^ (_hash(seed, number, right) & mask)
        place = left << half | right
        if place < size:
            return place


def _captions(clip: Clip) -> list[str]:
    """The clip's captions, each once."""
    return list(dict.fromkeys(text for caption in clip.captions if (text := caption.strip())))


def _hash(*parts: int | str) -> int:
    return digest(repr(parts))


def digest(text: str) -> int:
    """64 bits that stand for ``text``."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


_CLIP = [("offset", "i8"), ("captions", "i8"), ("recording", "u8"), ("id", "u8")]
