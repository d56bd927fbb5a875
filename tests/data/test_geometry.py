"""The way back: predictions end on the voxels, and in files with the header, of the image they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from tests.data.helpers import LOAD, batches, make_cases, make_config, ready, save
from trainlib.data.geometry import Geometry
from trainlib.data.writing import write_label_map

ORIENT: dict[str, Any] = {"Orientationd": {"axcodes": "RAS"}}
SPACE: dict[str, Any] = {"Spacingd": {"pixdim": [1.0, 1.0, 1.0]}}
PAD: dict[str, Any] = {"SpatialPadd": {"spatial_size": [60, 60, 60]}}
FOREGROUND: dict[str, Any] = {"CropForegroundd": {"margin": 2, "allow_smaller": False}}
PIPELINES = {
    "load": [],
    "orient": [ORIENT],
    "space": [ORIENT, SPACE],
    "pad": [ORIENT, SPACE, PAD],
    "crop": [ORIENT, FOREGROUND, SPACE, PAD],
    "resize": [{"Resized": {"spatial_size": [30, 30, 30]}}, {"Flipd": {"spatial_axis": 1}}, "NormalizeIntensityd"],
}


def stored(axcodes: str, spacing: tuple[float, ...] = (1.0, 1.5, 2.5)) -> np.ndarray:
    """Make an affine whose voxel axes run along `axcodes`, with a spacing for each stored axis and an origin."""
    directions = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([directions[code] for code in axcodes]).T * spacing
    matrix[:3, 3] = [-30, 12, 55]
    assert "".join(nib.aff2axcodes(matrix)) == axcodes
    return matrix


def blocks(shape: tuple[int, ...] = (24, 18, 14)) -> np.ndarray:
    """Draw two boxes off the middle, so that no flip or permutation maps them onto themselves."""
    label = np.zeros(shape, dtype=np.uint8)
    label[3:12, 4:15, 2:9] = 1
    label[14:21, 3:8, 5:12] = 2
    return label


def one_hot(label: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(label.long(), 3).movedim(-1, 0).float()


def setup(root: Path, base: list[Any], label: np.ndarray, affine: np.ndarray, **data: Any):
    """Write one case, whose image shows its label map, for validation and test."""
    make_cases(root, 1)
    save(root / "i.nii.gz", label.astype(np.float32) + (label > 0), affine)
    save(root / "l.nii.gz", label, affine)
    for split in ("valid", "test"):
        (root / f"{split}.csv").write_text("image,label\ni.nii.gz,l.nii.gz\n")
    return make_config(root, data, transforms={"base": [*LOAD, *base]})


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "SRA", "PIR"])
@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("cache", ["none", "disk"])
def test_label_map_comes_back_to_the_voxels_of_the_file(
    tmp_path: Path, axcodes: str, pipeline: str, cache: str
) -> None:
    label, affine = blocks(), stored(axcodes)
    config = setup(tmp_path, PIPELINES[pipeline], label, affine, cache=cache)
    [batch] = batches(ready(config, "validate"), split="valid")
    restored = Geometry(config).to_image(one_hot(batch["label"][0, 0]), batch, 0)
    assert restored.shape == (3, *label.shape)
    assert restored.dtype == torch.float32
    np.testing.assert_allclose(restored.affine, affine, atol=1e-4)
    found = restored.argmax(dim=0).numpy()
    if pipeline in ("load", "orient"):
        np.testing.assert_array_equal(found, label)
    # Away from the surfaces nothing may move; on them the two interpolations round.
    inside = ndimage.maximum_filter(label, 3) == ndimage.minimum_filter(label, 3)
    np.testing.assert_array_equal(found[inside], label[inside])
    for value in (1, 2):
        overlap = 2 * ((found == value) & (label == value)).sum() / ((found == value).sum() + (label == value).sum())
        assert overlap > 0.9


def test_values_between_the_voxels_are_interpolated_linearly(tmp_path: Path) -> None:
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    config = setup(tmp_path, [SPACE], blocks(), affine)
    [batch] = batches(ready(config, "test"), split="test")
    size = batch["image"].shape[2]
    ramp = torch.arange(size).float()[:, None, None].expand(batch["image"].shape[2:])
    restored = Geometry(config).to_image(ramp[None], batch, 0)
    # Voxel i of the file lies 2 i mm from the first one, and so does voxel 2 i of the preprocessed grid.
    expected = np.minimum(2 * np.arange(24), size - 1)
    np.testing.assert_allclose(restored[0, :, 0, 0], expected, atol=1e-3)


def test_test_batches_need_no_label_for_the_way_back(tmp_path: Path) -> None:
    label, affine = blocks(), stored("SRA")
    config = setup(tmp_path, PIPELINES["crop"], label, affine)
    [batch] = batches(ready(config, "test"), split="test")
    image = batch["image"][0]
    restored = Geometry(config).to_image(image, batch, 0)
    assert restored.shape == (1, *label.shape)
    inside = ndimage.maximum_filter(label, 5) == ndimage.minimum_filter(label, 5)
    expected = label + (label > 0).astype(np.float32)
    np.testing.assert_allclose(restored[0].numpy()[inside & (label > 0)], expected[inside & (label > 0)], atol=0.02)


def test_same_grid_of_image_and_label_changes_nothing(tmp_path: Path) -> None:
    config = setup(tmp_path, [ORIENT], blocks(), stored("LPS"))
    [batch] = batches(ready(config, "test"), split="test")
    geometry = Geometry(config)
    values = geometry.to_image(torch.rand(3, *batch["image"].shape[2:]), batch, 0)
    assert geometry.to_label(values, batch, 0) is None


def test_label_stored_in_another_orientation_gets_the_values_in_its_order(tmp_path: Path) -> None:
    label = blocks((20, 18, 20))  # of one shape in both orientations
    config = setup(tmp_path, [ORIENT], label, stored("LPS"))
    nib.save(nib.load(tmp_path / "l.nii.gz").as_reoriented([[0, -1], [1, -1], [2, 1]]), tmp_path / "l.nii.gz")
    [batch] = batches(ready(config, "test"), split="test")
    restored = MetaTensor(one_hot(torch.as_tensor(label)), affine=torch.as_tensor(stored("LPS")))
    on_label = Geometry(config).to_label(restored, batch, 0)
    assert on_label is not None
    np.testing.assert_array_equal(on_label.argmax(dim=0).numpy(), label[::-1, ::-1])
    np.testing.assert_array_equal(batch["original_label"][0, 0], label[::-1, ::-1])


def test_what_undoes_the_transforms_stays_on_the_cpu(tmp_path: Path) -> None:
    module = ready(setup(tmp_path, PIPELINES["space"], blocks(), stored("LPS")), "test")
    [batch] = batches(module, split="test")
    moved = module.transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert moved["image"].device.type == "meta"
    values = torch.rand(3, *batch["image"].shape[2:])
    assert Geometry(module.config).to_image(values, moved, 0).shape == (3, 24, 18, 14)


def test_label_of_another_grid_gets_values_at_its_own_positions(tmp_path: Path) -> None:
    config = setup(tmp_path, [ORIENT], blocks(), stored("LPS"))
    other = stored("SRA", (1.3, 0.8, 0.9))
    other[:3, 3] += [-12, -4, 3]
    save(tmp_path / "l.nii.gz", np.zeros((9, 11, 8), dtype=np.uint8), other)
    [batch] = batches(ready(config, "test"), split="test")
    geometry = Geometry(config)
    values = np.random.default_rng(0).normal(size=(24, 18, 14)).astype(np.float32)
    values = ndimage.gaussian_filter(values, 2)
    restored = MetaTensor(torch.as_tensor(values)[None], affine=torch.as_tensor(stored("LPS")))
    on_label = geometry.to_label(restored, batch, 0)
    assert on_label is not None
    found = on_label[0].numpy()
    voxels = np.linalg.inv(stored("LPS")) @ other
    positions = nib.affines.apply_affine(voxels, np.moveaxis(np.indices((9, 11, 8)), 0, -1))
    expected = ndimage.map_coordinates(values, np.moveaxis(positions, -1, 0), order=1, mode="nearest")
    assert found.shape == (9, 11, 8)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert geometry.spacing(batch, 0) == pytest.approx([1.3, 0.8, 0.9])


def test_spacing_is_that_of_the_label_file_in_its_voxel_order(tmp_path: Path) -> None:
    config = setup(tmp_path, PIPELINES["pad"], blocks(), stored("SRA", (2.5, 1.0, 0.5)))
    [batch] = batches(ready(config, "test"), split="test")
    assert Geometry(config).spacing(batch, 0) == pytest.approx([2.5, 1.0, 0.5])


@pytest.mark.parametrize("shape", [(24, 18), (24, 18, 1)])
@pytest.mark.parametrize("steps", ["load", "space", "resize"])
@pytest.mark.parametrize("axcodes", ["LPS", "ASR"])
def test_slice_comes_back_to_the_pixels_of_the_file(
    tmp_path: Path, shape: tuple[int, ...], steps: str, axcodes: str
) -> None:
    if steps == "space" and axcodes == "ASR":
        pytest.skip("MONAI resamples only planes that lie along the first two axes of space")
    label, affine = blocks()[:, :, 6], stored(axcodes, (0.5, 0.8, 4.0))
    base: list[Any] = [{"SqueezeDimd": {"dim": -1}}] if len(shape) == 3 else []
    base += {
        "load": [],
        "space": [{"Spacingd": {"pixdim": [0.4, 0.4]}}],
        "resize": [{"Resized": {"spatial_size": [40, 40]}}],
    }[steps]
    config = setup(tmp_path, base, label.reshape(shape), affine, spatial_dims=2)
    [valid] = batches(ready(config, "validate"), split="valid")
    [batch] = batches(ready(config, "test"), split="test")
    geometry = Geometry(config)
    restored = geometry.to_image(one_hot(valid["label"][0, 0]), batch, 0)
    assert geometry.to_label(restored, batch, 0) is None
    found = restored.argmax(dim=0).numpy()
    assert batch["original_label"].shape == (1, 1, 24, 18)
    np.testing.assert_array_equal(batch["original_label"][0, 0], label)
    inside = ndimage.maximum_filter(label, 3) == ndimage.minimum_filter(label, 3)
    np.testing.assert_array_equal(found[inside], label[inside])
    assert geometry.spacing(batch, 0) == pytest.approx([0.5, 0.8])
    write_label_map(tmp_path / "p.nii.gz", found, tmp_path / "i.nii.gz", restored.affine.numpy())
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == shape
    np.testing.assert_allclose(written.affine, affine, atol=1e-6)
