"""Phantoms: the files written, their geometry, and that a seed decides every voxel."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from trainlib.data.phantom import CLASSES, make_dataset

TINY = (16, 16, 12)
SPLITS = ("train", "valid", "test")


def read_rows(folder: Path) -> list[dict[str, str]]:
    return [row for split in SPLITS for row in pd.read_csv(folder / f"{split}.csv").to_dict("records")]


def read_voxels(folder: Path) -> dict[str, np.ndarray]:
    paths = [path for row in read_rows(folder) for path in row.values()]
    return {path: np.asarray(nib.load(folder / path).dataobj) for path in paths}


def orientation(folder: Path, path: str) -> str:
    return "".join(nib.aff2axcodes(nib.load(folder / path).affine))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("phantom") / "volumes", cases=(4, 1, 1), shape=TINY)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("phantom") / "slices", spatial_dims=2, cases=(4, 1, 1))


def test_returns_the_folder_it_wrote(tmp_path: Path) -> None:
    assert make_dataset(tmp_path / "new" / "set", cases=(1, 0, 0), shape=TINY) == tmp_path / "new" / "set"


def test_csvs_list_the_cases_of_each_split_once(volumes: Path) -> None:
    tables = {split: pd.read_csv(volumes / f"{split}.csv") for split in SPLITS}
    assert [len(tables[split]) for split in SPLITS] == [4, 1, 1]
    assert all(list(table.columns) == ["image", "label"] for table in tables.values())
    rows = read_rows(volumes)
    assert [row["image"] for row in rows] == [f"images/case_{i:03d}.nii.gz" for i in range(6)]
    assert [row["label"] for row in rows] == [f"labels/case_{i:03d}.nii.gz" for i in range(6)]


def test_folder_holds_the_listed_files_and_no_others(volumes: Path) -> None:
    listed = {path for row in read_rows(volumes) for path in row.values()}
    found = {path.relative_to(volumes).as_posix() for path in volumes.rglob("*") if path.is_file()}
    assert found == listed | {f"{split}.csv" for split in SPLITS}


@pytest.mark.parametrize("kind", ["volumes", "slices"])
def test_image_and_label_share_shape_and_affine(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    for row in read_rows(folder):
        image, label = nib.load(folder / row["image"]), nib.load(folder / row["label"])
        assert image.shape == label.shape
        np.testing.assert_array_equal(image.affine, label.affine)


@pytest.mark.parametrize("kind", ["volumes", "slices"])
def test_labels_hold_every_class_and_nothing_else(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    for row in read_rows(folder):
        label = np.asarray(nib.load(folder / row["label"]).dataobj)
        assert label.dtype == np.uint8
        assert np.unique(label).tolist() == list(range(len(CLASSES)))


@pytest.mark.parametrize(("dims", "size"), [(2, 12), (3, 12)])
def test_smallest_shape_still_shows_every_class(tmp_path: Path, dims: int, size: int) -> None:
    make_dataset(tmp_path / "set", spatial_dims=dims, cases=(30, 0, 0), shape=(size,) * dims)
    for path, voxels in read_voxels(tmp_path / "set").items():
        if path.startswith("labels"):
            assert np.unique(voxels).tolist() == [0, 1, 2], path


def test_spacing_is_anisotropic_and_differs_between_cases(volumes: Path) -> None:
    images = [nib.as_closest_canonical(nib.load(volumes / row["image"])) for row in read_rows(volumes)]
    spacings = np.array([image.header.get_zooms() for image in images])
    assert (spacings[:, 2] > 1.3 * spacings[:, :2].max(axis=1)).all()
    assert len(np.unique(spacings[:, 0])) == len(spacings)
    assert all(np.abs(image.affine[:3, 3]).min() > 1 for image in images)


def test_orientation_varies_across_cases(volumes: Path, slices: Path) -> None:
    stored = [orientation(volumes, row["image"]) for row in read_rows(volumes)]
    assert stored == ["RAS", "LPS", "SRA", "PIR", "RAS", "LPS"]
    stored = [orientation(slices, row["image"])[:2] for row in read_rows(slices)]
    assert stored == ["RA", "LP", "AR", "RA", "LP", "AR"]


def test_organ_lies_towards_the_right_once_reoriented(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", cases=(16, 0, 0), shape=TINY)
    offsets = []
    for row in read_rows(folder):
        label = np.asarray(nib.as_closest_canonical(nib.load(folder / row["label"])).dataobj)
        assert label.shape == TINY
        offsets.append(np.argwhere(label > 0).mean(axis=0)[0] - (TINY[0] - 1) / 2)
    assert np.mean(offsets) > 0.5


def test_every_third_volume_is_integer(volumes: Path) -> None:
    kinds = [nib.load(volumes / row["image"]).get_data_dtype() for row in read_rows(volumes)]
    assert kinds == [np.float32, np.float32, np.int16] * 2


def test_slices_are_two_dimensional(slices: Path) -> None:
    images = [nib.load(slices / row["image"]) for row in read_rows(slices)]
    assert all(len(image.shape) == 2 and max(abs(n - 64) for n in image.shape) <= 3 for image in images)
    assert [image.get_data_dtype() for image in images] == [np.float32, np.float32, np.uint8] * 2


def test_default_shape_varies_around_40_40_24(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", cases=(5, 0, 0))
    images = [nib.as_closest_canonical(nib.load(folder / row["image"])) for row in read_rows(folder)]
    shapes = np.array([image.shape for image in images])
    assert np.abs(shapes - [40, 40, 24]).max() <= 3
    assert len(np.unique(shapes, axis=0)) > 1


def test_channels_become_columns_of_one_geometry_and_different_contrast(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", cases=(2, 1, 0), channels=2, shape=TINY)
    assert list(pd.read_csv(folder / "train.csv").columns) == ["image_0", "image_1", "label"]
    # A split without cases still has its header.
    assert (folder / "test.csv").read_text() == "image_0,image_1,label\n"
    row = read_rows(folder)[1]
    assert row["image_1"] == "images/case_001_1.nii.gz"
    affines = [nib.load(folder / path).affine for path in row.values()]
    assert all(np.array_equal(affine, affines[0]) for affine in affines)
    first, second, label = (np.asarray(nib.load(folder / path).dataobj) for path in row.values())
    assert first[label == 2].mean() > first[label == 1].mean()
    assert second[label == 2].mean() < second[label == 1].mean()


@pytest.mark.parametrize("dims", [2, 3])
def test_same_seed_writes_the_same_voxels_and_csvs(tmp_path: Path, dims: int) -> None:
    one, two = (
        make_dataset(tmp_path / name, spatial_dims=dims, cases=(3, 1, 1), shape=TINY[:dims], seed=7)
        for name in ("one", "two")
    )
    voxels, again = read_voxels(one), read_voxels(two)
    assert voxels.keys() == again.keys()
    assert all(voxels[path].tobytes() == again[path].tobytes() for path in voxels)
    assert all((one / f"{s}.csv").read_bytes() == (two / f"{s}.csv").read_bytes() for s in SPLITS)


def test_a_case_does_not_depend_on_how_many_others_there_are(tmp_path: Path) -> None:
    few = read_voxels(make_dataset(tmp_path / "few", cases=(1, 1, 0), shape=TINY))
    many = read_voxels(make_dataset(tmp_path / "many", cases=(3, 0, 1), shape=TINY))
    assert all(np.array_equal(few[path], many[path]) for path in few)


def test_different_seeds_and_cases_differ(tmp_path: Path) -> None:
    one = read_voxels(make_dataset(tmp_path / "one", cases=(5, 0, 0), shape=TINY, seed=1))
    two = read_voxels(make_dataset(tmp_path / "two", cases=(5, 0, 0), shape=TINY, seed=2))
    assert not any(np.array_equal(one[path], two[path]) for path in one)
    # Cases 0 and 4 are stored in the same orientation.
    assert not np.array_equal(one["labels/case_000.nii.gz"], one["labels/case_004.nii.gz"])


def test_folder_that_holds_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="holds files already"):
        make_dataset(tmp_path, cases=(1, 0, 0), shape=TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_empty_folder_is_accepted(tmp_path: Path) -> None:
    assert len(read_rows(make_dataset(tmp_path, cases=(1, 0, 0), shape=TINY))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spatial_dims": 4}, "`spatial_dims` to be 2 or 3, but got 4"),
        ({"cases": (1, -1, 0)}, "`cases` to be three counts"),
        ({"channels": 0}, "`channels` to be a positive integer, but got 0"),
        ({"shape": (16, 16)}, "`shape` to be 3 sizes of at least 12 voxels"),
        ({"shape": (16, 16, 4)}, "`shape` to be 3 sizes of at least 12 voxels"),
    ],
)
def test_impossible_arguments_are_named(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_dataset(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()
