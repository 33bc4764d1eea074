"""In which order an epoch goes through its items, and which of them make a batch: functions of seed and epoch alone."""

from __future__ import annotations

import numpy as np

from unrolled.data.randomness import Purpose, draws

#: Batches whose items are sorted by length together: enough to waste little padding, few enough to stay well mixed.
POOL = 8


def epoch_order(count: int, batch_size: int, seed: int, epoch: int, lengths: np.ndarray | None = None) -> np.ndarray:
    """(batches, B): which of `count` items each batch of the epoch has. Each comes once; those that fill up the last
    batch come twice.

    lengths: (count,); with them items of about the same length come together, within POOL batches, and the batches of
        a pool follow each other in an order of their own, so that short ones do not all come first.
    """
    generator = draws(seed, Purpose.ORDER, epoch)
    batches = -(-count // batch_size)
    order = np.resize(generator.permutation(count), batches * batch_size)
    if lengths is None:
        return order.reshape(batches, batch_size)
    sorted_pools = []
    for first in range(0, len(order), POOL * batch_size):
        pool = order[first : first + POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        sorted_pools.append(generator.permutation(pool.reshape(-1, batch_size)))
    return np.concatenate(sorted_pools)
