"""Transforms get the random states that MONAI would give them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import (
    Compose,
    OneOf,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandomizableTransform,
    ToTensord,
)

from trainlib.data.reseeding import Reseeder

KEYS = ["image", "label"]


class Own(RandomizableTransform):
    """A transform that distributes its seed in a way of its own."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.inner = RandFlipd(keys=KEYS, prob=0.5)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> Own:
        super().set_random_state(seed, state)
        self.inner.set_random_state(None if seed is None else (int(seed) + 1) % 2**32, state)
        return self

    def __call__(self, data: Any) -> Any:
        return self.inner(data)


class Several(RandomizableTransform):
    """A transform that keeps others in a list, and a generator of another kind."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.steps = [RandGaussianNoised(keys="image", prob=1.0)]
        self.other = np.random.default_rng(0)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> Several:
        super().set_random_state(seed, state)
        self.other = np.random.default_rng(seed)
        for step in self.steps:
            step.set_random_state(seed, state)
        return self

    def __call__(self, data: Any) -> Any:
        for step in self.steps:
            data = step(data)
        return data | {"image": data["image"] * float(self.other.random())}


def usual() -> Compose:
    return Compose(
        [
            ToTensord(keys=KEYS),
            RandCropByPosNegLabeld(keys=KEYS, label_key="label", spatial_size=[6, 6, 4], num_samples=2),
            RandFlipd(keys=KEYS, prob=0.5, spatial_axis=0),
            RandAffined(keys=KEYS, prob=0.7, rotate_range=[0.3] * 3, shear_range=[0.1] * 3, mode="nearest"),
            RandGaussianNoised(keys="image", prob=0.5),
            RandGaussianSmoothd(keys="image", prob=0.5),
        ]
    )


def unusual() -> Compose:
    choice = OneOf([RandFlipd(keys=KEYS, prob=0.5), RandGaussianNoised(keys="image", prob=0.5)])
    return Compose([choice, Own(), Several(), RandFlipd(keys=KEYS, prob=0.5)])


def results(pipeline: Compose, seed: Any) -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    data = {"image": rng.random((1, 9, 8, 7), np.float32), "label": rng.integers(0, 2, (1, 9, 8, 7)).astype(np.uint8)}
    found: list[torch.Tensor] = []
    for value in (0, 1, 7, 2**32 - 1, 7):
        seed(value)
        crops = pipeline(data)
        found += [torch.as_tensor(crop["image"]) for crop in (crops if isinstance(crops, list) else [crops])]
    return found


@pytest.mark.parametrize("make", [usual, unusual])
def test_a_seed_gives_what_it_gives_with_monai(make: Any) -> None:
    pipeline, plain = make(), make()
    reseeder = Reseeder(pipeline)
    for found, expected in zip(results(pipeline, reseeder), results(plain, plain.set_random_state), strict=True):
        assert torch.equal(found, expected)


def test_only_what_is_monai_s_own_is_seeded_in_its_place() -> None:
    assert all(parts for _, parts in Reseeder(usual())._parts)
    assert [bool(parts) for _, parts in Reseeder(unusual())._parts] == [False, False, False, True]


def test_it_goes_to_a_worker_that_is_started_anew() -> None:
    pipeline, plain = usual(), usual()
    reseeder = pickle.loads(pickle.dumps(Reseeder(pipeline)))
    for found, expected in zip(
        results(reseeder.pipeline, reseeder), results(plain, plain.set_random_state), strict=True
    ):
        assert torch.equal(found, expected)


def test_no_other_random_state_is_touched() -> None:
    before = np.random.get_state()[1].copy()
    Reseeder(usual())(5)
    assert np.array_equal(np.random.get_state()[1], before)


def test_a_pipeline_without_random_transforms_is_seeded_too() -> None:
    Reseeder(Compose([ToTensord(keys=KEYS)]))(3)
