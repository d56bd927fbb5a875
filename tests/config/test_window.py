from __future__ import annotations

from typing import Any

import pytest

from tests.config.test_schema import config
from trainlib.config.window import window_mistakes

RESIZE = {"Resized": {"spatial_size": [7, 8, 9]}}


@pytest.mark.parametrize(
    ("base", "train", "size"),
    [
        ([], [RESIZE], [7, 8, 9]),
        ([RESIZE], [], [7, 8, 9]),
        ([RESIZE], ["RandFlipd"], [7, 8, 9]),
        ([{"ResizeWithPadOrCropd": {"spatial_size": 32}}], [], [32, 32, 32]),
        ([RESIZE], [{"RandSpatialCropd": {"roi_size": [4, 5, 6]}}], [4, 5, 6]),
        ([], [{"monai.transforms.RandSpatialCropd": {"roi_size": [4, 5, 6]}}], [4, 5, 6]),
        ([], [{"my.OwnCropd": {"roi_size": [4, 5, 6]}}], [4, 5, 6]),
        ([], [RESIZE, {"crop_package.Noised": {"spatial_size": [1, 1, 1]}}], [7, 8, 9]),
        ([], [RESIZE, {"RandCoarseDropoutd": {"holes": 1, "spatial_size": 2}}], [7, 8, 9]),
        ([], ["RandFlipd"], [64, 64, 64]),
    ],
)
def test_the_window_is_what_the_pipelines_make_last(base: list[Any], train: list[Any], size: list[int]) -> None:
    made = config(transforms={"base": base, "train": train})
    assert made.roi_size == size
    assert list(window_mistakes(made)) == []


@pytest.mark.parametrize(
    "value", [[16, 16, -1], [16, 16], [16, 16, 16, 16], 0, -1, True, "16", [8, 8, 8.5], [8, 8, None]]
)
def test_a_window_that_is_no_size_is_named(value: Any) -> None:
    pad = {"SpatialPadd": {"spatial_size": [16, 16, -1]}}
    made = config(transforms={"train": [pad, {"RandSpatialCropd": {"roi_size": value}}]})
    [(key, text)] = window_mistakes(made)
    assert key == ("transforms", "train", 1, "RandSpatialCropd", "roi_size")
    assert text == (
        f"transforms.train[1].RandSpatialCropd.roi_size: expected 3 positive integers, found {value!r}: "
        "the window must have one size."
    )


def test_only_the_component_that_determines_the_window_is_looked_at() -> None:
    pad = {"SpatialPadd": {"spatial_size": [16, 16, -1]}}
    made = config(transforms={"base": [pad], "train": [pad, {"RandSpatialCropd": {"roi_size": 8}}]})
    assert list(window_mistakes(made)) == []
