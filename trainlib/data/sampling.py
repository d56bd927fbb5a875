"""Which case comes when: a function of the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

Draw = tuple[int, int]
"""Epoch and index of a case."""


class EpochSampler(Sampler[Draw]):
    """Hands out ``(epoch, index)``; the order of a shuffled epoch follows from the seed and the epoch.

    Args:
        count: Number of cases.
        seed: Seed of the run.
        shuffle: Whether the order changes from epoch to epoch.
    """

    def __init__(self, count: int, seed: int, shuffle: bool) -> None:
        self.count = count
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.epoch  # of this iteration, whatever is set while it lasts
        order = range(self.count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.count).tolist()
        return ((epoch, index) for index in order)
