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
from trainlib.data.geometry import Geometry, suffix_of, write_label_map, write_probabilities

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
    on_label = geometry.to_label(values, batch, 0)
    assert not isinstance(on_label, MetaTensor)
    assert torch.equal(on_label, values.as_tensor())


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
    found = geometry.to_label(restored, batch, 0)[0].numpy()
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
    found = geometry.to_label(restored, batch, 0).argmax(dim=0).numpy()
    assert batch["original_label"].shape == (1, 1, 24, 18)
    np.testing.assert_array_equal(batch["original_label"][0, 0], label)
    inside = ndimage.maximum_filter(label, 3) == ndimage.minimum_filter(label, 3)
    np.testing.assert_array_equal(found[inside], label[inside])
    assert geometry.spacing(batch, 0) == pytest.approx([0.5, 0.8])
    write_label_map(tmp_path / "p.nii.gz", restored.argmax(dim=0).numpy(), tmp_path / "i.nii.gz")
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == shape
    np.testing.assert_allclose(written.affine, affine, atol=1e-6)


def reference(path: Path, dtype: type = np.int16, kind: Any = nib.Nifti1Image) -> Any:
    """Write an image with everything in its header that a label map must keep, or must not."""
    image = kind(np.arange(5 * 4 * 3).reshape(5, 4, 3).astype(dtype), stored("SRA", (3.0, 0.7, 1.2)))
    tilted = image.affine.copy()
    tilted[:3, 3] += 0.25
    image.set_sform(image.affine, code=4)
    image.set_qform(tilted, code=1)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"a scan"
    image.header["cal_max"] = 4000
    image.header.set_slope_inter(0.5, -1024)
    nib.save(image, path)
    return nib.load(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_label_map_is_written_with_the_header_of_the_image(tmp_path: Path, suffix: str, kind: Any) -> None:
    image = reference(tmp_path / f"i{suffix}", kind=kind)
    label = np.random.default_rng(0).integers(0, 3, image.shape)
    write_label_map(tmp_path / "sub" / f"p{suffix}", label, tmp_path / f"i{suffix}")
    written = nib.load(tmp_path / "sub" / f"p{suffix}")
    assert type(written) is kind
    np.testing.assert_array_equal(written.affine, image.affine)
    for form in ("sform", "qform"):
        expected, code = getattr(image, f"get_{form}")(coded=True)
        found = getattr(written, f"get_{form}")(coded=True)
        np.testing.assert_allclose(found[0], expected)
        assert found[1] == code
    assert written.header.get_zooms() == image.header.get_zooms()
    assert written.header.get_xyzt_units() == ("mm", "sec")
    assert written.get_data_dtype() == np.uint8
    assert written.header["cal_max"] == 0
    # As stored, and as any reader scales it.
    np.testing.assert_array_equal(written.dataobj.get_unscaled(), label)
    np.testing.assert_array_equal(written.get_fdata(), label)


@pytest.mark.parametrize(("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.int16)])
def test_label_map_has_the_smallest_integer_type_that_holds_it(tmp_path: Path, highest: int, dtype: type) -> None:
    image = reference(tmp_path / "i.nii.gz", np.float32)
    label = np.zeros(image.shape, dtype=np.int64)
    label[1, 2, 0] = highest
    write_label_map(tmp_path / "p.nii.gz", label, tmp_path / "i.nii.gz")
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(written.dataobj), label)


def test_probabilities_are_float32_with_the_classes_last(tmp_path: Path) -> None:
    image = reference(tmp_path / "i.nii.gz")
    values = np.random.default_rng(0).random((3, *image.shape))
    write_probabilities(tmp_path / "p.nii.gz", values, tmp_path / "i.nii.gz")
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == (*image.shape, 3)
    assert written.get_data_dtype() == np.float32
    np.testing.assert_array_equal(written.affine, image.affine)
    assert written.header.get_zooms()[:3] == image.header.get_zooms()
    np.testing.assert_array_equal(written.get_fdata(), np.moveaxis(values, 0, -1).astype(np.float32))


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1)])
def test_probabilities_of_a_slice_keep_its_axes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    affine = stored("LPS")
    save(tmp_path / "i.nii.gz", np.zeros(shape, dtype=np.float32), affine)
    values = np.random.default_rng(0).random((3, 5, 4)).astype(np.float32)
    write_probabilities(tmp_path / "p.nii.gz", values, tmp_path / "i.nii.gz")
    written = nib.load(tmp_path / "p.nii.gz")
    assert written.shape == (*shape, 3)
    np.testing.assert_array_equal(written.get_fdata().reshape(5, 4, 3), np.moveaxis(values, 0, -1))


def test_axes_of_length_one_of_the_image_come_back(tmp_path: Path) -> None:
    save(tmp_path / "i.nii.gz", np.zeros((5, 4, 3, 1), dtype=np.float32))
    label = np.random.default_rng(0).integers(0, 3, (5, 4, 3))
    write_label_map(tmp_path / "p.nii.gz", label, tmp_path / "i.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "p.nii.gz").dataobj), label[..., None])


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.nii.gz", ".nii.gz"), ("a.b.NII.GZ", ".nii.gz"), ("a.nii", ".nii"), ("a.png", ".nii.gz"), ("a", ".nii.gz")],
)
def test_prediction_has_the_suffix_of_its_image(name: str, suffix: str) -> None:
    assert suffix_of(Path(name)) == suffix


def test_failed_writing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference(tmp_path / "i.nii.gz")

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(nib, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_label_map(tmp_path / "out" / "p.nii.gz", np.zeros((5, 4, 3)), tmp_path / "i.nii.gz")
    assert list((tmp_path / "out").iterdir()) == []
