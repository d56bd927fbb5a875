"""Windows: only what would break is told, as the training's own data set decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.check.helpers import label_map, make_config, make_dataset, save, survey_of, told, volume
from trainlib.check import windows as module
from trainlib.check.base import Base
from trainlib.check.windows import Augmentation, Windows, cut_windows

PAD: dict[str, Any] = {"SpatialPadd": {"spatial_size": [8, 8, 8]}}
CROP: dict[str, Any] = {"RandSpatialCropd": {"roi_size": [8, 8, 8]}}
AROUND: dict[str, Any] = {"RandCropByPosNegLabeld": {"spatial_size": [8, 8, 8], "num_samples": 3}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_dataset(tmp_path)
    for name, array in (("i", volume(2, (12, 10, 5))), ("l", label_map(2, (12, 10, 5)))):
        save(root / f"{name}2.nii.gz", array)
    return root


def windows(root: Path, train: list[Any], **sections: Any) -> Windows:
    transforms = {"train": train} | sections.pop("transforms", {})
    config = make_config(root, sections.pop("data", {}), transforms=transforms, **sections)
    found = cut_windows(survey_of(config, voxels=False), Base(config))
    assert found is not None
    return found


def test_a_small_case_that_is_filled_up_is_right(root: Path) -> None:
    assert windows(root, [PAD, CROP]) == Windows((8, 8, 8), 1, [])


def test_a_small_case_that_is_left_small_breaks_a_batch(root: Path) -> None:
    [found] = windows(root, [CROP]).findings
    assert told([found]) == [("error", "train.csv:4", "i2.nii.gz")]
    assert found.what.startswith("Measures 12 x 10 x 5 after transforms.base, and 8 x 8 x 5 after transforms.train")
    assert found.remedy == "Put SpatialPadd: {spatial_size: [8, 8, 8]} before the crop in transforms.train."
    assert windows(root, [CROP], data={"batch_size": 1}).findings == []


def test_a_small_case_on_which_a_crop_fails_is_told_with_the_transform(root: Path) -> None:
    found = windows(root, [AROUND])
    assert [finding.where for finding in found.findings] == ["train.csv:4"]
    assert "RandCropByPosNegLabeld failed" in found.findings[0].what
    assert found.per_case == 3


def test_several_windows_of_a_case_are_counted(root: Path) -> None:
    assert windows(root, [PAD, AROUND]) == Windows((8, 8, 8), 3, [])


def test_resampling_beforehand_makes_a_small_case_large_enough(root: Path) -> None:
    finer = {"base": ["LoadImaged", "EnsureChannelFirstd", {"Spacingd": {"pixdim": [1.0, 1.0, 0.5]}}]}
    assert windows(root, [CROP], transforms=finer).findings == []


def test_images_of_several_sizes_cannot_be_classified_in_batches(root: Path) -> None:
    for split in ("train", "valid"):
        rows = (root / f"{split}.csv").read_text().splitlines()[1:]
        cells = [f"{row.split(',')[0]},{'ab'[i % 2]}" for i, row in enumerate(rows)]
        (root / f"{split}.csv").write_text("\n".join(["image,label", *cells]))
    flip = [{"RandFlipd": {"spatial_axis": 0}}]
    data = {"classes": ["a", "b"]}
    found = windows(root, flip, data=data, task="classification")
    assert found.size == (12, 10, 9)
    assert [finding.where for finding in found.findings] == ["train.csv:4"]
    assert found.findings[0].remedy.startswith("Bring all images to one size, with Resized")
    resized = {"base": ["LoadImaged", "EnsureChannelFirstd", {"Resized": {"spatial_size": [8, 8, 8]}}]}
    assert windows(root, flip, data=data, task="classification", transforms=resized).findings == []


FLIP: list[Any] = [{"RandFlipd": {"spatial_axis": 0}}]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes that the augmentation was tried on."""
    shapes: list[tuple[int, ...]] = []
    real = Augmentation.outcome

    def outcome(self: Augmentation, shape: tuple[int, ...]) -> Any:
        shapes.append(shape)
        return real(self, shape)

    monkeypatch.setattr(Augmentation, "outcome", outcome)
    return shapes


def many_shapes(root: Path) -> list[tuple[int, ...]]:
    """Give each training case another shape, none of them small."""
    shapes = [(12 + i, 10, 9 + 2 * i) for i in range(6)]
    for i, shape in enumerate(shapes):
        save(root / f"i{i}.nii.gz", volume(i, shape))
        save(root / f"l{i}.nii.gz", label_map(i, shape))
    return shapes


def test_two_shapes_tell_of_all_where_none_is_changed(root: Path, tried: list[tuple[int, ...]]) -> None:
    shapes = many_shapes(root)
    alone = windows(root, FLIP, data={"batch_size": 1})
    assert (tried, alone.findings) == (shapes[:2], [])
    tried.clear()
    batched = windows(root, FLIP)
    assert tried == shapes[:2]
    assert [found.where for found in batched.findings] == [f"train.csv:{row}" for row in range(3, 8)]
    assert "and 17 x 10 x 19 after transforms.train" in batched.findings[-1].what


def test_shapes_that_follow_no_rule_are_tried_each_up_to_a_number_of_voxels(
    root: Path, tried: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = many_shapes(root)
    half: list[Any] = [{"Zoomd": {"zoom": 0.5, "keep_size": False}}]
    assert len(windows(root, half).findings) == 5
    assert tried == shapes
    tried.clear()
    monkeypatch.setattr(module, "_MOST_VOXELS", 14 * 10 * 13 + 1)
    assert len(windows(root, half).findings) == 2
    assert tried == shapes[:3]
