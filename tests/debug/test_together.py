"""Images and labels that do not change together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import (
    EnsureChannelFirstd,
    Lambdad,
    LoadImaged,
    MapTransform,
    NormalizeIntensityd,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandSpatialCropd,
    RandZoomd,
    ScaleIntensityd,
    SpatialPadd,
)

from trainlib.build.pipelines import build_pipeline
from trainlib.config.debug import debug_config
from trainlib.config.schema import Config
from trainlib.debug.finding import Finding
from trainlib.debug.together import agreement, check_together, loaded, pattern

BOTH = ["image", "label"]
SHAPES = {2: (70, 60), 3: (40, 36, 30)}
WINDOWS = {2: (48, 48), 3: (24, 24, 24)}


def check(steps: Sequence[Callable[[Any], Any]], dims: int = 2, classes: int = 3, section: str = "train") -> Finding:
    image = torch.randn(1, *SHAPES[dims], generator=torch.Generator().manual_seed(0))
    label = torch.zeros(1, *SHAPES[dims], dtype=torch.uint8)
    return check_together(section, steps, image, label, classes, WINDOWS[dims])


def window(dims: int) -> list[Any]:
    return [SpatialPadd(BOTH, WINDOWS[dims]), RandSpatialCropd(BOTH, WINDOWS[dims])]


def affine(keys: list[str] | str, dims: int, **keywords: Any) -> RandAffined:
    mode = ["bilinear", "nearest"] if keys == BOTH else "nearest"
    ranges = {"rotate_range": [0.4] * (3 if dims == 3 else 1), "scale_range": [0.2] * dims}
    return RandAffined(keys, prob=1.0, mode=mode, **ranges, **keywords)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("classes", [2, 3, 9])
def test_default_augmentation_with_certainty_keeps_both_together(dims: int, classes: int) -> None:
    names = [f"class_{i}" for i in range(classes)]
    data = {"train_csv": "a", "valid_csv": "b", "classes": names, "spatial_dims": dims}
    pipeline = build_pipeline(debug_config(Config.model_validate({"data": data})), "train")
    assert check(pipeline.transforms, dims, classes).level == "ok"


@pytest.mark.parametrize("dims", [2, 3])
def test_strong_augmentation_keeps_both_together(dims: int) -> None:
    steps = [
        SpatialPadd(BOTH, WINDOWS[dims]),
        RandCropByPosNegLabeld(BOTH, "label", WINDOWS[dims], num_samples=2),
        RandFlipd(BOTH, prob=1.0, spatial_axis=0),
        affine(BOTH, dims, padding_mode="border"),
        RandZoomd(BOTH, prob=1.0, min_zoom=0.7, max_zoom=1.4, mode=["area", "nearest"]),
        RandGaussianNoised("image", prob=1.0, std=3.0),
    ]
    assert check(steps, dims).level == "ok"


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("key", BOTH)
@pytest.mark.parametrize("kind", ["flip", "affine", "shift"])
def test_a_transform_that_moves_one_of_both_is_named(dims: int, key: str, kind: str) -> None:
    class Shifted(MapTransform):
        def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
            return {**data, key: torch.roll(data[key], 6, 1)}

    step = {"flip": RandFlipd(key, 1.0, 0), "affine": affine(key, dims), "shift": Shifted(key)}[kind]
    found = check([*window(dims), step, RandFlipd(BOTH, 1.0, 0), ScaleIntensityd("image")], dims)
    assert found.level == "problem"
    assert found.text.startswith(f"After {type(step).__name__} in transforms.train, image and label no longer show the")


def test_random_numbers_of_its_own_for_each_key_part_both() -> None:
    class Independentd(MapTransform):
        def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
            return {key: torch.roll(value, int(torch.randint(0, 24, ())), 1) for key, value in data.items()}

    found = check([*window(2), Independentd(BOTH)])
    assert found.level == "problem"
    assert "Independentd" in found.text


def test_a_mistake_that_happens_now_and_then_is_noticed() -> None:
    found = check([*window(3), RandFlipd("image", 0.4, 1)], 3)
    assert found.level == "problem"


def test_functions_are_named_too() -> None:
    def turn_image(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "image": data["image"].flip(1)}

    assert "After turn_image in transforms.train" in check([*window(2), turn_image]).text


def test_transforms_that_leave_nothing_to_compare_are_not_blamed() -> None:
    found = check([Lambdad("image", lambda image: 0 * image, overwrite=True)])
    assert found == Finding(
        "together (train)", "ok", "Could not be tried on transforms.train, which leaves too little of a pattern."
    )


def test_no_transforms_are_in_order() -> None:
    assert check([]).level == "ok"


@pytest.mark.parametrize("shape", [(40, 56, 40), (64, 64), (24, 40)])
def test_no_flip_of_the_pattern_looks_like_the_pattern(shape: tuple[int, ...]) -> None:
    blocks = pattern(shape, 3, shape, seed=0)
    assert blocks.shape == shape
    assert set(np.unique(blocks)) == {0, 1, 2}
    for axis in range(len(shape)):
        assert (np.flip(blocks, axis) != blocks).mean() > 0.2


def test_agreement_is_the_correlation_ratio_inside_of_the_classes() -> None:
    label = torch.zeros(1, 12, 12, dtype=torch.uint8)
    label[:, 6:] = 1
    image = torch.randn(1, 12, 12, generator=torch.Generator().manual_seed(0)) + 2 * label
    inside = np.ones((12, 12), dtype=bool)
    inside[5:7] = False
    values, classes = image[0].numpy()[inside].astype(float), label[0].numpy()[inside]
    within = sum(values[classes == value].var() * (classes == value).sum() for value in (0, 1))
    assert agreement(image, label) == pytest.approx(1 - within / (values.var() * len(values)))
    assert agreement(torch.ones(1, 12, 12), label) is None
    assert agreement(image, 0 * label) is None


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """An image and its label."""
    random = np.random.default_rng(0)
    for name in BOTH:
        values = random.integers(0, 3, (40, 36, 30)).astype(np.uint8)
        nib.save(nib.Nifti1Image(values, np.diag([-1.0, 1.0, 2.0, 1.0])), tmp_path / f"{name}.nii.gz")
    return {name: str(tmp_path / f"{name}.nii.gz") for name in BOTH}


def test_base_transforms_are_tried_from_where_the_files_are_loaded(files: dict[str, str]) -> None:
    steps = [LoadImaged(BOTH), EnsureChannelFirstd(BOTH), NormalizeIntensityd("image")]
    image, label, rest = loaded(steps, files, 3)
    assert (image.shape, label.shape, list(rest)) == ((1, 40, 36, 30), (1, 40, 36, 30), steps[2:])
    flip = Lambdad("image", lambda image: image.flip(2), overwrite=True)
    image, label, rest = loaded([*steps, flip], files, 3)
    found = check_together("base", rest, image, label, 3, (24, 24, 24))
    assert (found.check, found.level) == ("together (base)", "problem")
    assert found.text.startswith("After Lambdad in transforms.base")
