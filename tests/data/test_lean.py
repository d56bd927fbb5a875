"""Leaner transforms draw the same numbers and give the same bits as MONAI's, and stand only for those."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, get_track_meta, set_track_meta
from monai.transforms import Compose, OneOf, RandAffined, RandFlipd, RandGaussianNoised, RandSpatialCropSamplesd

from trainlib.data.lean import table
from trainlib.data.lean.affine import LeanAffine
from trainlib.data.lean.table import lean
from trainlib.data.reseeding import Reseeder

KEYS = ["image", "label"]
RANGES = {"rotate_range": [0.3] * 3, "scale_range": [0.15] * 3, "shear_range": [0.1] * 3, "translate_range": [2.0] * 3}
SIZES = [(12, 9, 7), (8, 8, 8), (17, 1, 5), (20, 15), (1, 6)]
MODES = list(itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection")))


@pytest.fixture(autouse=True)
def _untracked() -> Iterator[None]:
    tracked = get_track_meta()
    set_track_meta(False)
    yield
    set_track_meta(tracked)


def sample(size: tuple[int, ...], dtype: torch.dtype, channels: int = 2) -> dict[str, Any]:
    """Make an image with a label of another type, and something that no transform is to touch."""
    generator = torch.Generator().manual_seed(math.prod(size))
    image = torch.randn(channels, *size, generator=generator)
    label = torch.randint(0, 100, (1, *size), generator=generator).to(dtype)
    return {"image": image, "label": label, "case": "a"}


def affine(size: tuple[int, ...] = (1, 1, 1), **settings: Any) -> RandAffined:
    ranges = {name: values[: len(size)] for name, values in RANGES.items() if name != "shear_range"}
    ranges["shear_range"] = [0.1] * (2 if len(size) == 2 else 6)
    return RandAffined(**{"keys": KEYS, "prob": 0.8, "mode": ["bilinear", "nearest"], **ranges, **settings})


def assert_same(found: Any, expected: Any) -> None:
    assert list(found) == list(expected)
    for key in KEYS:
        assert type(found[key]) is type(expected[key])
        assert found[key].dtype == expected[key].dtype
        assert torch.equal(found[key], expected[key])


def assert_equal_for_seeds(lean: Any, plain: Any, data: dict[str, Any], count: int) -> None:
    """Compare results, and all generators afterwards, for many seeds."""
    for seed in range(count):
        lean.original.set_random_state(seed)
        plain.set_random_state(seed)
        assert_same(lean(dict(data)), plain(dict(data)))
        for one, other in zip(generators(lean.original), generators(plain), strict=True):
            assert all(map(np.array_equal, one.get_state(), other.get_state()))


def generators(transform: RandAffined) -> list[np.random.RandomState]:
    inner = transform.rand_affine
    return [transform.R, inner.R, inner.rand_affine_grid.R]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("mode", "padding"), MODES)
def test_affine_gives_the_same_bits(size: tuple[int, ...], mode: str, padding: str) -> None:
    settings = {"mode": ["bilinear", mode], "padding_mode": padding}
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.float32):
        lean, plain = LeanAffine(affine(size, **settings)), affine(size, **settings)
        assert LeanAffine.suits(plain)
        assert_equal_for_seeds(lean, plain, sample(size, dtype), 8)


@pytest.mark.slow
def test_affine_gives_the_same_bits_for_many_seeds_of_a_usual_size() -> None:
    for size in ((40, 56, 40), (256, 256)):
        settings = {"padding_mode": "border"}
        lean, plain = LeanAffine(affine(size, **settings)), affine(size, **settings)
        assert_equal_for_seeds(lean, plain, sample(size, torch.uint8), 200)


@pytest.mark.parametrize("shift", [0.5, -0.5, 1.5, 0.5 + 2**-20, 0.5 - 2**-24, 0.0])
@pytest.mark.parametrize("size", [(12, 9, 7), (20, 15), (33, 64, 30)])
def test_places_halfway_between_voxels_are_decided_as_by_monai(size: tuple[int, ...], shift: float) -> None:
    still = dict.fromkeys(RANGES) | {"translate_range": [(shift, shift)] * len(size), "prob": 1.0}
    lean, plain = (affine(size, padding_mode="border", **still) for _ in range(2))
    assert_equal_for_seeds(LeanAffine(lean), plain, sample(size, torch.uint8), 2)


def test_sizes_may_change_from_case_to_case() -> None:
    lean, plain = LeanAffine(affine()), affine()
    for size in [(12, 9, 7), (9, 12, 7), (12, 9, 7)]:
        assert_equal_for_seeds(lean, plain, sample(size, torch.uint8), 3)


def test_a_large_grid_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainlib.data.lean.affine._KEPT", 100)
    lean, plain = LeanAffine(affine()), affine()
    assert_equal_for_seeds(lean, plain, sample((12, 9, 7), torch.uint8), 3)
    assert lean._grid.numel() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data | {"image": MetaTensor(data["image"])},
        lambda data: data | {"image": data["image"].numpy()},
        lambda data: data | {"label": data["label"].to(torch.float64)},
        lambda data: data | {"label": data["label"][:, 1:]},
    ],
)
def test_data_of_another_kind_goes_to_monai(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lean, plain = LeanAffine(affine()), affine()
    monkeypatch.setattr("trainlib.data.lean.affine._scaled", None)
    assert_equal_for_seeds(lean, plain, change(sample((12, 9, 7), torch.uint8)), 5)


def test_tracked_data_goes_to_monai() -> None:
    set_track_meta(True)
    found = LeanAffine(affine(prob=1.0))({key: torch.ones(1, 6, 6, 6) for key in KEYS})
    assert isinstance(found["image"], MetaTensor)


def test_a_missing_key_is_monai_s_error() -> None:
    with pytest.raises(KeyError, match="label"):
        LeanAffine(affine())({"image": torch.ones(1, 6, 6, 6)})
    spared = LeanAffine(affine(allow_missing_keys=True, prob=1.0))
    assert list(spared({"image": torch.ones(1, 6, 6, 6)})) == ["image"]


def test_several_windows_of_a_case_get_the_same_bits() -> None:
    def made() -> Compose:
        crops = RandSpatialCropSamplesd(keys=KEYS, roi_size=[6, 6, 6], num_samples=4, random_size=False)
        return Compose([crops, affine(prob=0.5)])

    seeded, plain = made(), made()
    seed, leaner, data = Reseeder(seeded), lean(seeded), sample((12, 9, 7), torch.uint8)
    for number in range(10):
        seed(number)
        plain.set_random_state(number)
        for one, other in zip(leaner(data), plain(data), strict=True):
            assert_same(one, other)


class Derived(RandAffined):
    """A class of somebody else."""


def kinds(*transforms: Any) -> list[str]:
    """Put leaner transforms into a pipeline, and name its classes."""
    return [type(step).__name__ for step in lean(Compose(transforms)).transforms]


def test_only_known_transforms_are_replaced() -> None:
    others = [
        Derived(keys=KEYS),
        affine(lazy=True),
        affine(spatial_size=[4, 4, 4]),
        affine(mode=3),
        affine(device=torch.device("cpu")),
        affine(keys=["image", "image"]),
        OneOf([affine()]),
        RandFlipd(keys=KEYS),
    ]
    assert kinds(affine(), *others) == ["LeanAffine", *(type(step).__name__ for step in others)]


def test_a_patched_transform_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandAffined, "__call__", lambda self, data: data)
    assert kinds(affine()) == ["RandAffined"]


def test_nothing_is_replaced_in_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert version("monai") in table.VERSIONS, "compare the results with this version, and add it"
    monkeypatch.setattr(table, "version", lambda name: "99.0")
    assert kinds(affine()) == ["RandAffined"]


def test_a_pipeline_gives_the_same_bits_in_a_worker_that_is_started_anew() -> None:
    def made() -> Compose:
        return Compose([RandFlipd(keys=KEYS, prob=0.5), affine(), RandGaussianNoised(keys="image", prob=0.5)])

    seeded, plain = made(), made()
    leaner, seed = pickle.loads(pickle.dumps((lean(seeded), Reseeder(seeded))))
    data = sample((12, 9, 7), torch.uint8)
    for number in range(20):
        seed(number)
        plain.set_random_state(number)
        assert_same(leaner(data), plain(data))
