"""Predictions for pictures lie pixel on pixel over them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from monai.transforms import LoadImage
from PIL import ExifTags, Image, ImageOps
from scipy import ndimage

from tests.data.helpers import LOAD, batches, make_config, ready
from trainlib.callbacks.predictions import PredictionWriter
from trainlib.data.geometry import Geometry
from trainlib.data.splits import Case
from trainlib.data.writing import suffix_of, write_label_map, write_probabilities
from trainlib.drawing.colours import class_colour
from trainlib.errors import DataError

GRAY = np.array([10, 120, 240], dtype=np.uint8)
SUFFIXES = [".png", ".jpg", ".bmp", ".tif"]


def pattern(width: int = 48, height: int = 32) -> np.ndarray:
    """Draw classes, rows first, that no flip, turn or transposition maps onto themselves."""
    classes = np.zeros((height, width), dtype=np.uint8)
    classes[3:12, 4:40] = 1
    classes[12:29, 4:9] = 1
    classes[16:27, 20:29] = 2
    return classes


def draw(path: Path, classes: np.ndarray, turn: int | None = None) -> Path:
    """Write a picture that shows classes as gray values, with a note how to turn it."""
    exif = Image.Exif()
    if turn is not None:
        exif[ExifTags.Base.Orientation] = turn
    image = Image.fromarray(GRAY[classes])
    # Quality alone keeps the gray values of a JPEG apart.
    options: dict[str, Any] = {".jpg": {"quality": 100}, ".tif": {"compression": "tiff_lzw"}}.get(path.suffix, {})
    image.save(path, **options, **({} if turn is None else {"exif": exif}))
    return path


def seen_by_monai(path: Path) -> np.ndarray:
    """Read a picture as a pipeline does, as classes."""
    reader = "PILReader" if path.suffix == ".tif" else None
    values = np.asarray(LoadImage(reader=reader, image_only=True)(str(path)))
    return np.abs(values[..., None] - GRAY.astype(float)).argmin(axis=-1)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_label_map_lies_pixel_on_pixel_over_its_picture(tmp_path: Path, suffix: str) -> None:
    picture = draw(tmp_path / f"i{suffix}", pattern())
    written = tmp_path / "sub" / f"p{suffix_of(picture)}"
    write_label_map(written, seen_by_monai(picture), picture, np.eye(4))
    np.testing.assert_array_equal(pixels(written), pattern())
    assert [path.name for path in written.parent.iterdir()] == [written.name]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_viewer_shows_each_class_in_its_colour_and_the_background_black(tmp_path: Path, suffix: str) -> None:
    picture = draw(tmp_path / f"i{suffix}", pattern())
    write_label_map(tmp_path / f"p{suffix}", pattern().T, picture, np.eye(4))
    with Image.open(tmp_path / f"p{suffix}") as image:
        assert image.mode == "P"
        shown = np.asarray(image.convert("RGB"))
    colours = np.array([(0, 0, 0), class_colour(1), class_colour(2)])
    np.testing.assert_array_equal(shown, colours[pattern()])


def test_a_label_map_is_read_back_by_monai_as_class_values(tmp_path: Path) -> None:
    picture = draw(tmp_path / "i.png", pattern())
    write_label_map(tmp_path / "p.png", pattern().T, picture, np.eye(4))
    np.testing.assert_array_equal(LoadImage(image_only=True)(str(tmp_path / "p.png")), pattern().T)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("turn", [2, 3, 6, 8])
def test_a_picture_with_a_note_to_turn_it_is_shown_like_its_label_map(tmp_path: Path, suffix: str, turn: int) -> None:
    picture = draw(tmp_path / f"i{suffix}", pattern(), turn)
    written = tmp_path / f"p{suffix_of(picture)}"
    write_label_map(written, seen_by_monai(picture), picture, np.eye(4))
    for view in (lambda image: image, ImageOps.exif_transpose):
        with Image.open(picture) as image, Image.open(written) as label:
            expected = np.abs(np.asarray(view(image), dtype=float)[..., None] - GRAY).argmin(axis=-1)
            np.testing.assert_array_equal(np.asarray(view(label)), expected)
    with Image.open(picture) as image:
        assert not np.array_equal(np.asarray(ImageOps.exif_transpose(image)) > 60, pattern() > 0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("highest", "dtype"), [(255, np.uint8), (256, np.uint16), (40000, np.uint16)])
def test_more_classes_than_a_palette_holds_become_16_bit_gray(
    tmp_path: Path, suffix: str, highest: int, dtype: type
) -> None:
    picture = draw(tmp_path / f"i{suffix}", pattern())
    label = pattern().astype(np.int64)
    label[5, 7] = highest
    write_label_map(tmp_path / f"p{suffix}", label.T, picture, np.eye(4))
    found = pixels(tmp_path / f"p{suffix}")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, label)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray_keeps_its_values_on_the_way_in(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (32, 48)).astype(np.uint16)
    picture = tmp_path / f"i{suffix}"
    Image.fromarray(values).save(picture)
    read = np.asarray(LoadImage(reader="PILReader", image_only=True)(str(picture)))
    np.testing.assert_array_equal(read, values.T)
    write_label_map(tmp_path / f"p{suffix}", read > 30000, picture, np.eye(4))
    np.testing.assert_array_equal(pixels(tmp_path / f"p{suffix}"), values > 30000)


def test_of_a_tiff_with_several_pages_the_first_gets_a_label_map(tmp_path: Path) -> None:
    first, second = (Image.fromarray(GRAY[classes]) for classes in (pattern(), pattern(40, 20)))
    first.save(tmp_path / "i.tif", save_all=True, append_images=[second])
    write_label_map(tmp_path / "p.tif", seen_by_monai(tmp_path / "i.tif"), tmp_path / "i.tif", np.eye(4))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "p.tif"), pattern())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_probabilities_are_a_float32_tiff_with_a_page_for_each_class(tmp_path: Path, suffix: str) -> None:
    picture = draw(tmp_path / f"i{suffix}", pattern())
    values = np.random.default_rng(0).random((3, 48, 32))
    write_probabilities(tmp_path / "p.tif", values, picture, np.eye(4))
    found = tifffile.imread(tmp_path / "p.tif")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values.astype(np.float32).transpose(0, 2, 1))
    with Image.open(tmp_path / "p.tif") as image:
        assert image.n_frames == 3


def test_colour_pictures_get_a_label_map_of_their_width_and_height(tmp_path: Path) -> None:
    Image.fromarray(GRAY[pattern()]).convert("RGBA").save(tmp_path / "i.png")
    write_label_map(tmp_path / "p.png", pattern().T, tmp_path / "i.png", np.eye(4))
    np.testing.assert_array_equal(pixels(tmp_path / "p.png"), pattern())


def test_an_axis_of_one_pixel_comes_back(tmp_path: Path) -> None:
    classes = pattern()[5:6]
    picture = draw(tmp_path / "i.png", classes)
    write_label_map(tmp_path / "p.png", classes[0], picture, np.eye(4))
    np.testing.assert_array_equal(pixels(tmp_path / "p.png"), classes)


def test_a_label_map_with_rows_first_is_refused_not_reshaped(tmp_path: Path) -> None:
    picture = draw(tmp_path / "i.png", pattern())
    message = r"i\.png: the prediction has shape \(32, 48\) and the image \(48, 32\)"
    with pytest.raises(DataError, match=message):
        write_label_map(tmp_path / "p.png", pattern(), picture, np.eye(4))
    with pytest.raises(DataError, match=message):
        write_probabilities(tmp_path / "p.tif", np.zeros((3, 32, 48)), picture, np.eye(4))
    assert [path.name for path in tmp_path.iterdir()] == ["i.png"]


def test_a_file_that_only_a_loader_of_the_users_own_can_read_gets_its_label_map(tmp_path: Path) -> None:
    (tmp_path / "i.tif").write_bytes(b"pixels of a microscope")
    write_label_map(tmp_path / "p.tif", pattern().T, tmp_path / "i.tif", np.eye(4))
    np.testing.assert_array_equal(pixels(tmp_path / "p.tif"), pattern())


def test_failed_writing_leaves_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw(tmp_path / "i.png", pattern())

    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_label_map(tmp_path / "out" / "p.png", pattern().T, picture, np.eye(4))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"Resized": {"spatial_size": [40, 60]}}],
        [{"Spacingd": {"pixdim": [0.6, 1.3]}}],
        [{"Flipd": {"spatial_axis": 0}}, {"Rotate90d": {}}, {"SpatialPadd": {"spatial_size": [70, 70]}}],
    ],
    ids=lambda steps: "-".join(next(iter(step)) for step in steps) or "load",
)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_base_transforms_moved_comes_back_to_the_pixels(tmp_path: Path, steps: list[Any], suffix: str) -> None:
    classes = pattern()
    draw(tmp_path / f"i{suffix}", classes)
    Image.fromarray(classes).save(tmp_path / "l.png")
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.csv").write_text(f"image,label\ni{suffix},l.png\n")
    config = make_config(tmp_path, {"spatial_dims": 2}, transforms={"base": [*LOAD, *steps], "train": []})
    [valid] = batches(ready(config, "validate"), split="valid")
    [batch] = batches(ready(config, "test"), split="test")
    # What a perfect network says on the preprocessed grid.
    scores = torch.nn.functional.one_hot(valid["label"][0, 0].long(), 3).movedim(-1, 0).float()
    geometry = Geometry(config)
    restored = geometry.to_image(scores, batch, 0)
    assert geometry.to_label(restored, batch, 0) is None
    write_label_map(tmp_path / "p.png", restored.argmax(dim=0).numpy(), tmp_path / f"i{suffix}", np.eye(4))
    found = pixels(tmp_path / "p.png")
    # Away from the edges nothing may move; on them the two interpolations round.
    inside = ndimage.maximum_filter(classes, 3) == ndimage.minimum_filter(classes, 3)
    assert found.shape == classes.shape
    np.testing.assert_array_equal(found[inside], classes[inside])


def test_predictions_csv_names_the_files_of_a_picture(tmp_path: Path) -> None:
    picture = draw(tmp_path / "scan.jpg", pattern())
    case = Case("scan", 2, (picture,), None, None, "new.csv")
    config = SimpleNamespace(data=SimpleNamespace(image_cols=["photo"]))
    trainer: Any = SimpleNamespace(
        datamodule=SimpleNamespace(cases={"predict": [case]}, config=config), is_global_zero=True
    )
    values = np.random.default_rng(0).random((3, 48, 32))
    prediction = {"index": 0, "label_map": pattern().T, "affine": np.eye(4), "probabilities": values}
    writer: Any = PredictionWriter(tmp_path / "out")
    writer.on_predict_batch_end(trainer, None, {"predictions": [prediction]})
    writer.on_predict_end(trainer, None)
    [row] = pd.read_csv(tmp_path / "out" / "predictions.csv").to_dict("records")
    assert row == {
        "case": "scan",
        "photo": str(picture),
        "prediction": "scan.png",
        "probabilities": "scan_probabilities.tif",
    }
    np.testing.assert_array_equal(pixels(tmp_path / "out" / "scan.png"), pattern())
    assert tifffile.imread(tmp_path / "out" / "scan_probabilities.tif").shape == (3, 32, 48)
