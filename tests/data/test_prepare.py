"""Base transforms: what comes out of them, and what is found wrong with a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from tests.data.helpers import LOAD, SHAPE, label_map, make_cases, make_config, save, volume
from trainlib.data.labels import map_labels, read_label
from trainlib.data.prepare import Preparation, Prepared, spacing_of
from trainlib.data.splits import read_split
from trainlib.errors import DataError


def prepare(root: Path, base: list[Any] | None = None, data: dict[str, Any] | None = None, **sections: Any) -> Prepared:
    config = make_config(root, data, transforms={"base": base or LOAD}, **sections)
    return Preparation(config, with_label=True)(read_split(config, "train")[0])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_cases(tmp_path, 1)


def test_plain_tensors_come_out(root: Path) -> None:
    prepared = prepare(root)
    assert not any(isinstance(value, MetaTensor) for value in prepared.values())
    assert {key: value.dtype for key, value in prepared.items() if key != "operations"} == {
        "image": torch.float32,
        "label": torch.uint8,
        "spacing": torch.float64,
        "affine": torch.float64,
    }
    np.testing.assert_array_equal(prepared["image"][0], volume(0))
    np.testing.assert_array_equal(prepared["label"][0], label_map(0))


def test_label_is_resampled_to_the_nearest_voxel_and_the_image_linearly(root: Path) -> None:
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    save(root / "i0.nii.gz", volume(0), affine)
    save(root / "l0.nii.gz", label_map(0), affine)
    prepared = prepare(root, [*LOAD, {"Spacingd": {"pixdim": [1, 1, 1]}}])
    size = prepared["image"].shape[3]
    positions = np.indices((*SHAPE[:2], size)).astype(float)
    positions[2] /= 2
    expected = ndimage.map_coordinates(volume(0), positions, order=1, mode="nearest")
    np.testing.assert_allclose(prepared["image"][0], expected, atol=1e-4)
    # Every second voxel is one of the file's own; between them either neighbour may be the nearest.
    np.testing.assert_array_equal(prepared["label"][0, :, :, ::2], label_map(0)[:, :, : (size + 1) // 2])
    assert set(np.unique(prepared["label"])) == {0, 1, 2}
    assert prepared["spacing"].tolist() == pytest.approx([1, 1, 1])


def test_image_columns_become_channels_in_order(root: Path) -> None:
    for i, name in enumerate(["flair", "t1", "t2"]):
        save(root / f"{name}.nii.gz", volume(i + 10))
    (root / "train.csv").write_text("flair,label,t1,t2\nflair.nii.gz,l0.nii.gz,t1.nii.gz,t2.nii.gz\n")
    prepared = prepare(root, data={"image_cols": ["t2", "flair", "t1"]})
    np.testing.assert_array_equal(prepared["image"], np.stack([volume(12), volume(10), volume(11)]))


def test_image_columns_of_different_shape_are_an_error_that_names_the_case(root: Path) -> None:
    save(root / "t1.nii.gz", volume(1, (5, 5, 5)))
    (root / "train.csv").write_text("image,t1,label\ni0.nii.gz,t1.nii.gz,l0.nii.gz\n")
    with pytest.raises(DataError, match=r"train\.csv:2 \(i0\.nii\.gz\): the files of data\.image_cols do not lie"):
        prepare(root, data={"image_cols": ["image", "t1"]})


@pytest.mark.parametrize("affine", [np.diag([1.0, 1.0, 3.0, 1.0]), np.diag([-1.0, 1.0, 1.0, 1.0])])
def test_image_columns_of_different_geometry_are_an_error_that_names_the_case(root: Path, affine: np.ndarray) -> None:
    save(root / "t1.nii.gz", volume(1), affine)
    (root / "train.csv").write_text("image,t1,label\ni0.nii.gz,t1.nii.gz,l0.nii.gz\n")
    expected = r"train\.csv:2 \(i0\.nii\.gz\): the files of data\.image_cols do not lie on one grid"
    with pytest.raises(DataError, match=expected):
        prepare(root, data={"image_cols": ["image", "t1"]})


VALUES = [
    ({}, [0, 1, 2], [0, 1, 2]),
    ({255: 1}, [0, 255, 2], [0, 1, 2]),
    ({255: "lesion", 7: "background"}, [7, 1, 255], [0, 1, 2]),
    ({1: 2, 2: 1}, [0, 1, 2], [0, 2, 1]),
    ({-1: 0}, [-1, 1, 2], [0, 1, 2]),
]


@pytest.mark.parametrize(("translation", "stored", "expected"), VALUES)
def test_label_values_are_translated(root: Path, translation: dict, stored: list[float], expected: list[int]) -> None:
    raw = label_map(0)
    save(root / "l0.nii.gz", np.array(stored, dtype=np.int16)[raw])
    prepared = prepare(root, data={"label_map": translation})
    np.testing.assert_array_equal(prepared["label"][0], np.array(expected)[raw])


def test_translation_comes_before_transforms_that_bring_in_values_of_their_own(root: Path) -> None:
    save(root / "l0.nii.gz", np.where(label_map(0) == 0, 255, label_map(0)).astype(np.uint8))
    pad = {"SpatialPadd": {"spatial_size": [20, 20, 20]}}
    label = prepare(root, [*LOAD, pad], {"label_map": {255: 0}, "classes": ["b", "o", "l"]})["label"]
    assert np.unique(label).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [([0.0, 0.9999999, 2.0000002], [0, 1, 2]), ([-1e-5, 1.0005, 1.9995], [0, 1, 2])],
)
def test_rounding_errors_of_float_labels_are_forgiven(stored: list[float], expected: list[int]) -> None:
    mapped = map_labels(np.array(stored, dtype=np.float64), {0: 0, 1: 1, 2: 2}, "l.nii.gz")
    assert mapped.tolist() == expected


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ([0, 1, 7, 7], "7 (2 voxels)"),
        ([0, 1, 0.5], "0.5 (1 voxel)"),
        ([np.nan, np.nan, 1], "nan (2 voxels)"),
        ([np.inf, 1], "inf (1 voxel)"),
        ([-1, 1], "-1 (1 voxel)"),
        ([1000001, 1], "1000001 (1 voxel)"),
        (list(range(10, 17)), "14 (1 voxel) and more"),
    ],
)
def test_undeclared_value_is_told_with_file_and_voxel_count(stored: list[float], told: str) -> None:
    with pytest.raises(DataError) as caught:
        map_labels(np.array(stored, dtype=np.float64), {0: 0, 1: 1}, "l.nii.gz")
    assert str(caught.value).startswith("the label l.nii.gz holds ")
    assert f"{told}, which" in str(caught.value)
    assert "declared are 0, 1." in str(caught.value)


def test_undeclared_value_is_told_with_row_and_label_file(root: Path) -> None:
    label = label_map(0)
    label[0, 0, :4] = 9
    save(root / "l0.nii.gz", label)
    with pytest.raises(DataError, match=r"^train\.csv:2 \(i0\.nii\.gz\): the label l0\.nii\.gz holds 9 \(4 voxels\)"):
        prepare(root)


def test_image_and_label_of_different_shape_are_told_with_both_shapes(root: Path) -> None:
    save(root / "l0.nii.gz", label_map(0, (12, 10, 7)))
    with pytest.raises(DataError, match=r"train\.csv:2 .* differ in shape .* \(12, 10, 9\) and \(12, 10, 7\)"):
        prepare(root)


def test_different_shapes_are_found_also_where_resizing_makes_them_equal(root: Path) -> None:
    save(root / "l0.nii.gz", label_map(0, (12, 10, 5)))
    with pytest.raises(DataError, match=r"train\.csv:2 .* lie up to [\d.]+ mm apart"):
        prepare(root, [*LOAD, {"SpatialPadd": {"spatial_size": [16, 16, 16]}}])


def test_label_with_the_affine_of_another_orientation_is_refused(root: Path) -> None:
    save(root / "i0.nii.gz", volume(0), np.diag([-1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(DataError, match=r"image and label lie up to .* by the affines in their files"):
        prepare(root, [*LOAD, {"Orientationd": {"axcodes": "RAS"}}])


def test_affines_that_differ_by_rounding_are_accepted(root: Path) -> None:
    affine = np.eye(4)
    affine[:3, 3] = 1e-3
    save(root / "l0.nii.gz", label_map(0), affine)
    assert prepare(root)["label"].shape == (1, *SHAPE)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((*SHAPE, 4), r"the image has 4 channels after transforms\.base, expected 1"),
        (SHAPE[:2], r"the image has shape \(1, 12, 10\) after transforms\.base, expected .* 3 spatial"),
    ],
)
def test_image_of_other_dimensions_is_refused(root: Path, shape: tuple[int, ...], told: str) -> None:
    save(root / "i0.nii.gz", volume(0, shape))
    with pytest.raises(DataError, match=r"train\.csv:2 \(i0\.nii\.gz\): " + told):
        prepare(root)


def test_fourth_axis_of_length_one_is_no_fourth_dimension(root: Path) -> None:
    save(root / "i0.nii.gz", volume(0)[..., None])
    save(root / "l0.nii.gz", label_map(0)[..., None])
    np.testing.assert_array_equal(prepare(root)["image"][0], volume(0))


def test_label_of_several_channels_is_refused(root: Path) -> None:
    save(root / "l0.nii.gz", np.stack([label_map(0)] * 2, axis=-1))
    with pytest.raises(DataError, match="the label has 2 channels"):
        prepare(root)


@pytest.mark.parametrize("name", ["i0.nii.gz", "l0.nii.gz"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_unreadable_file_is_named_with_the_row(root: Path, name: str, damage: str) -> None:
    content = (root / name).read_bytes()
    (root / name).write_bytes({"truncated": content[:-100], "empty": b"", "text": b"not an image" * 50}[damage])
    with pytest.raises(DataError, match=rf"^train\.csv:2 \(i0\.nii\.gz\): {name} cannot be read: it"):
        prepare(root)


PATCH = """
import numpy as np
from monai.transforms import MapTransform

class Faultyd(MapTransform):
    def __call__(self, data):
        raise ValueError("no contrast in the image")

class Noised(MapTransform):
    def __call__(self, data):
        return data | {key: data[key] + np.random.normal() for key in self.keys}
"""


def test_failing_patch_transform_is_named_with_file_and_line(root: Path) -> None:
    script = root / "faulty.py"
    script.write_text(PATCH)
    with pytest.raises(DataError, match=r"\.Faultyd failed \(.*faulty\.py:7\) on image .*: no contrast in the image"):
        prepare(root, [*LOAD, {"Faultyd": {"keys": ["image"]}}], patch={"transforms": str(script)})


def test_result_does_not_depend_on_when_it_is_made(root: Path) -> None:
    script = root / "noise.py"
    script.write_text(PATCH)
    images = []
    for seed in (1, 2):
        np.random.seed(seed)
        prepared = prepare(root, [*LOAD, {"Noised": {"keys": ["image"]}}], patch={"transforms": str(script)})
        images.append(prepared["image"])
    assert torch.equal(*images)
    assert not np.allclose(images[0][0], volume(0))


def test_without_label_only_the_image_is_read(root: Path) -> None:
    data = {"predict_csv": "train.csv"}
    config = make_config(root, data, transforms={"base": [*LOAD, {"Spacingd": {"pixdim": [1, 1, 1]}}]})
    (root / "l0.nii.gz").write_bytes(b"")
    prepared = Preparation(config, with_label=False)(read_split(config, "predict")[0])
    assert "label" not in prepared


def test_label_that_is_not_transformed_is_checked_all_the_same(root: Path) -> None:
    config = make_config(root)
    save(root / "l0.nii.gz", np.full(SHAPE, 9, dtype=np.uint8))
    with pytest.raises(DataError, match=r"train\.csv:2 .*the label l0\.nii\.gz holds 9 \(1080 voxels\)"):
        Preparation(config, with_label=False)(read_split(config, "train")[0])


def test_more_than_256_classes_fit_the_label(root: Path) -> None:
    label = np.random.default_rng(0).integers(0, 300, SHAPE).astype(np.int16)
    save(root / "l0.nii.gz", label)
    prepared = prepare(root, data={"classes": [f"c{i}" for i in range(300)]})
    np.testing.assert_array_equal(prepared["label"][0], label)


def oblique(spacing: tuple[float, ...]) -> np.ndarray:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    return affine


@pytest.mark.parametrize("affine", [np.diag([0.5, -2.0, 3.0, 1.0]), oblique((0.7, 1.3, 4.0)), np.eye(4)[[0, 2, 1, 3]]])
@pytest.mark.parametrize("dims", [2, 3])
def test_spacing_is_that_of_nibabel_in_every_orientation(affine: np.ndarray, dims: int) -> None:
    expected = nib.affines.voxel_sizes(affine)[:dims]
    np.testing.assert_allclose(spacing_of(torch.as_tensor(affine), dims), expected)


@pytest.mark.parametrize("shape", [(12, 10), (12, 10, 1)])
def test_original_label_of_a_slice_is_two_dimensional(tmp_path: Path, shape: tuple[int, ...]) -> None:
    raw = label_map(0, (12, 10))
    path = save(tmp_path / "l.nii.gz", raw.reshape(shape), np.diag([0.5, 2.0, 1.0, 1.0]))
    label, affine = read_label(path, make_config(tmp_path, {"spatial_dims": 2}))
    np.testing.assert_array_equal(label, raw[None])
    assert spacing_of(affine, 2).tolist() == [0.5, 2.0]


def test_original_label_keeps_voxel_order_and_affine_of_the_file(tmp_path: Path) -> None:
    affine = oblique((0.7, 1.3, 4.0))
    path = save(tmp_path / "l.nii.gz", np.where(label_map(0) == 1, 255, 0).astype(np.uint8), affine)
    label, read = read_label(path, make_config(tmp_path, {"label_map": {255: 2}}))
    np.testing.assert_array_equal(label[0], np.where(label_map(0) == 1, 2, 0))
    np.testing.assert_allclose(read, affine, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "told"),
    [((*SHAPE, 2), "2 channels of shape"), (SHAPE[:2], r"1 channels of shape \(12, 10\)")],
)
def test_original_label_of_other_dimensions_is_refused(tmp_path: Path, shape: tuple[int, ...], told: str) -> None:
    path = save(tmp_path / "l.nii.gz", label_map(0, shape))
    with pytest.raises(DataError, match=rf"the label l\.nii\.gz has {told}"):
        read_label(path, make_config(tmp_path))
