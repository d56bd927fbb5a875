"""CSVs: what is read from them, and that every mistake is told with its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.helpers import make_config
from trainlib.data.splits import check_splits, read_split
from trainlib.errors import DataError

FILES = ("a.nii.gz", "b.nii.gz", "a_seg.nii.gz", "b_seg.nii.gz", "odd, name.nii.gz")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).touch()
    return tmp_path


def read(root: Path, content: str | bytes, **data):
    (root / "train.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return read_split(make_config(root, data), "train")


def message(root: Path, content: str | bytes, **data) -> str:
    with pytest.raises(DataError) as caught:
        read(root, content, **data)
    return str(caught.value)


GOOD = "image,label\na.nii.gz,a_seg.nii.gz\nb.nii.gz,b_seg.nii.gz\n"


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        b"\xef\xbb\xbf" + GOOD.encode(),
        "\n".join(f" {line.replace(',', ' , ')} " for line in GOOD.splitlines()),
        'image,label\n"a.nii.gz","a_seg.nii.gz"\n"b.nii.gz","b_seg.nii.gz"\n',
        "label,note,image\na_seg.nii.gz,NA,a.nii.gz\nb_seg.nii.gz,,b.nii.gz\n",
        "image,label,\na.nii.gz,a_seg.nii.gz,\nb.nii.gz,b_seg.nii.gz,\n",
        "image,label\na.nii.gz,a_seg.nii.gz,\nb.nii.gz,b_seg.nii.gz,\n",
    ],
    ids=["plain", "crlf", "no last newline", "bom", "blanks", "quoted", "other columns", "comma", "comma in rows"],
)
def test_csv_is_read_however_a_spreadsheet_saved_it(root: Path, content: str | bytes) -> None:
    cases = read(root, content)
    assert [(case.name, case.row) for case in cases] == [("a", 2), ("b", 3)]
    assert [case.images for case in cases] == [(root / "a.nii.gz",), (root / "b.nii.gz",)]
    assert [case.label for case in cases] == [root / "a_seg.nii.gz", root / "b_seg.nii.gz"]


def test_blank_rows_are_skipped_and_rows_keep_the_line_of_the_file(root: Path) -> None:
    cases = read(root, "image,label\n\na.nii.gz,a_seg.nii.gz\n  \n,\nb.nii.gz,b_seg.nii.gz\n\n")
    assert [case.row for case in cases] == [3, 6]


def test_blank_line_before_the_header_is_skipped(root: Path) -> None:
    assert [case.row for case in read(root, "\n" + GOOD)] == [3, 4]


def test_quoted_path_may_hold_a_comma(root: Path) -> None:
    [case] = read(root, 'image,label\n"odd, name.nii.gz",a_seg.nii.gz\n')
    assert case.images == (root / "odd, name.nii.gz",)
    assert str(case) == "train.csv:2 (odd, name.nii.gz)"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "train.csv: the file is empty. Its first line must name the columns."),
        ("\n\n", "train.csv: the file is empty. Its first line must name the columns."),
        ("image,label\n", "train.csv: lists no case. Add a row for each case below the header."),
        ("image,label\n,\n\n", "train.csv: lists no case. Add a row for each case below the header."),
        ("image;label\na;b\n", "train.csv:1: the columns are not separated by commas. Save the file with commas."),
        ("image\tlabel\na\tb\n", "train.csv:1: the columns are not separated by commas. Save the file with commas."),
        ("image,lable\na,b\n", "train.csv:1: there is no column 'label'. It has: image, lable."),
        ("image,image,label\na,b,c\n", "train.csv:1: two columns are named 'image'. Rename one."),
        ("image,label\na.nii.gz,\n", "train.csv:2: column 'label' is empty."),
        ("image,label\na.nii.gz\n", "train.csv:2: column 'label' is empty."),
        (
            "image,label\nodd, name.nii.gz,a_seg.nii.gz\n",
            "train.csv:2: has 3 cells, but the header 2. Put a path that holds a comma in double quotes.",
        ),
    ],
    ids=["empty", "blank", "header", "no cells", "semicolon", "tab", "column", "doubled", "cell", "short", "comma"],
)
def test_mistake_is_told_in_one_sentence_with_its_place(root: Path, content: str, expected: str) -> None:
    assert message(root, content) == expected


def test_missing_csv_is_told_with_the_data_root(root: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv: there is no such CSV file in data\.root \(" + str(root)):
        read_split(make_config(root), "train")


def test_utf16_is_refused_as_not_readable(root: Path) -> None:
    assert message(root, GOOD.encode("utf-16")).startswith("train.csv: cannot be read as CSV:")


def test_unclosed_quote_is_refused_as_not_readable(root: Path) -> None:
    text = message(root, 'image,label\n"a.nii.gz,a_seg.nii.gz\n')
    assert text.startswith('train.csv:2: cannot be read as CSV: a double quote (") is opened and not closed.')


def test_near_miss_is_suggested_among_many_columns(root: Path) -> None:
    columns = ",".join(["image", "lable", *(f"feature_{i}" for i in range(15))])
    assert "no column 'label'. Did you mean lable?" in message(root, f"{columns}\na.nii.gz\n")


def test_missing_files_are_told_with_row_and_full_path(root: Path) -> None:
    text = message(root, "image,label\r\n\r\nx.nii.gz,a_seg.nii.gz\r\na.nii.gz,y.nii.gz\r\n")
    assert text.splitlines() == [
        f"train.csv:3: column 'image': there is no file {root / 'x.nii.gz'}.",
        f"train.csv:4: column 'label': there is no file {root / 'y.nii.gz'}.",
    ]


def test_folder_in_place_of_a_file_is_missing(root: Path) -> None:
    (root / "dicom").mkdir()
    assert f"there is no file {root / 'dicom'}." in message(root, "image,label\ndicom,a_seg.nii.gz\n")


def test_impossibly_long_name_is_missing_rather_than_a_crash(root: Path) -> None:
    assert "there is no file" in message(root, f"image,label\n{'x' * 300}.nii.gz,a_seg.nii.gz\n")


def test_many_mistakes_of_a_kind_are_shortened_and_counted(root: Path) -> None:
    rows = "".join(f"x{i}.nii.gz,a_seg.nii.gz\n" for i in range(40))
    lines = message(root, "image,label\n" + rows).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "train.csv: ... and the same in 35 more rows."


def test_absolute_and_home_paths_do_not_start_from_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = root / "home"
    home.mkdir()
    (home / "h.nii.gz").touch()
    monkeypatch.setenv("HOME", str(home))
    [case] = read(root, f"image,label\n~/h.nii.gz,{root / 'a_seg.nii.gz'}\n")
    assert case.images == (home / "h.nii.gz",)
    assert case.label == root / "a_seg.nii.gz"


def test_several_image_columns_keep_the_order_of_the_config(root: Path) -> None:
    [case] = read(root, "t1,label,t2\na.nii.gz,a_seg.nii.gz,b.nii.gz\n", image_cols=["t2", "t1"])
    assert case.images == (root / "b.nii.gz", root / "a.nii.gz")


def test_prediction_looks_neither_at_labels_nor_at_groups(root: Path) -> None:
    (root / "new.csv").write_text("image\na.nii.gz\n")
    [case] = read_split(make_config(root, {"predict_csv": "new.csv", "group_col": "patient"}), "predict")
    assert (case.label, case.group) == (None, None)


def test_prediction_without_a_csv_of_its_own_takes_the_test_cases(root: Path) -> None:
    (root / "test.csv").write_text(GOOD)
    assert [case.csv for case in read_split(make_config(root), "predict")] == ["test.csv", "test.csv"]


def test_config_without_test_csv_has_no_test_cases(root: Path) -> None:
    assert read_split(make_config(root, {"test_csv": None}), "test") == []


NAMES = [
    (["x/a.nii.gz", "x/b.nii"], ["a", "b"]),
    (["a.b.nii.gz", "scan.v2.png", "plain"], ["a.b", "scan.v2", "plain"]),
    (["p1/scan.nii.gz", "p2/scan.nii.gz", "p3/other.nii.gz"], ["p1_scan", "p2_scan", "other"]),
    (["./p1/scan.nii.gz", "../p2/scan.nii.gz"], ["p1_scan", "p2_scan"]),
    (["a.nii.gz", "a.nii.gz"], ["a", "a_2"]),
    (["a.nii.gz", "a.nii.gz", "a_2.nii.gz"], ["a", "a_3", "a_2"]),
    (["x/A.nii.gz", "X/a.nii.gz"], ["x_A", "X_a_2"]),
    (["x/s.nii.gz", "y/s.nii.gz", "x_s.nii.gz"], ["x_s", "y_s", "x_s_2"]),
]


@pytest.mark.parametrize(("paths", "names"), NAMES)
def test_case_names_are_unique_also_where_case_does_not_count(
    root: Path, paths: list[str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.path.isfile", lambda path: True)
    cases = read(root, "image,label\n" + "".join(f"{path},a_seg.nii.gz\n" for path in paths))
    assert [case.name for case in cases] == names
    assert len({case.name.casefold() for case in cases}) == len(paths)


def split(root: Path, content: dict[str, str], **data) -> list[str]:
    for name, rows in content.items():
        (root / f"{name}.csv").write_text(rows)
    return [str(problem) for problem in check_splits(make_config(root, data), content)]


def test_patient_in_two_splits_is_told_with_both_rows(root: Path) -> None:
    found = split(
        root,
        {
            "train": "image,label,patient\na.nii.gz,a_seg.nii.gz,P7\n",
            "valid": "image,label,patient\n\nb.nii.gz,b_seg.nii.gz,P7\n",
        },
        group_col="patient",
    )
    assert found == ["valid.csv:3: patient P7 is in train.csv:2 too. Leave it in one split."]


def test_patient_may_have_several_cases_in_one_split(root: Path) -> None:
    rows = "image,label,patient\na.nii.gz,a_seg.nii.gz,P7\nb.nii.gz,b_seg.nii.gz,P7\n"
    assert split(root, {"train": rows}, group_col="patient") == []


def test_empty_patient_is_told(root: Path) -> None:
    rows = "image,label,patient\na.nii.gz,a_seg.nii.gz,\n"
    assert split(root, {"train": rows}, group_col="patient") == ["train.csv:2: column 'patient' is empty."]


def test_missing_patient_column_is_told(root: Path) -> None:
    found = split(root, {"train": GOOD}, group_col="patient")
    assert found == ["train.csv:1: there is no column 'patient'. It has: image, label."]


def test_image_in_two_splits_is_found_however_its_path_is_written(root: Path) -> None:
    found = split(
        root,
        {
            "train": "image,label\na.nii.gz,a_seg.nii.gz\n",
            "test": f"image,label\n{root}/x/../a.nii.gz,a_seg.nii.gz\n",
        },
    )
    assert found == [f"test.csv:2: image {root / 'a.nii.gz'} is in train.csv:2 too. Leave it in one split."]


def test_mistakes_of_all_splits_are_told_at_once(root: Path) -> None:
    found = split(root, {"train": "", "valid": "image,label\n", "test": "image,label\nx,a_seg.nii.gz\n"})
    assert [text.partition(".csv")[0] for text in found] == ["train", "valid", "test"]
