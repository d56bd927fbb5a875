from __future__ import annotations

from pathlib import Path

import pytest

from trainlib.data.pattern import Pattern, without_suffix


@pytest.mark.parametrize(
    ("pattern", "path", "key"),
    [
        ("images/*.nii.gz", "images/p1.nii.gz", ("p1",)),
        ("*_t1.nii.gz", "p1_x_t1.nii.gz", ("p1_x",)),
        ("imagesTr/*_0000.nii.gz", "imagesTr/la_007_0000.nii.gz", ("la_007",)),
        ("**/t1.nii.gz", "site/p1/t1.nii.gz", ("site/p1",)),
        ("**/*_t1.nii.gz", "HGG/p1/p1_t1.nii.gz", ("HGG/p1", "p1")),
        ("**/*.png", "p1.png", ("p1",)),
        ("images/**/*.png", "images/p1.png", ("p1",)),
        ("sub-*/anat/sub-*_T1w.nii", "sub-01/anat/sub-01_T1w.nii", ("01", "01")),
        ("case_[0-9][0-9]_t1.nii", "case_07_t1.nii", ("07",)),
        ("case_[!a]?_t1.nii", "case_07_t1.nii", ("07",)),
        ("a[[]*].png", "a[1].png", ("[1",)),
        ("a[9-0b]*.png", "ab1.png", ("b1",)),
        ("a[a^]*.png", "a^1.png", ("^1",)),
        ("a[]b]*.png", "a]1.png", ("]1",)),
        ("images/*", "images/p1.nii.gz", ("p1",)),
        ("images/*.*", "images/p1.PNG", ("p1",)),
        ("images/*.nii*", "images/p1.nii.gz", ("p1",)),
        ("images/*.nii*", "images/p1.nii", ("p1",)),
        ("images/**", "images/a/p1.png", ("a/p1",)),
        ("v1.5 (a+b)/*.png", "v1.5 (a+b)/p1.png", ("p1",)),
    ],
)
def test_the_key_is_what_the_wildcards_stand_for(pattern: str, path: str, key: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    assert Pattern("--image", pattern).files(tmp_path) == {path: key}


def test_a_filled_pattern_is_the_path_of_its_key() -> None:
    assert Pattern("--label", "labels/*_seg.nii.gz").fill(("p1",)) == "labels/p1_seg.nii.gz"
    assert Pattern("--label", "**/*_seg.nii.gz").fill(("a/p1", "p1")) == "a/p1/p1_seg.nii.gz"
    assert Pattern("--label", "labels/*").fill(("p1",)) == "labels/p1.*"
    assert Pattern("--label", "*/*_seg.nii.gz").fill(("p1",)) is None


def test_folders_hidden_files_and_links_to_nothing_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / ".writing-b.png").touch()
    (tmp_path / "c.png").mkdir()
    (tmp_path / "d.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "e.png").symlink_to(tmp_path / "a.png")
    assert list(Pattern("--image", "*.png").files(tmp_path)) == ["a.png", "e.png"]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("/data/*.png", "--image '/data/*.png': expected a pattern that starts in the folder of the data"),
        ("~/data/*.png", "expected a pattern that starts in the folder of the data"),
        ("C:/data/*.png", "expected a pattern that starts in the folder of the data"),
        ("../*.png", "expected a pattern that starts in the folder of the data"),
        ("images/a.png", "--image 'images/a.png' names one file. Put * where the name of the case stands"),
        (".", "names one file"),
        ("img_[^0].png", "--image 'img_[^0].png': write [!0] for any character but 0; [^0] means it in some shells"),
        ("a..b/*.png", ""),
        ("images/*.png", ""),
    ],
)
def test_patterns_that_cannot_be_used_say_why(pattern: str, problem: str) -> None:
    found = Pattern("--image", pattern).problem
    assert problem in found
    assert bool(problem) == bool(found)


def test_the_longest_suffix_is_taken_off() -> None:
    assert [without_suffix(name) for name in ("a.nii.gz", "a.b.PNG", "images/a.nii", "a.csv", "a")] == [
        "a", "a.b", "images/a", "a.csv", "a",
    ]  # fmt: skip
