from __future__ import annotations

from pathlib import Path

import pytest

from trainlib.data.pairing import Pairing, column_names, pair_files
from trainlib.data.pattern import Pattern
from trainlib.errors import DataError


def pair(folder: Path, files: list[str], *images: str, label: str | None = None) -> Pairing:
    """Make empty files and pair them."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    patterns = [Pattern("--image", text) for text in images]
    return pair_files(folder, [*patterns, Pattern("--label", label)] if label else patterns)


def found(pairing: Pairing) -> dict[str, tuple[str, ...]]:
    return {case.name: case.paths for case in pairing.cases}


def test_a_folder_of_images_and_one_of_labels(tmp_path: Path) -> None:
    files = ["images/b.nii.gz", "images/a.nii.gz", "labels/a.nii.gz", "labels/b.nii.gz", "README.txt"]
    pairing = pair(tmp_path, files, "images/*.nii.gz", label="labels/*.nii.gz")
    assert found(pairing) == {
        "a": ("images/a.nii.gz", "labels/a.nii.gz"),
        "b": ("images/b.nii.gz", "labels/b.nii.gz"),
    }
    assert pairing.left_out == []


def test_several_images_and_labels_in_one_folder(tmp_path: Path) -> None:
    files = [f"p{n}_{kind}.nii.gz" for n in (1, 2) for kind in ("t1", "flair", "seg")]
    pairing = pair(tmp_path, files, "*_t1.nii.gz", "*_flair.nii.gz", label="*_seg.nii.gz")
    assert found(pairing)["p2"] == ("p2_t1.nii.gz", "p2_flair.nii.gz", "p2_seg.nii.gz")
    assert len(pairing.cases) == 2


def test_channels_of_nnunet(tmp_path: Path) -> None:
    files = ["imagesTr/la_003_0000.nii.gz", "imagesTr/la_003_0001.nii.gz", "labelsTr/la_003.nii.gz"]
    pairing = pair(tmp_path, files, "imagesTr/*_0000.nii.gz", "imagesTr/*_0001.nii.gz", label="labelsTr/*.nii.gz")
    assert found(pairing) == {"la_003": tuple(files)}


def test_a_folder_for_each_patient(tmp_path: Path) -> None:
    files = [f"{site}/p{n}/{kind}.nii.gz" for site in ("HGG", "LGG") for n in (1, 2) for kind in ("t1", "seg")]
    pairing = pair(tmp_path, files, "**/t1.nii.gz", label="**/seg.nii.gz")
    assert found(pairing)["LGG/p1"] == ("LGG/p1/t1.nii.gz", "LGG/p1/seg.nii.gz")
    assert len(pairing.cases) == 4


def test_images_in_a_folder_each_and_labels_in_one(tmp_path: Path) -> None:
    files = ["p1/p1_t1.png", "p2/p2_t1.png", "labels/p1.png", "labels/p2.png"]
    pairing = pair(tmp_path, files, "*/*_t1.png", label="labels/*.png")
    assert found(pairing) == {"p1": ("p1/p1_t1.png", "labels/p1.png"), "p2": ("p2/p2_t1.png", "labels/p2.png")}


def test_image_and_label_may_differ_in_format(tmp_path: Path) -> None:
    pairing = pair(tmp_path, ["images/a.jpg", "masks/a.png"], "images/*", label="masks/*")
    assert found(pairing) == {"a": ("images/a.jpg", "masks/a.png")}


def test_a_file_of_two_patterns_belongs_to_the_narrower(tmp_path: Path) -> None:
    pairing = pair(tmp_path, ["a.nii.gz", "a_seg.nii.gz"], "*.nii.gz", label="*_seg.nii.gz")
    assert found(pairing) == {"a": ("a.nii.gz", "a_seg.nii.gz")}
    assert pairing.left_out == []


def test_files_without_a_partner_are_named_with_the_file_that_was_looked_for(tmp_path: Path) -> None:
    files = ["t1/a.png", "t2/a.png", "seg/a.png", "t1/b.png", "t2/c.png", "seg/c.png"]
    pairing = pair(tmp_path, files, "t1/*.png", "t2/*.png", label="seg/*.png")
    assert list(found(pairing)) == ["a"]
    assert pairing.left_out == [
        "t1/b.png: there is no t2/b.png (--image 't2/*.png') and no seg/b.png (--label 'seg/*.png').",
        "t2/c.png: there is no t1/c.png (--image 't1/*.png').",
        "seg/c.png: there is no t1/c.png (--image 't1/*.png').",
    ]


def test_two_files_of_one_stem_are_named_and_left_out(tmp_path: Path) -> None:
    files = ["images/a.png", "images/a.jpg", "masks/a.png", "images/b.png", "masks/b.png"]
    pairing = pair(tmp_path, files, "images/*", label="masks/*")
    assert list(found(pairing)) == ["b"]
    assert pairing.left_out == [
        "images/a.jpg and images/a.png are both 'a' of --image 'images/*': the case is left out. Rename one, or make "
        "the pattern narrower."
    ]


def test_a_pattern_that_matches_nothing_is_told_for_each(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        pair(tmp_path, ["images/a.png"], "image/*.png", label="labels/*.png")
    assert str(caught.value).splitlines() == [
        f"--image 'image/*.png': matches no file in {tmp_path}.",
        f"--label 'labels/*.png': matches no file in {tmp_path}.",
    ]


def test_a_pattern_that_repeats_the_folder_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"patterns start in data\. Leave data/ out"):
        pair(Path("data"), ["images/a.png"], "data/images/*.png")


def test_patterns_that_pair_nothing_are_shown_with_what_they_find(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        pair(tmp_path, ["images/a_t1.png", "images/b_t1.png", "labels/a.png"], "images/*.png", label="labels/*.png")
    assert str(caught.value) == (
        "No files belong together: --image 'images/*.png' found 2 files, and in images/a_t1.png * is 'a_t1'; "
        "--label 'labels/*.png' found 1 file, and in labels/a.png * is 'a'. Write the patterns so that * is the same "
        "for the same case."
    )


def test_a_file_that_two_equal_patterns_claim_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--image '\*.png' and --label '\*.png' both match a.png. Make one of them"):
        pair(tmp_path, ["a.png", "b.png"], "*.png", label="*.png")


def test_a_pattern_whose_files_all_belong_to_narrower_ones_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--image '\*.png': matches no file but those of narrower patterns"):
        pair(tmp_path, ["a_seg.png"], "*.png", label="*_seg.png")


@pytest.mark.parametrize("name", [" a.png", "~a.png", "b.png "])
def test_names_that_a_csv_would_change_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"is lost in a CSV\. Rename it"):
        pair(tmp_path, [name, "ok.png"], "*.png*")


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["images/*.nii.gz"], ["image"]),
        (["*_t1.nii.gz", "*_flair.nii.gz"], ["t1", "flair"]),
        (["**/t1.nii.gz", "**/t1ce.nii.gz", "**/t2.nii.gz"], ["t1", "t1ce", "t2"]),
        (["imagesTr/*_0000.nii.gz", "imagesTr/*_0001.nii.gz"], ["image_0000", "image_0001"]),
        (["ct/*.nii.gz", "pet/*.nii.gz"], ["ct", "pet"]),
        (["*.nii.gz", "*_t2.nii.gz"], ["image", "t2"]),
        (["a/*_t1.png", "a/*_t1.jpg"], ["image_0", "image_1"]),
        (["t1/*.png", "t1/*_x.png"], ["image", "x"]),
    ],
)
def test_columns_are_named_after_what_the_patterns_differ_in(patterns: list[str], names: list[str]) -> None:
    assert column_names([Pattern("--image", text) for text in patterns], "image") == names
