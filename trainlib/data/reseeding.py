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
    a first call has made are seeded anew. A transform that may distribute its seed in a way of its own, such as one of
    a patch script, is seeded by its own method.

    Args:
        pipeline: The pipeline.
    """

    def __init__(self, pipeline: Compose) -> None:
        self.pipeline = pipeline
        pipeline.set_random_state(1)
        # A transform -> those whose generators are seeded in its place, or none.
        self._parts = [(step, _parts(step)) for step in pipeline.transforms if isinstance(step, Randomizable)]

    def __call__(self, seed: int) -> None:
        """Seed all transforms.

        Args:
            seed: A 32-bit seed.
        """
        self.pipeline.R.seed(seed)
        for step, parts in self._parts:
            value = self.pipeline.R.randint(MAX_SEED, dtype="uint32")
            for part in parts:
                part.R.seed(value)
            if not parts:
                step.set_random_state(seed=value)


def _parts(step: Randomizable) -> list[Randomizable]:
    """List a transform and those inside of it, if all get the seed of the first; none where that is not certain."""
    parts = list(_randoms(step))
    if not all(_is_of_monai(part) and not _holds_others(part) for part in parts):
        return []
    step.set_random_state(seed=1)
    expected = np.random.RandomState(1).get_state()
    return parts if all(_equal(part.R.get_state(), expected) for part in parts) else []


def _randoms(step: Randomizable) -> Iterator[Randomizable]:
    """List a transform with those that are its attributes."""
    yield step
    for value in vars(step).values():
        if isinstance(value, Randomizable):
            yield from _randoms(value)


def _is_of_monai(part: Randomizable) -> bool:
    """Tell whether class and seeding of a transform are MONAI's own."""
    return all(place.__module__.startswith("monai.") for place in (type(part), type(part).set_random_state))


def _holds_others(part: Randomizable) -> bool:
    """Tell whether a transform may keep others, or another generator, where they would not be found."""
    return any(
        isinstance(value, np.random.Generator)
        or (isinstance(value, list | tuple | set) and any(map(callable, value)))
        or (isinstance(value, dict) and any(map(callable, value.values())))
        for value in vars(part).values()
    )


def _equal(state: Any, other: Any) -> bool:
    return all(np.array_equal(part, others) for part, others in zip(state, other, strict=True))
