"""Seed the transforms of a pipeline as MONAI does, without making a generator for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from monai.transforms import Compose, Randomizable
from monai.utils import MAX_SEED


class Reseeder:
    """Sets the random state of a pipeline to what `Compose.set_random_state` sets it to, bit for bit.

    MONAI makes a new generator for every transform, which takes a fifth of the time of a small sample. Here those that
    the first call has made are seeded anew. Where a transform distributes its seed in a way of its own, which the
    first call shows, MONAI's way is kept.

    Args:
        pipeline: The pipeline.
    """

    def __init__(self, pipeline: Compose) -> None:
        self.pipeline = pipeline
        self._groups = [list(_randoms(step)) for step in pipeline.transforms if isinstance(step, Randomizable)]
        pipeline.set_random_state(1)
        expected = self._states()
        self._seed(2)
        self._seed(1)
        self._is_usual = all(map(_equal, self._states(), expected))

    def __call__(self, seed: int) -> None:
        """Seed all transforms.

        Args:
            seed: A 32-bit seed.
        """
        if self._is_usual:
            self._seed(seed)
        else:
            self.pipeline.set_random_state(seed)

    def _seed(self, seed: int) -> None:
        self.pipeline.R.seed(seed)
        for group in self._groups:
            value = self.pipeline.R.randint(MAX_SEED, dtype="uint32")
            for random in group:
                random.R.seed(value)

    def _states(self) -> list[Any]:
        return [random.R.get_state() for group in self._groups for random in group]


def _randoms(step: Any) -> Iterator[Randomizable]:
    """List a transform with those inside of it."""
    yield step
    for value in vars(step).values():
        if isinstance(value, Randomizable):
            yield from _randoms(value)


def _equal(state: Any, other: Any) -> bool:
    return all(np.array_equal(part, others) for part, others in zip(state, other, strict=True))
