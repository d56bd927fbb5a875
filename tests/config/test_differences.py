"""The words in which two configs are told to differ."""

from __future__ import annotations

from typing import Any

import pytest

from trainlib.config.differences import Difference, differences
from trainlib.config.schema import Config


def dumped(**sections: Any) -> dict[str, Any]:
    data = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "heart"]} | sections.pop("data", {})
    return Config.model_validate({"data": data, **sections}).model_dump(mode="json")


PAD, CROP = {"SpatialPadd": {"spatial_size": [8] * 3}}, {"RandSpatialCropd": {"roi_size": [8] * 3}}
FLIP, NOISE = {"RandFlipd": {"spatial_axis": 0}}, "RandGaussianNoised"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {}, []),
        ({"seed": 1}, {"seed": 2}, [("seed", "1", "2")]),
        ({"data": {"classes": ["a", "b"]}}, {"data": {"classes": ["a", "c"]}},
         [("data.classes", "['a', 'b']", "['a', 'c']")]),
        ({"optimizer": {"AdamW": {"lr": 0.1}}}, {"optimizer": {"AdamW": {"lr": 0.2, "eps": 1e-7}}},
         [("optimizer.AdamW.eps", "not set", "1e-07"), ("optimizer.AdamW.lr", "0.1", "0.2")]),
        ({"optimizer": {"AdamW": {"lr": 0.1}}}, {"optimizer": {"SGD": {"lr": 0.1, "momentum": 0.9}}},
         [("optimizer", "AdamW(lr=0.1)", "SGD(lr=0.1, momentum=0.9)")]),
        ({"scheduler": "OneCycleLR"}, {"scheduler": {"OneCycleLR": {"pct_start": 0.1}}},
         [("scheduler.OneCycleLR.pct_start", "not set", "0.1")]),
        ({"scheduler": "OneCycleLR"}, {"scheduler": None}, [("scheduler", "OneCycleLR", "not set")]),
        ({"early_stopping": None}, {"early_stopping": {"patience": 3}},
         [("early_stopping.min_delta", "not set", "0.0"), ("early_stopping.patience", "not set", "3")]),
        ({"trainer": {"max_epochs": 2}}, {"trainer": {"max_epochs": 2, "precision": "bf16-mixed"}},
         [("trainer.precision", "not set", "'bf16-mixed'")]),
    ],
)  # fmt: skip
def test_a_setting_is_told_with_both_values(before: Any, now: Any, expected: list[tuple[str, str, str]]) -> None:
    assert [*differences(dumped(**before), dumped(**now))] == [Difference(*item) for item in expected]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([PAD, CROP], [PAD, CROP], []),
        ([PAD, CROP, FLIP], [PAD, CROP, {"RandFlipd": {"spatial_axis": 1, "prob": 0.5}}],
         [("[2].RandFlipd.prob", "not set", "0.5"), ("[2].RandFlipd.spatial_axis", "0", "1")]),
        ([PAD, CROP, FLIP], [PAD, CROP, FLIP, NOISE], [("[3]", "not set", "RandGaussianNoised")]),
        ([PAD, FLIP, CROP], [PAD, CROP], [("[1]", "RandFlipd(spatial_axis=0)", "not set")]),
        ([PAD, FLIP], [PAD, NOISE], [("[1]", "RandFlipd(spatial_axis=0)", "RandGaussianNoised")]),
        # What was put in front moves no other transform away from its like.
        ([FLIP, CROP], [NOISE, FLIP, {"RandSpatialCropd": {"roi_size": [4] * 3}}],
         [("[0]", "not set", "RandGaussianNoised"), ("[2].RandSpatialCropd.roi_size", "[8, 8, 8]", "[4, 4, 4]")]),
    ],
)  # fmt: skip
def test_pipelines_are_compared_transform_by_transform(
    before: list[Any], now: list[Any], expected: list[tuple[str, str, str]]
) -> None:
    found = differences(dumped(transforms={"train": before}), dumped(transforms={"train": now}))
    assert [*found] == [Difference(f"transforms.train{key}", old, new) for key, old, new in expected]


def test_a_setting_that_a_later_version_added_is_told_too() -> None:
    before = dumped()
    del before["trainer_guard"]
    assert [*differences(before, dumped())] == [Difference("trainer_guard.max_nonfinite", "not set", "0")]


def test_files_that_hold_no_valid_config_are_compared_too() -> None:
    before, now = {"model": {"UNet": 5}, "data": {"label_map": {255: 1, "a": 2}}, 3: 4}, {"model": {"UNet": None}}
    assert [*differences(before, now)] == [
        Difference("3", "4", "not set"),
        Difference("data.label_map.255", "1", "not set"),
        Difference("data.label_map.a", "2", "not set"),
    ]
