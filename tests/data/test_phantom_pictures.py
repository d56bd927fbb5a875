"""Phantoms as PNG, and the command that generates data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from trainlib.cli import app
from trainlib.data.phantom import CLASSES, FINDINGS, make_dataset
from trainlib.drawing.colours import class_colour

SPLITS = ("train", "valid", "test")


def read_rows(folder: Path) -> list[dict[str, str]]:
    return [row for split in SPLITS for row in pd.read_csv(folder / f"{split}.csv").to_dict("records")]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def pictures(folder: Path, **arguments: Any) -> Path:
    return make_dataset(folder, spatial_dims=2, file_format="png", **{"cases": (4, 1, 1), **arguments})


def phantom(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["phantom", *map(str, arguments)])


def test_gray_images_and_masks_are_png_of_one_size(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set")
    rows = read_rows(folder)
    assert rows[5] == {"image": "images/case_005.png", "label": "labels/case_005.png"}
    shapes = set()
    for row in rows:
        image, label = pixels(folder / row["image"]), pixels(folder / row["label"])
        assert image.dtype == label.dtype == np.uint8
        assert image.shape == label.shape
        assert image.max() == 255
        assert np.unique(label).tolist() == list(range(len(CLASSES)))
        shapes.add(image.shape)
    assert len(shapes) > 1
    assert np.abs(np.array([*shapes]) - 64).max() <= 3
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert found == {path for row in rows for path in row.values()} | {f"{split}.csv" for split in SPLITS}


def test_a_viewer_shows_the_classes_of_a_mask_in_their_colours(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", cases=(1, 0, 0))
    with Image.open(folder / "labels/case_000.png") as label:
        shown = np.asarray(label.convert("RGB"))
        colours = np.array([(0, 0, 0), class_colour(1), class_colour(2)])
        np.testing.assert_array_equal(shown, colours[np.asarray(label)])


def test_the_right_of_the_patient_is_on_the_left_of_the_picture(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", cases=(16, 0, 0))
    offsets = []
    for row in read_rows(folder):
        label = pixels(folder / row["label"])
        offsets.append(np.argwhere(label > 0)[:, 1].mean() - (label.shape[1] - 1) / 2)
    assert np.mean(offsets) < -1


def test_the_mask_lies_over_what_the_image_shows(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set")
    for row in read_rows(folder):
        image, label = pixels(folder / row["image"]).astype(float), pixels(folder / row["label"])
        lesion = image[label == 2].mean()
        assert lesion > 1.3 * image[label == 1].mean()
        assert all(lesion > image[moved == 2].mean() for moved in (label[::-1], label[:, ::-1], np.roll(label, 3)))


def test_a_colour_picture_holds_three_contrasts_in_one_file(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", rgb=True)
    for row in read_rows(folder):
        assert list(row) == ["image", "label"]
        image, label = pixels(folder / row["image"]), pixels(folder / row["label"])
        assert image.shape == (*label.shape, 3)
        red, green, blue = (image[..., i].astype(float) for i in range(3))
        assert red[label == 2].mean() > red[label == 1].mean()
        assert green[label == 2].mean() < green[label == 1].mean()
        assert blue[label == 2].mean() > blue[label == 1].mean()


def test_several_channels_are_several_files(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "set", channels=3, cases=(1, 0, 0))
    [row] = read_rows(folder)
    assert [row[f"image_{i}"] for i in range(3)] == [f"images/case_000_{i}.png" for i in range(3)]
    assert {pixels(folder / path).shape for path in row.values()} == {pixels(folder / row["label"]).shape}


@pytest.mark.parametrize("rgb", [False, True])
def test_same_seed_writes_the_same_files(tmp_path: Path, rgb: bool) -> None:
    one, two = (pictures(tmp_path / name, rgb=rgb, seed=3) for name in ("one", "two"))
    other = pictures(tmp_path / "other", rgb=rgb, seed=4)
    files = [path.relative_to(one) for path in one.rglob("*.*")]
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
    assert all((one / file).read_bytes() != (other / file).read_bytes() for file in files if file.suffix == ".png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"file_format": "png", "spatial_dims": 3}, "`spatial_dims` to be 2 for PNG images, but got 3"),
        ({"file_format": "tiff", "spatial_dims": 2}, "`file_format` to be one of nifti, png, but got 'tiff'"),
        ({"rgb": True, "spatial_dims": 2}, "`rgb` with `file_format` 'png' and one channel"),
        ({"rgb": True, "spatial_dims": 2, "file_format": "png", "channels": 2}, "`rgb` with .* one channel"),
    ],
)
def test_impossible_pictures_are_refused(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_dataset(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("arguments", "columns", "first", "classes"),
    [
        ([], ["image", "label"], "images/case_000.nii.gz", CLASSES),
        (["--dims", "2"], ["image", "label"], "images/case_000.png", CLASSES),
        (["--dims", "2", "--rgb"], ["image", "label"], "images/case_000.png", CLASSES),
        (["--dims", "2", "--format", "nifti"], ["image", "label"], "images/case_000.nii.gz", CLASSES),
        (["--dims", "2", "--channels", "2"], ["image_0", "image_1", "label"], "images/case_000_0.png", CLASSES),
        (["--task", "classification"], ["image", "label"], "images/case_000.nii.gz", FINDINGS),
        (["--task", "classification", "--dims", "2"], ["image", "label"], "images/case_000.png", FINDINGS),
        (
            ["--task", "classification", "--dims", "2", "--multilabel"],
            ["image", *FINDINGS],
            "images/case_000.png",
            FINDINGS,
        ),
    ],
)
def test_the_command_writes_what_it_is_asked_for(
    tmp_path: Path, arguments: list[str], columns: list[str], first: str, classes: list[str]
) -> None:
    result = phantom(tmp_path / "set", *arguments)
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith(f"train.csv, valid.csv, test.csv; classes: {', '.join(classes)}")
    table = pd.read_csv(tmp_path / "set" / "train.csv")
    assert list(table.columns) == columns
    assert table.iloc[0, 0] == first
    path = tmp_path / "set" / first
    shape = pixels(path).shape if path.suffix == ".png" else nib.load(path).shape
    assert len(shape) == (3 if "--rgb" in arguments or "--dims" not in arguments else 2)


def test_the_seed_of_the_command_decides_the_images(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        phantom(tmp_path / name, "--dims", "2", "--task", "classification", "--seed", str(seed))
    one, two, other = (pixels(tmp_path / name / "images/case_000.png") for name in ("one", "two", "other"))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "png"], "--format png: a picture has two dimensions. Add --dims 2, or leave it out."),
        (["--rgb"], "--rgb: only 2-D PNG images have colours"),
        (["--dims", "2", "--rgb", "--channels", "2"], "--rgb: only 2-D PNG images have colours"),
        (["--dims", "2", "--rgb", "--format", "nifti"], "--rgb: only 2-D PNG images have colours"),
        (["--multilabel"], "--multilabel: only classification has findings. Add --task classification."),
    ],
)
def test_options_that_exclude_each_other_are_told_before_anything_is_written(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = phantom(tmp_path / "set", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "set").exists()


def test_a_folder_that_holds_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    result = phantom(tmp_path, "--task", "classification")
    assert result.exit_code == 2
    assert "holds files already. Choose another folder." in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
