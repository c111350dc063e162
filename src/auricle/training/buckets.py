"""The order of an epoch: shuffled batches of clips that are about as long."""

from __future__ import annotations

import numpy as np

ORDER_STREAM = 0  # second word of the seed, so that no other draw of the run uses these numbers


def epoch_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, bucket: int = 12
) -> list[np.ndarray]:
    """Indices of the clips of each batch, a pure function of the arguments.

    Every ``bucket`` batches are drawn together and sorted by ``lengths`` [N], so that little is
    padding; those of the last, smaller pool come last. What does not fill a batch waits for another
    epoch; fewer than ``batch_size`` clips are one batch.
    """
    rng = np.random.default_rng((seed, ORDER_STREAM, epoch))
    order = rng.permutation(len(lengths))
    batch_size = max(1, min(batch_size, len(order)))
    pool = bucket * batch_size
    pooled = len(order) // pool * pool
    tail = order[pooled : len(order) // batch_size * batch_size]
    batches: list[np.ndarray] = []
    for pools in (order[:pooled].reshape(-1, pool), tail.reshape(-1, max(1, len(tail)))):
        found = [
            batch
            for clips in pools
            for batch in clips[np.argsort(lengths[clips], kind="stable")].reshape(-1, batch_size)
        ]
        batches += [found[i] for i in rng.permutation(len(found))]
    return batches


def batches_per_epoch(clips: int, batch_size: int) -> int:
    """How many batches `epoch_batches` makes."""
    return max(clips // batch_size, min(clips, 1))
