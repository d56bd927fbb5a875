"""Image and label files that cannot be used, each with and without the look at the headers before a training."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from tests.hostile.conditions import permissions_count
from tests.hostile.place import CONFIG, SHAPE, SPLITS, Damage, Place, both, folder, image, label, removed, save, written
from tests.hostile.runner import FIT, Row, check
from trainlib.config.load import load_config
from trainlib.data.labels import read_label

AGAIN = "Copy or export ... again, or take the row out."
RENAME = ", other than its name says. ... or take the row out."
NO_PLACE = "so that ... Correct the header, or export the file again."
UNDECLARED = "which data.classes and data.label_map do not declare; declared are 0, 1. Correct the file, or say in " \
    "data.label_map what it stands for."  # fmt: skip
APART = "... differ in ... Correct the header of the one that is wrong, or export the label on the grid of its image."
IMAGE, LABEL = "train.csv:2 (i0.nii.gz)", "train.csv:2 (...)"
COLOURS = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def stored(name: str, array: np.ndarray, affine: np.ndarray | None = None) -> Damage:
    return lambda place: save(place.data / name, array, affine)


def scaled(name: str, array: np.ndarray, spacing: float) -> Damage:
    """Write a file with the spacing in all parts of its header."""
    return lambda place: nib.save(nib.Nifti1Image(array, np.diag([spacing] * 3 + [1.0])), place.data / name)


def cut(name: str, end: int) -> Damage:
    return lambda place: (place.data / name).write_bytes((place.data / name).read_bytes()[:end])


def renamed(old: str, new: str) -> Damage:
    """Give a training file another name, in the CSV too."""

    def damage(place: Place) -> None:
        (place.data / old).rename(place.data / new)
        csv = place.data / "train.csv"
        csv.write_text(csv.read_text().replace(old, new))

    return damage


def decompressed(place: Place) -> None:
    path = place.data / "i0.nii.gz"
    path.write_bytes(gzip.decompress(path.read_bytes()))


def affine_with(row: int, column: int, value: float) -> np.ndarray:
    affine = np.eye(4)
    affine[row, column] = value
    return affine


def whole_numbers_are_read(place: Place, _: str) -> None:
    read, _ = read_label(place.data / "l0.nii.gz", load_config(place.config))
    np.testing.assert_array_equal(read[0], label(0))


def pictures(place: Place) -> None:
    """Turn the place into one of 2-D pictures."""
    for i in range(4):
        Image.fromarray((image(i, (8, 8)) * 50 + 128).astype(np.uint8)).save(place.data / f"i{i}.png")
        Image.fromarray(label(i, (8, 8))).save(place.data / f"l{i}.png")
    for split, cases in SPLITS.items():
        (place.data / f"{split}.csv").write_text("image,label\n" + "".join(f"i{i}.png,l{i}.png\n" for i in cases))
    flat = CONFIG.replace("[8, 8, 8]", "[8, 8]").replace("batch_size: 2", "batch_size: 2\n  spatial_dims: 2")
    place.config.write_text(flat)


def picture(name: str, array: np.ndarray) -> Damage:
    return lambda place: Image.fromarray(array).save(place.data / name)


UNREADABLE = [
    Row("no file", removed("data/i0.nii.gz"),
        ("train.csv:2: column 'image': there is no file .../data/i0.nii.gz.",)),
    Row("a folder for a file", folder("data/l0.nii.gz"),
        ("train.csv:2: column 'label': there is no file .../data/l0.nii.gz.",)),
    Row("an empty file", written("data/i0.nii.gz", ""), (f"{IMAGE}: ... it is empty. {AGAIN}",), kept=2),
    Row("an empty label of a test case", written("data/l3.nii.gz", ""),
        (f"test.csv:2 (...): ... it is empty. {AGAIN}",), kept=3),
    Row("a file that is cut off", cut("i0.nii.gz", -100), (f"{IMAGE}: ... it is cut off or damaged (...). {AGAIN}",),
        kept=2),
    Row("a file that is cut off in its header", cut("i0.nii.gz", 60), (f"{IMAGE}: ... {AGAIN}",), kept=2),
    Row("a text", written("data/i0.nii.gz", "see attachment\n" * 99), (f"{IMAGE}: ... not a gzip file{RENAME}",),
        kept=2),
    Row("a picture by another name", written("data/i0.nii.gz", b"\x89PNG\r\n\x1a\n" + bytes(400)),
        (f"{IMAGE}: ... a PNG picture{RENAME}",), kept=2),
    Row("a file that is not compressed", decompressed, (f"{IMAGE}: ... NIfTI that is not compressed{RENAME}",), kept=2),
    Row("a file that is compressed", renamed("i0.nii.gz", "i0.nii"),
        (f"train.csv:2 (i0.nii): ... compressed with gzip{RENAME}",), kept=2),
    Row("a format without a reader", both(decompressed, written("data/i0.nii.gz", "NRRD0004\n"),
                                          renamed("i0.nii.gz", "i0.nrrd")),
        ("train.csv:2 (i0.nrrd): ... there is no reader for files .nrrd. Convert it to NIfTI or, in 2-D, to PNG; or "
         "install a reader that MONAI knows, such as itk or pydicom.",), kept=2),
    Row("a file that may not be read", lambda place: (place.data / "i0.nii.gz").chmod(0),
        (f"{IMAGE}: ... Permission denied...",), kept=2, under=permissions_count),
    Row("colours for numbers", stored("i0.nii.gz", np.zeros(SHAPE, COLOURS)), (f"{IMAGE}: ... {AGAIN}",), kept=2),
]  # fmt: skip

GRIDS = [
    Row("four axes for three", stored("i1.nii.gz", image(1, (*SHAPE, 3))),
        ("train.csv:3 (i1.nii.gz): ... 3 channels...",), kept=2),
    Row("two axes for three", stored("i1.nii.gz", image(1, (8, 8))),
        ("train.csv:3 (i1.nii.gz): Has 2 dimensions (8 x 8), expected 3. Correct data.spatial_dims, or save each "
         "volume or slice as a file of its own.",), kept=2),
    Row("an axis without voxels", stored("i0.nii.gz", image(0, (8, 0, 8))),
        (f"{IMAGE}: ... shape ... and thus no voxels. Export ... again, or take the row out.",), kept=2),
    Row("a label without voxels", stored("l0.nii.gz", label(0, (8, 8, 0))),
        (f"{LABEL}: ... shape ... and thus no voxels. Export ... again, or take the row out.",), kept=2),
    Row("an affine with nan", stored("i0.nii.gz", image(0), affine_with(0, 0, np.nan)),
        (f"{IMAGE}: ... affine ... holds ... {NO_PLACE}",), kept=2),
    Row("an affine that is not invertible", stored("i0.nii.gz", image(0), affine_with(2, 2, 0)),
        (f"{IMAGE}: ... affine ... is not invertible, {NO_PLACE}",), kept=2),
    Row("an affine of zeros", stored("l0.nii.gz", label(0), np.zeros((4, 4))),
        (f"{LABEL}: ... affine ... is not invertible, {NO_PLACE}",), kept=2),
    Row("a label of another shape", stored("l0.nii.gz", label(0, (8, 8, 7))), (f"{LABEL}: {APART}",), kept=2),
    Row("a label with twice the spacing", scaled("l0.nii.gz", label(0), 2.0), (f"{LABEL}: {APART}",), kept=2),
    Row("a label of several channels", stored("l0.nii.gz", label(0, (*SHAPE, 2))),
        (f"{LABEL}: ... label has 2 channels... expected ... that holds the class values. Save it as ...",), kept=2),
]  # fmt: skip

VALUES = [
    Row("a label of halves", stored("l0.nii.gz", label(0) * np.float32(0.5)),
        (f"{IMAGE}: the label l0.nii.gz holds 0.5 ({label(0).sum()} voxels), {UNDECLARED}",), kept=2),
    Row("a label with nan", stored("l0.nii.gz", np.where(label(0) == 1, np.nan, 0).astype(np.float32)),
        (f"{IMAGE}: the label l0.nii.gz holds nan ({label(0).sum()} voxels), {UNDECLARED}",), kept=2),
    Row("a label value that nobody declared", stored("l3.nii.gz", label(3) * np.uint8(7)),
        (f"test.csv:2 (i3.nii.gz): the label l3.nii.gz holds 7 ({label(3).sum()} voxels), {UNDECLARED}",), kept=3),
    Row("a label of whole numbers as floats", stored("l0.nii.gz", label(0).astype(np.float64)),
        then=whole_numbers_are_read),
]  # fmt: skip

PICTURES = [
    Row("a picture that is cut off", both(pictures, cut("i0.png", 60)), (f"train.csv:2 (i0.png): ... {AGAIN}",),
        kept=2),
    Row("white for class one", both(pictures, picture("l0.png", label(0, (8, 8)) * np.uint8(255))),
        (f"train.csv:2 (i0.png): the label l0.png holds 255 ({label(0, (8, 8)).sum()} voxels), {UNDECLARED}",), kept=2),
    Row("a mask of another size", both(pictures, picture("l0.png", label(0, (8, 7)))),
        ("train.csv:2 (...): ... differ in shape ...",), kept=2),
    Row("a picture in colours", both(pictures, picture("i1.png", np.zeros((8, 8, 3), np.uint8))),
        ("train.csv:3 (i1.png): ... 3 channels...",), kept=2),
]  # fmt: skip


# What the preparation of the cases says in other words than the look at the headers.
UNCHECKED = {
    "two axes for three": "train.csv:3 (i1.nii.gz): the image has shape (1, 8, 8) after transforms.base, expected one "
    "channel axis and 3 spatial ones (data.spatial_dims).",
    "a label of another shape": f"{IMAGE}: image and label differ in shape after transforms.base: (8, 8, 8) and "
    "(8, 8, 7). They must cover the same voxels.",
    "a label with twice the spacing": f"{IMAGE}: image and label lie up to 12.1 mm apart after transforms.base, by the "
    "affines in their files. Correct the header of the one that is wrong.",
}


# What no header tells.
IN_VOXELS = ("a format without a reader", "colours for numbers", "white for class one")


def with_and_without_check(rows: list[Row]) -> Iterator[Row]:
    """Yield each row as it is, when headers are read beforehand, and once more when they are not."""
    for row in rows:
        told = (UNCHECKED[row.broken],) if row.broken in UNCHECKED else row.told
        yield replace(row, kept=row.kept if row in VALUES or row.broken in IN_VOXELS else 0)
        yield replace(row, broken=f"{row.broken}, not checked", told=told, words=(*FIT, "--no-check"))


ROWS = [*with_and_without_check([*UNREADABLE, *GRIDS, *VALUES, *PICTURES])]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_file_that_cannot_be_used_is_told_with_its_row(row: Row, place: Place) -> None:
    check(row, place)
