from __future__ import annotations

import errno
import glob
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from trainlib.commands.split import Division, Request, split
from trainlib.config.load import Loaded, read_config
from trainlib.data.phantom import CLASSES, FINDINGS, make_classification_dataset
from trainlib.errors import InputError
from trainlib.preflight import quick_problems

PARTS = ("train", "valid", "test")


def masks(folder: Path, count: int, values: dict[int, list[int]]) -> Request:
    """Write pictures and masks ``p<n>_<s>.png``, two of each patient; a mask holds 0 and the values of its number."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        mask = np.zeros((8, 8), dtype=np.uint8)
        for row, (value, members) in enumerate(values.items()):
            mask[row] = value if number in members else 0
        file = f"p{number // 2:02d}_{number % 2}.png"
        Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(folder / "images" / file)
        Image.fromarray(mask).save(folder / "masks" / file)
    return Request(folder, ("images/*.png",), label="masks/*.png")


def tables(division: Division) -> dict[str, pd.DataFrame]:
    return {part: pd.read_csv(csv, dtype=str, keep_default_na=False) for part, csv in division.csvs.items()}


def loaded(division: Division, folder: Path) -> Loaded:
    """Read a config made of the lines for the config alone."""
    path = folder / "config.yaml"
    path.write_text(division.config)
    return read_config(path)


def refused(request: Request) -> list[str]:
    with pytest.raises(InputError) as caught:
        split(request)
    return str(caught.value).splitlines()


@pytest.fixture
def phantom_request(phantom: Path, tmp_path: Path) -> Request:
    return Request(phantom, ("images/*.nii.gz",), label="labels/*.nii.gz", out=tmp_path / "csvs")


def test_every_case_is_in_one_csv_with_paths_from_the_folder(phantom_request: Request) -> None:
    found = tables(split(phantom_request))
    assert {part: len(table) for part, table in found.items()} == {"train": 8, "valid": 2, "test": 2}
    assert all(list(table) == ["image", "label"] for table in found.values())
    together = pd.concat(found.values()).sort_values("image")
    assert together["image"].tolist() == [f"images/case_{n:03d}.nii.gz" for n in range(12)]
    assert together["label"].tolist() == [f"labels/case_{n:03d}.nii.gz" for n in range(12)]


def test_a_training_accepts_the_csvs_and_the_lines_for_the_config(phantom_request: Request, tmp_path: Path) -> None:
    config = loaded(split(phantom_request), tmp_path)
    assert config.problems == []
    assert quick_problems(config) == []
    assert config.config is not None
    assert config.config.data.classes == ["background", "class_1", "class_2"]
    assert len(CLASSES) == 3


def test_csvs_in_the_folder_of_the_data_are_named_from_there(tmp_path: Path) -> None:
    division = split(masks(tmp_path / "data", 12, {1: [*range(12)]}))
    data = yaml.safe_load(division.config)["data"]
    assert division.csvs == {part: tmp_path / "data" / f"{part}.csv" for part in PARTS}
    assert data == {
        "root": str(tmp_path / "data"),
        "train_csv": "train.csv",
        "valid_csv": "valid.csv",
        "test_csv": "test.csv",
        "image_cols": "image",
        "label_cols": "label",
        "classes": ["background", "foreground"],
        "spatial_dims": 2,
    }
    assert quick_problems(loaded(division, tmp_path)) == []


@pytest.mark.parametrize(
    ("values", "classes", "label_map"),
    [
        ([255], ["background", "foreground"], {255: 1}),
        ([1, 2, 4], ["background", "class_1", "class_2", "class_4"], {1: 1, 2: 2, 4: 3}),
        ([3, 4], ["background", "class_3", "class_4"], {3: 1, 4: 2}),
    ],
)
def test_label_values_that_are_not_numbered_through_are_mapped(
    tmp_path: Path, values: list[int], classes: list[str], label_map: dict[int, int]
) -> None:
    request = masks(tmp_path / "data", 6, {value: [*range(6)] for value in values})
    config = loaded(split(request), tmp_path)
    assert config.problems == []
    assert config.config is not None
    assert config.config.data.classes == classes
    assert {value: config.config.label_values[value] for value in values} == label_map


def test_patients_are_whole_and_named_in_a_column(tmp_path: Path) -> None:
    request = replace(masks(tmp_path / "data", 40, {1: [*range(40)]}), group=r"p(\d+)_")
    division = split(request)
    found = tables(division)
    patients = {part: set(table["group"]) for part, table in found.items()}
    assert {part: len(names) for part, names in patients.items()} == {"train": 14, "valid": 3, "test": 3}
    assert not (patients["train"] & patients["valid"] | patients["train"] & patients["test"])
    assert all(table["image"].str.contains(table["group"][0]).any() for table in found.values())
    assert sum((Counter(table["group"]) for table in found.values()), Counter()) == {f"{n:02d}": 2 for n in range(20)}
    config = loaded(division, tmp_path)
    assert config.config is not None
    assert config.config.data.group_col == "group"
    assert quick_problems(config) == []
    assert division.rows[1].cells == {"train": "14", "valid": "3", "test": "3", "all": "20"}


def test_a_rare_label_value_comes_into_every_part(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 40, {1: [*range(40)], 2: [0, 7, 8, 21, 30, 33, 39]})
    for seed in range(3):
        division = split(replace(request, seed=seed, overwrite=True))
        rare = {f"images/p{n // 2:02d}_{n % 2}.png" for n in (0, 7, 8, 21, 30, 33, 39)}
        counts = {part: len(rare & set(table["image"])) for part, table in tables(division).items()}
        assert counts == {"train": 5, "valid": 1, "test": 1}
        assert division.rows[-1] == (
            "label 2",
            {
                "train": f"{500 / 28:.3g}% ({500 / 28 / 8:.3g}%)",
                "valid": f"{100 / 6:.3g}% ({100 / 6 / 8:.3g}%)",
                "test": f"{100 / 6:.3g}% ({100 / 6 / 8:.3g}%)",
                "all": "17.5% (2.19%)",
            },
        )


def test_a_seed_gives_one_split_whatever_the_order_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(masks(tmp_path / "data", 30, {1: [*range(0, 30, 3)]}), overwrite=True)
    first = {part: csv.read_bytes() for part, csv in split(request).csvs.items()}
    listed = glob.glob
    monkeypatch.setattr(glob, "glob", lambda *args, **kwargs: listed(*args, **kwargs)[::-1])
    assert {part: csv.read_bytes() for part, csv in split(request).csvs.items()} == first
    assert {part: csv.read_bytes() for part, csv in split(replace(request, seed=1)).csvs.items()} != first


def test_several_images_become_columns_named_after_their_patterns(tmp_path: Path) -> None:
    for number in range(6):
        folder = tmp_path / "data" / f"p{number}"
        folder.mkdir(parents=True)
        for kind in ("t1", "flair", "seg"):
            volume = np.full((4, 4, 4), kind == "seg", dtype=np.uint8)
            nib.save(nib.Nifti1Image(volume, np.eye(4)), folder / f"p{number}_{kind}.nii.gz")
    request = Request(tmp_path / "data", ("*/*_t1.nii.gz", "*/*_flair.nii.gz"), label="*/*_seg.nii.gz")
    division = split(request)
    found = pd.concat(tables(division).values())
    assert list(found) == ["t1", "flair", "label"]
    assert (found["flair"].str.replace("flair", "t1") == found["t1"]).all()
    assert yaml.safe_load(division.config)["data"]["image_cols"] == ["t1", "flair"]
    assert quick_problems(loaded(division, tmp_path)) == []
    named = split(replace(request, names=("a", "b"), label_cols=("truth",), overwrite=True))
    assert list(tables(named)["valid"]) == ["a", "b", "truth"]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a classification, and labels.csv with a row for each, patients of three cases included."""
    folder = make_classification_dataset(
        tmp_path_factory.mktemp("findings") / "data", cases=(36, 12, 12), spatial_dims=2, file_format="png"
    )
    table = pd.concat([pd.read_csv(folder / f"{part}.csv") for part in PARTS], ignore_index=True)
    table["patient"] = [f"p{n // 3}" for n in range(60)]
    table["id"] = table.pop("image").str.extract(r"images/(.*)\.png")
    table.to_csv(folder / "labels.csv", index=False)
    return folder


def test_classes_of_a_csv_are_divided_by_patient(findings: Path, tmp_path: Path) -> None:
    request = Request(
        findings, ("images/*.png",), label_csv=findings / "labels.csv", label_cols=("label",), group_col="patient",
        out=tmp_path / "csvs",
    )  # fmt: skip
    division = split(request)
    found = tables(division)
    assert {part: len(table) for part, table in found.items()} == {"train": 42, "valid": 9, "test": 9}
    assert all(list(table) == ["image", "label", "patient"] for table in found.values())
    truth = pd.read_csv(findings / "labels.csv").set_index("id")
    for table in found.values():
        its = truth.loc[table["image"].str.extract(r"images/(.*)\.png")[0]]
        assert its["label"].tolist() == table["label"].tolist()
        assert its["patient"].tolist() == table["patient"].tolist()
        assert set(table["label"]) == set(FINDINGS)
    assert division.notes == ["labels.csv: the column id names the files"]
    config = loaded(division, tmp_path)
    assert quick_problems(config) == []
    assert config.config is not None
    assert (config.config.task, config.config.data.spatial_dims) == ("classification", 2)
    assert config.config.data.classes == sorted(FINDINGS)


def test_a_csv_without_a_choice_of_columns_is_understood_where_only_one_is_left(findings: Path, tmp_path: Path) -> None:
    table = pd.read_csv(findings / "labels.csv")[["label", "id"]].rename(columns={"label": "finding"})
    table.to_csv(tmp_path / "two.csv", index=False)
    division = split(Request(findings, ("images/*.png",), label_csv=tmp_path / "two.csv", out=tmp_path / "csvs"))
    assert list(tables(division)["test"]) == ["image", "finding"]
    table.assign(other="x").to_csv(tmp_path / "three.csv", index=False)
    request = Request(findings, ("images/*.png",), label_csv=tmp_path / "three.csv", out=tmp_path / "other")
    expected = "--label-col is missing. Name the column of the classes in three.csv: finding, other."
    assert refused(request) == [expected]


def test_several_label_columns_make_a_multi_label_split(tmp_path: Path, findings: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"file": [f"case_{n:03d}" for n in range(60)]})
    for name, share in (("cyst", 0.5), ("mass", 0.2)):
        table[name] = (rng.random(60) < share).astype(int)
    table.to_csv(tmp_path / "labels.csv", index=False)
    request = Request(
        findings,
        ("images/*.png",),
        label_csv=tmp_path / "labels.csv",
        label_cols=("cyst", "mass"),
        out=tmp_path / "csvs",
    )
    division = split(request)
    for part, share in (("train", 0.7), ("valid", 0.15), ("test", 0.15)):
        positive = tables(division)[part][["cyst", "mass"]].astype(int).sum()
        expected = table[["cyst", "mass"]].sum() * share
        assert (positive - expected).abs().max() <= 1
    config = loaded(division, tmp_path)
    assert quick_problems(config) == []
    assert config.config is not None
    assert config.config.multilabel
    table.replace({"mass": {1: 3}}).to_csv(tmp_path / "labels.csv", index=False)
    problems = refused(replace(request, overwrite=True))
    assert "column 'mass': expected 0 or 1, for there are several label columns, found '3'." in problems[0]


def test_without_a_test_share_there_is_no_test_csv(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 10, {1: [*range(10)]})
    division = split(replace(request, valid=0.2, test=0))
    assert sorted(path.name for path in (tmp_path / "data").glob("*.csv")) == ["train.csv", "valid.csv"]
    assert {part: len(table) for part, table in tables(division).items()} == {"train": 8, "valid": 2}
    assert "test_csv" not in division.config
    assert quick_problems(loaded(division, tmp_path)) == []


def test_csvs_that_are_there_are_kept_unless_told_otherwise(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 10, {1: [*range(10)]})
    (tmp_path / "data" / "test.csv").write_text("mine\n")
    [problem] = refused(replace(request, test=0))
    assert problem == (
        f"{tmp_path / 'data' / 'test.csv'}: already there. Replace with --overwrite, or write elsewhere with --out."
    )
    assert [path.name for path in (tmp_path / "data").glob("*.csv")] == ["test.csv"]
    division = split(replace(request, test=0, overwrite=True))
    assert (tmp_path / "data" / "test.csv").read_text() == "mine\n"
    assert (
        f"{tmp_path / 'data' / 'test.csv'}: is of an earlier split. Do not use it with the new ones." in division.notes
    )
    split(replace(request, overwrite=True))
    assert (tmp_path / "data" / "test.csv").read_text().startswith("image,label\n")


def test_csvs_are_all_written_before_the_first_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = replace(masks(tmp_path / "data", 10, {1: [*range(10)]}), overwrite=True)
    for part in PARTS:
        (tmp_path / "data" / f"{part}.csv").write_text(f"{part} of before\n")
    real, synced = os.fsync, []

    def fsync(handle: int) -> None:
        synced.append(handle)
        if len(synced) == 3:
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    [problem] = refused(request)
    assert problem == f"{tmp_path / 'data'}: cannot be written to: OSError: [Errno 5] Input/output error."
    files = sorted(path.name for path in (tmp_path / "data").iterdir() if path.is_file())
    assert files == ["test.csv", "train.csv", "valid.csv"]
    assert [(tmp_path / "data" / f"{part}.csv").read_text() for part in PARTS] == [f"{p} of before\n" for p in PARTS]


def test_csvs_that_were_replaced_before_a_failure_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = replace(masks(tmp_path / "data", 10, {1: [*range(10)]}), overwrite=True)
    split(request)
    before = {part: (tmp_path / "data" / f"{part}.csv").read_text() for part in PARTS}
    real = Path.replace

    def rename(self: Path, target: Path) -> Path:
        if target.name == "valid.csv":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", rename)
    [problem] = refused(replace(request, seed=1))
    assert problem.endswith("Permission denied. Replaced already: test.csv.")
    after = {part: (tmp_path / "data" / f"{part}.csv").read_text() for part in PARTS}
    assert [part for part in PARTS if after[part] != before[part]] == ["test"]


def test_files_that_are_no_label_maps_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 30, {1: [*range(30)]})
    for number in range(12):
        (tmp_path / "data" / "masks" / f"p{number:02d}_0.png").write_bytes(b"no picture")
    problems = refused(request)
    assert problems[0].startswith("masks/p00_0.png: cannot be read: UnidentifiedImageError")
    assert problems[0].endswith("Repair the file, or move it and its image away.")
    assert len(problems) == 11
    assert problems[-1] == "... and the same with 2 more files."
    assert list((tmp_path / "data").glob("*.csv")) == []


def test_a_path_in_which_no_patient_is_found_is_named(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 6, {1: [*range(6)]})
    for name in ("images", "masks"):
        (tmp_path / "data" / name / "p00_0.png").rename(tmp_path / "data" / name / "odd.png")
    problems = refused(replace(request, group=r"p(\d+)_"))
    assert problems == [r"images/odd.png: --group 'p(\d+)_' finds no patient in it."]


def test_fewer_patients_than_parts_are_told_with_what_was_taken_for_one(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 6, {1: [*range(6)]})
    assert refused(replace(request, group="(images)")) == [
        "train, valid, test need at least one patient each, but there is only 1. "
        "--group finds 'images' in images/p00_0.png."
    ]
    assert refused(replace(masks(tmp_path / "two", 2, {1: [0, 1]}))) == [
        "train, valid, test need at least one case each, but there are only 2."
    ]


def test_what_a_user_should_know_is_noted(tmp_path: Path) -> None:
    request = masks(tmp_path / "data", 40, {1: [*range(40)], 9: [3]})
    for number in range(18):  # nine tenths of the cases are of one patient
        for name in ("images", "masks"):
            for half in "01":
                old = tmp_path / "data" / name / f"p{number:02d}_{half}.png"
                old.rename(old.with_name(f"p99_{number:02d}{half}.png"))
    notes = split(replace(request, group=r"p(\d+)_")).notes
    assert notes == [
        "train.csv: has 90.0% of the cases instead of 70.0%, for patients stay whole; 99 alone has 36.",
        "valid.csv: no case holds label 9; in all one does.",
        "valid.csv: has 5.0% of the cases instead of 15.0%, for patients stay whole; 99 alone has 36.",
        "test.csv: no case holds label 9; in all one does.",
        "test.csv: has 5.0% of the cases instead of 15.0%, for patients stay whole; 99 alone has 36.",
    ]
    few = replace(masks(tmp_path / "few", 4, {1: [*range(4)]}), group=r"p(\d+_\d)")  # a case of each patient
    assert "train.csv: has 50.0% of the cases instead of 70.0%." in split(few).notes
    [note] = split(replace(request, overwrite=True)).notes[-1:]
    assert note.startswith("Every case counts as a patient of its own.")
    empty = split(masks(tmp_path / "empty", 6, {}))
    assert "The label maps hold nothing but background (0)." in empty.notes


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("id;label\ncase_000;a\n", {}, "labels.csv:1: the columns are not separated by commas"),
        ("id,label,id\ncase_000,a,b\n", {}, "labels.csv:1: two columns are named 'id'. Rename one."),
        ("id,label\n", {}, "labels.csv: lists no case."),
        ("id,label\ncase_000,\ncase_001,a\n", {}, "labels.csv:2: column 'label' is empty. Fill it in"),
        ("id,label\ncase_000,a\n", {"label_cols": ("labl",)}, "labels.csv:1: there is no column 'labl'. Did you mean"),
        ("id,label\ncase_000,a\n", {"group_col": "who"}, "labels.csv:1: there is no column 'who'."),
        ("id,label,who\ncase_000,a,\n", {"group_col": "who"}, "labels.csv:2: column 'who' is empty."),
        ("id,image\ncase_000,a\n", {}, "labels.csv: the column of the classes is named 'image', as that of the images"),
    ],
)  # fmt: skip
def test_a_csv_of_labels_that_cannot_be_used_is_told(
    findings: Path, tmp_path: Path, text: str, options: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    request = Request(findings, ("images/*.png",), label_csv=tmp_path / "labels.csv", out=tmp_path / "csvs", **options)
    assert sentence in refused(request)[0]
    assert not (tmp_path / "csvs").exists()


@pytest.mark.parametrize(
    ("options", "sentences"),
    [
        ({"images": ()}, ["--image is missing."]),
        ({"images": ("a.png",)}, ["--image 'a.png' names one file."]),
        ({"label": None}, ["Name either label maps, as in --label 'labels/*.nii.gz', or a CSV of classes"]),
        ({"label_csv": Path("none.csv")}, ["Name either label maps", "--label-csv none.csv: there is no such file."]),
        ({"key": "a", "label_cols": ("a", "b")}, ["--key: only --label-csv has columns.", "--label-col: only a CSV"]),
        ({"group_col": "a"}, ["--group-col: only --label-csv has columns. Find the patient in the file names"]),
        ({"group": "(a)", "group_col": "a"}, ["--group and --group-col both name the patient.", "--group-col: only"]),
        ({"group": "("}, ["--group '(': is no regular expression: missing ), unterminated subpattern"]),
        ({"group": "p_1"}, ["--group 'p_1': put what names the patient in parentheses, as in 'patient_(\\d+)'."]),
        ({"names": ("a", "b")}, ["--name: expected one for each --image, 1, found 2."]),
        ({"names": ("label",)}, ["two columns of the CSVs would be named 'label'."]),
        ({"names": (" a",)}, ["' a' cannot be the name of a column. Take the blanks away."]),
        ({"valid": 0.0}, ["--valid 0 --test 0.15: expected shares between 0 and 1"]),
        ({"valid": 0.5, "test": 0.5}, ["--valid 0.5 --test 0.5: expected shares between 0 and 1"]),
        ({"test": float("nan")}, ["--valid 0.15 --test nan: expected shares between 0 and 1"]),
        ({"folder": Path("x" * 300)}, [f"{'x' * 300}: there is no such folder."]),
        ({"label": None, "label_csv": Path("x" * 300)}, [f"--label-csv {'x' * 300}: there is no such file."]),
        ({"folder": Path("nowhere"), "test": -1.0}, ["nowhere: there is no such folder.", "--valid 0.15 --test -1"]),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_told_at_once(
    tmp_path: Path, options: dict[str, Any], sentences: list[str]
) -> None:
    request = Request(tmp_path, ("images/*.png",), label="masks/*.png")
    problems = refused(replace(request, **options))
    assert len(problems) == len(sentences)
    assert all(problem.startswith(sentence) for problem, sentence in zip(problems, sentences, strict=True))


def test_a_csv_of_labels_is_never_replaced_by_the_split(findings: Path) -> None:
    request = Request(findings, ("images/*.png",), label_csv=findings / "train.csv", overwrite=True)
    before = (findings / "train.csv").read_bytes()
    assert refused(request) == [
        f"--label-csv {findings / 'train.csv'}: would be replaced itself. Write elsewhere with --out."
    ]
    assert (findings / "train.csv").read_bytes() == before


def animals(folder: Path, *names: str) -> Request:
    """Write six pictures into each folder of some names."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(6):
            Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(folder / name / f"{number}.png")
    return Request(folder, ("**/*.png",), label_folder=True)


def test_folders_that_hold_images_are_their_classes(tmp_path: Path) -> None:
    division = split(animals(tmp_path, "2019/cat", "2020/cat", "dog"))
    rows = pd.concat(tables(division).values())
    expected = {f"{folder}/{n}.png": folder[-3:] for folder in ("2019/cat", "2020/cat", "dog") for n in range(6)}
    assert dict(zip(rows["image"], rows["label"], strict=True)) == expected
    shares = {part: Counter(table["label"]) for part, table in tables(division).items()}
    assert shares == {"train": {"cat": 8, "dog": 4}, "valid": {"cat": 2, "dog": 1}, "test": {"cat": 2, "dog": 1}}
    config = loaded(division, tmp_path)
    assert config.config is not None
    assert quick_problems(config) == []
    assert (config.config.task, config.config.data.classes) == ("classification", ["cat", "dog"])


def test_images_whose_folders_are_no_classes_are_refused(tmp_path: Path) -> None:
    request = animals(tmp_path, "cat")
    assert refused(request) == ["--label-folder: all images lie in folders named 'cat', and a training needs two."]
    (tmp_path / "cat" / "0.png").rename(tmp_path / "0.png")
    assert refused(request) == ["0.png: --label-folder: lies in no folder that could be named after its class."]
