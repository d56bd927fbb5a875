"""Which case comes when: a function of the seed and the epoch alone."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

Draw = tuple[int, int] | tuple[int, int, int]
"""Epoch and index of a case; where it comes again in the epoch, also how often it came before."""


class EpochSampler(Sampler[Draw | None]):
    """Hands out draws; the order of a shuffled epoch follows from the seed and the epoch.

    Of several processes each gets every n-th draw, so that together they see what one process would see. All must have
    equally many, for they wait for each other: in training the first cases of an epoch come once more for that, in an
    evaluation, where no case may count twice, the last draw of some processes is None.

    Args:
        count: Number of cases.
        seed: Seed of the run.
        shuffle: Whether the order changes from epoch to epoch, as in training.
        weights: How often each case comes relative to others; as many cases are drawn, some more than once.
        rank: Number of this process.
        size: Number of processes.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        shuffle: bool,
        weights: Sequence[float] | None = None,
        *,
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self.count = count
        self.seed = seed
        self.shuffle = shuffle
        self.weights = weights
        self.rank = rank
        self.size = size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.count / self.size)

    @property
    def surplus(self) -> int:
        """How many more draws than cases an epoch has in all processes together."""
        return len(self) * self.size - self.count

    def __iter__(self) -> Iterator[Draw | None]:
        epoch = self.epoch  # of this iteration, whatever is set while it lasts
        order = self._order(epoch)
        again = itertools.islice(itertools.cycle(order), self.surplus) if self.shuffle else ()
        draws: list[Draw | None] = [*_draws(epoch, [*order, *again])]
        draws += [None] * (self.count + self.surplus - len(draws))
        return iter(draws[self.rank :: self.size])

    def _order(self, epoch: int) -> list[int]:
        random = np.random.default_rng((self.seed, epoch))
        if self.weights is not None:
            shares = np.asarray(self.weights) / np.sum(self.weights)
            return random.choice(self.count, self.count, p=shares).tolist()
        return random.permutation(self.count).tolist() if self.shuffle else [*range(self.count)]


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
