"""Pictures of scored cases, and the views that they are drawn on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from trainlib import fit, load_config
from trainlib import test as run_test
from trainlib.callbacks.views import original_view
from trainlib.data.splits import Case
from trainlib.drawing.colours import class_colour

WriteConfig = Callable[..., Path]
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def picture_of(batch: dict[str, object], file: Path, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    nothing = np.zeros(shape, dtype=np.int16)
    return np.asarray(original_view(batch, 0, case_of(file), shape, affine).draw(nothing))


def case_of(file: Path) -> Case:
    return Case(name="case", row=2, images=(file,), label=None, group=None, csv="test.csv")


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """An image file with its intensities and a label that is off the middle."""
    image = np.random.default_rng(0).random((20, 24, 10)).astype(np.float32)
    label = np.zeros(image.shape, dtype=np.int16)
    label[3:9, 5:12, 2:6] = 1
    nib.save(nib.Nifti1Image(image, AFFINE), tmp_path / "image.nii.gz")
    return tmp_path / "image.nii.gz", image, label


def batch_of(label: np.ndarray, affine: np.ndarray) -> dict[str, object]:
    return {"original_label": [torch.tensor(label)[None]], "original_affine": [torch.as_tensor(affine)]}


def test_every_validation_and_test_case_has_its_picture(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(report={"resamples": 100}, trainer={"max_epochs": 1})))
    for split in ("valid", "test"):
        cases = run.cases.query("split == @split")["case"].unique()
        assert sorted(cases) == sorted(path.stem for path in (run.folder.pictures / split).iterdir())
        for case in cases:
            with Image.open(run.folder.picture(split, case)) as picture:
                assert (np.asarray(picture.convert("RGB")) == class_colour(1)).all(axis=-1).any()


def test_a_test_of_its_own_draws_the_pictures_again(write_config: WriteConfig) -> None:
    config = load_config(write_config(report={"resamples": 100}, trainer={"max_epochs": 1}))
    run = fit(config)
    [first, *_] = (run.folder.pictures / "test").iterdir()
    content = first.read_bytes()
    first.unlink()
    run_test(config, run.folder.best)
    assert first.read_bytes() == content


def test_without_a_report_there_are_no_pictures(write_config: WriteConfig) -> None:
    run = fit(load_config(write_config(report=None, trainer={"max_epochs": 1})))
    assert not run.folder.pictures.exists()


def test_a_label_in_another_voxel_order_gives_the_same_picture(case: tuple[Path, np.ndarray, np.ndarray]) -> None:
    file, image, label = case
    expected = picture_of(batch_of(label, AFFINE), file, image.shape, AFFINE)
    turned = nib.Nifti1Image(label, AFFINE).as_reoriented(np.array([[1, -1], [0, 1], [2, -1]]))
    other = batch_of(np.array(turned.dataobj), turned.affine)
    np.testing.assert_array_equal(picture_of(other, file, image.shape, AFFINE), expected)


def test_an_image_stored_in_another_order_is_turned(case: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path) -> None:
    file, image, label = case
    expected = picture_of(batch_of(label, AFFINE), file, image.shape, AFFINE)
    turned = nib.load(file).as_reoriented(np.array([[0, -1], [1, -1], [2, 1]]))
    nib.save(turned, tmp_path / "lps.nii.gz")
    moved = np.array(nib.Nifti1Image(label, AFFINE).as_reoriented(np.array([[0, -1], [1, -1], [2, 1]])).dataobj)
    batch = batch_of(moved, turned.affine)
    np.testing.assert_array_equal(picture_of(batch, tmp_path / "lps.nii.gz", image.shape, turned.affine), expected)


@pytest.mark.parametrize("label_dims", [3, 4], ids=["affine of a slice", "affine of a volume"])
def test_a_single_slice_is_shown_as_the_plane_of_a_volume_would_be(tmp_path: Path, label_dims: int) -> None:
    image = np.zeros((16, 12), dtype=np.float32)
    image[14:, 10:] = 1.0  # right and anterior
    nib.save(nib.Nifti1Image(image[..., None], np.eye(4)), tmp_path / "slice.nii.gz")
    label = np.zeros(image.shape, dtype=np.int16)
    picture = picture_of(batch_of(label, np.eye(label_dims)), tmp_path / "slice.nii.gz", (16, 12), np.eye(4))
    rows, columns = np.nonzero(picture[..., 0] > 128)
    assert rows.max() < picture.shape[0] / 2
    assert columns.max() < picture.shape[1] / 2


def test_a_picture_is_shown_as_it_is(tmp_path: Path) -> None:
    pixels = np.zeros((12, 16), dtype=np.uint8)
    pixels[:3, 12:] = 255  # top right
    Image.fromarray(pixels).save(tmp_path / "image.png")
    picture = picture_of(batch_of(np.zeros((16, 12), np.int16), np.eye(3)), tmp_path / "image.png", (16, 12), np.eye(3))
    rows, columns = np.nonzero(picture[..., 0] > 128)
    assert rows.max() < picture.shape[0] / 2
    assert columns.min() > picture.shape[1] / 2


def test_a_case_that_cannot_be_drawn_is_told_and_the_others_are_drawn(
    write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from trainlib.callbacks import views

    read, files = views._read, []

    def fail_once(file: Path) -> np.ndarray:
        files.append(file)
        if len(files) == 1:
            raise ValueError("odd file")
        return read(file)

    monkeypatch.setattr(views, "_read", fail_once)
    run = fit(load_config(write_config(report={"resamples": 100}, trainer={"max_epochs": 1})))
    assert len(list((run.folder.pictures / "test").iterdir())) == 2
    assert f"({files[0].name}) could not be drawn: ValueError: odd file." in caplog.text
