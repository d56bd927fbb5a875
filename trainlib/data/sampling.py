"""Which case comes when: a function of the seed and the epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

Draw = tuple[int, int] | tuple[int, int, int]
"""Epoch and index of a case; where it comes again in the epoch, also how often it came before."""


class EpochSampler(Sampler[Draw]):
    """Hands out draws; the order of a shuffled epoch follows from the seed and the epoch.

    Args:
        count: Number of cases.
        seed: Seed of the run.
        shuffle: Whether the order changes from epoch to epoch.
        weights: How often each case comes relative to others; as many cases are drawn, some more than once.
    """

    def __init__(self, count: int, seed: int, shuffle: bool, weights: Sequence[float] | None = None) -> None:
        self.count = count
        self.seed = seed
        self.shuffle = shuffle
        self.weights = weights
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.epoch  # of this iteration, whatever is set while it lasts
        order = range(self.count)
        random = np.random.default_rng((self.seed, epoch))
        if self.weights is not None:
            shares = np.asarray(self.weights) / np.sum(self.weights)
            order = random.choice(self.count, self.count, p=shares).tolist()
        elif self.shuffle:
            order = random.permutation(self.count).tolist()
        return _draws(epoch, order)


def _draws(epoch: int, order: Iterable[int]) -> Iterator[Draw]:
    """Tell the occurrences of a case apart, so that each is augmented in its own way."""
    before: Counter[int] = Counter()
    for index in order:
        yield (epoch, index, before[index]) if before[index] else (epoch, index)
        before[index] += 1


def class_weights(targets: Sequence[int]) -> list[float]:
    """Weigh each case so that all classes that occur come equally often.

    Args:
        targets: Class value of each case.
    """
    counts = Counter(targets)
    return [1 / counts[target] for target in targets]
