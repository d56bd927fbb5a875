"""CSVs: what is wrong with them is told with its row; what only looks odd is read right."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

from tests.hostile.place import Damage, Place, both, folder, removed, replaced, rows, train_csv, written
from tests.hostile.runner import CHECKED, Row, assert_no_traceback, check
from trainlib.cli import app
from trainlib.config.load import load_config
from trainlib.data.splits import Case, read_split

GOOD = rows(0, 1)
MANY = 100_000
SIDE = 320
# So many files, each image with each label: a hundred thousand rows without as many files.
PAIRS = [(f"many/i{i // SIDE}.nii.gz", f"many/l{i % SIDE}.nii.gz") for i in range(MANY)]


def train_cases(place: Place) -> list[Case]:
    return read_split(load_config(place.config), "train")


def both_cases_are_read(place: Place, _: str) -> None:
    assert [case.images[0] for case in train_cases(place)] == [place.data / "i0.nii.gz", place.data / "i1.nii.gz"]
    assert [case.label for case in train_cases(place)] == [place.data / "l0.nii.gz", place.data / "l1.nii.gz"]


def comma_is_part_of_the_name(place: Place, _: str) -> None:
    [case] = train_cases(place)
    assert (case.images, case.label) == ((place.data / "scan, left.nii.gz",), place.data / "l0.nii.gz")


def every_row_is_read(place: Place, _: str) -> None:
    cases = train_cases(place)
    assert [case.row for case in cases] == list(range(2, MANY + 2))
    assert [case.images for case in cases] == [(place.data / image,) for image, _ in PAIRS]
    assert [case.label for case in cases] == [place.data / label for _, label in PAIRS]
    assert len({case.name for case in cases}) == MANY


def many_files(place: Place) -> None:
    (place.data / "many").mkdir()
    for i in range(SIDE):
        os.link(place.data / "i0.nii.gz", place.data / f"many/i{i}.nii.gz")
        os.link(place.data / "l0.nii.gz", place.data / f"many/l{i}.nii.gz")


def classification(train: str, valid: str = "image,label\ni2.nii.gz,sick\n") -> Damage:
    """Make it a classification whose CSVs hold classes."""
    return both(
        replaced("  classes: [background, organ]\n", ""),
        replaced("transforms:", "task: classification\ntransforms:"),
        replaced(
            "UNet: {channels: [2, 4], strides: [2]}", "DenseNet: {init_features: 2, growth_rate: 2, block_config: [1]}"
        ),
        train_csv(train),
        written("data/valid.csv", valid),
        written("data/test.csv", "image,label\ni3.nii.gz,sick\n"),
    )


NOT_SEPARATED = "train.csv:1: the columns are not separated by commas. Save the file with commas."
EMPTY = "train.csv: the file is empty. Its first line must name the columns."
NO_TEXT = "train.csv: cannot be read as CSV: it is not a text in UTF-8. Save it as `CSV UTF-8`."
grouped = replaced("num_workers: 0", "num_workers: 0\n  group_col: patient")

WHOLE = [
    Row("no CSV", removed("data/train.csv"),
        ("config.yaml:4: data.train_csv: there is no CSV file .../data/train.csv.",)),
    Row("a folder for a CSV", folder("data/train.csv"),
        ("config.yaml:4: data.train_csv: there is no CSV file .../data/train.csv.",)),
    Row("an empty CSV", train_csv(""), (EMPTY,)),
    Row("a CSV of blank lines", train_csv("\n,\n \n"), (EMPTY,)),
    Row("a header alone", train_csv("image,label\n"),
        ("train.csv: lists no case. Add a row for each case below the header.",)),
    Row("semicolons", train_csv(GOOD.replace(",", ";")), (NOT_SEPARATED,)),
    Row("tabs", train_csv(GOOD.replace(",", "\t")), (NOT_SEPARATED,)),
    Row("UTF-16, as a spreadsheet may save it", train_csv(GOOD.encode("utf-16")), (NO_TEXT,)),
    Row("Latin-1", train_csv("image,label\nMüller.nii.gz,l0.nii.gz\n".encode("latin-1")), (NO_TEXT,)),
    Row("a spreadsheet", train_csv(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xff\xfe"), (NO_TEXT,)),
    Row("three CSVs that are wrong",
        both(train_csv(""), written("data/valid.csv", "image\n"), removed("data/test.csv")),
        ("config.yaml:6: data.test_csv: there is no CSV file .../data/test.csv.", EMPTY,
         "valid.csv:1: there is no column 'label'. It has: image.")),
]  # fmt: skip

COLUMNS = [
    Row("a column that is missing", train_csv(GOOD.replace("label", "lable", 1)),
        ("train.csv:1: there is no column 'label'. It has: image, lable.",)),
    Row("no header", train_csv("i0.nii.gz,l0.nii.gz\n"),
        ("train.csv:1: there is no column 'image'. It has: i0.nii.gz, l0.nii.gz.",
         "train.csv:1: there is no column 'label'. It has: i0.nii.gz, l0.nii.gz.")),
    Row("two columns of a name", train_csv("image,label,image\ni0.nii.gz,l0.nii.gz,i1.nii.gz\n"),
        ("train.csv:1: two columns are named 'image'. Rename one.",)),
    Row("a line break in a column's name", train_csv('"ima\nge",label\ni0.nii.gz,l0.nii.gz\n'),
        ("train.csv:1: there is no column 'image'. It has: ima\\nge, label.",)),
    Row("no column of patients", grouped,
        ("train.csv:1: there is no column 'patient'. It has: image, label.",
         "valid.csv:1: there is no column 'patient'. It has: image, label.",
         "test.csv:1: there is no column 'patient'. It has: image, label.")),
]  # fmt: skip

CELLS = [
    Row("an empty cell", train_csv("image,label\ni0.nii.gz,\ni1.nii.gz,l1.nii.gz\n"),
        ("train.csv:2: column 'label' is empty.",)),
    Row("a row that is too short", train_csv("image,label\ni0.nii.gz\ni1.nii.gz,l1.nii.gz\n"),
        ("train.csv:2: column 'label' is empty.",)),
    Row("a comma without quotes", train_csv("image,label\nscan, left.nii.gz,l0.nii.gz\n"),
        ("train.csv:2: has 3 cells, but the header 2. Put a path that holds a comma in double quotes.",)),
    Row("a quote that is not closed", train_csv('image,label\ni0.nii.gz,l0.nii.gz\n"i1.nii.gz,l1.nii.gz\n'),
        ('train.csv:3: cannot be read as CSV: a double quote (") is opened and not closed. Close it, or double it '
         "where it is part of a name.",)),
    Row("text behind a quote", train_csv('image,label\n"i0".nii.gz,l0.nii.gz\n'),
        ('train.csv:2: cannot be read as CSV: text follows a closing double quote ("). Put the whole cell in quotes, '
         "and double those inside it.",)),
    Row("a line break in a path", train_csv('image,label\n"i0\n.nii.gz",l0.nii.gz\n'),
        ("train.csv:3: column 'image': there is no file .../data/i0\\n.nii.gz.",)),
    Row("a null character in a path", train_csv("image,label\ni0\0.nii.gz,l0.nii.gz\n"),
        ("train.csv:2: column 'image': there is no file .../data/i0\\x00.nii.gz.",)),
    Row("a class that there is not", classification("image,label\ni0.nii.gz,sick\ni1.nii.gz,well\n",
                                                    "image,label\ni2.nii.gz,sik\n"),
        ("valid.csv:2: column 'label': 'sik' is not one of sick, well (data.classes, data.label_map). Did you mean "
         "sick?",)),
    Row("one class, and an empty cell", classification("image,label\ni0.nii.gz,sick\ni1.nii.gz,\n"),
        ("config.yaml:2: data.classes: the column 'label' of train.csv does not hold two classes. Name them, or "
         "correct the CSV.", "train.csv:3: column 'label' is empty.")),
]  # fmt: skip

TWICE = [
    Row("a row that stands there twice", train_csv(GOOD + "i0.nii.gz,l0.nii.gz\n"),
        ("train.csv:4: lists the image and label of row 2 again (i0.nii.gz). Take one out.",)),
    Row("a row that stands there twice, its paths written otherwise",
        train_csv(GOOD + "./i0.nii.gz,../data/l0.nii.gz\n"),
        ("train.csv:4: lists the image and label of row 2 again (i0.nii.gz). Take one out.",)),
    Row("an image with two classes",
        classification("image,label\ni0.nii.gz,sick\ni1.nii.gz,well\ni0.nii.gz,well\n"),
        ("train.csv:4: lists the image of row 2 again with another class (i0.nii.gz). Take one out.",)),
    Row("an image as its own label", train_csv("image,label\ni0.nii.gz,i0.nii.gz\n"),
        ("train.csv:2: image and label are one file (i0.nii.gz). Name the label map.",)),
    Row("an image in two splits", train_csv(rows(0, 1, 3)),
        ("test.csv:2: image .../data/i3.nii.gz is in train.csv:4 too. Leave it in one split.",)),
    Row("a patient in two splits", both(grouped, *(
            written(f"data/{split}.csv", f"image,label,patient\ni{i}.nii.gz,l{i}.nii.gz,{patient}\n")
            for i, (split, patient) in enumerate([("train", "P7"), ("valid", "P8"), ("test", "P7")]))),
        ("test.csv:2: patient P7 is in train.csv:2 too. Leave it in one split.",)),
    Row("a hundred thousand rows of missing files",
        train_csv("image,label\n" + "".join(f"no/{i}.nii.gz,l0.nii.gz\n" for i in range(MANY))),
        (*(f"train.csv:{i + 2}: column 'image': there is no file .../data/no/{i}.nii.gz." for i in range(5)),
         "train.csv: ... and the same in 99995 more rows.")),
]  # fmt: skip

READ_RIGHT = [
    Row("a byte order mark", train_csv(b"\xef\xbb\xbf" + GOOD.encode()), words=CHECKED, then=both_cases_are_read),
    Row("line ends of Windows", train_csv(GOOD.replace("\n", "\r\n")), words=CHECKED, then=both_cases_are_read),
    Row("line ends of old Macs", train_csv(GOOD.replace("\n", "\r")), words=CHECKED, then=both_cases_are_read),
    Row("quotes, blanks and other columns",
        train_csv('note, label ,image\n"a ""b""", l0.nii.gz ,"i0.nii.gz"\n,l1.nii.gz,i1.nii.gz\n'),
        words=CHECKED, then=both_cases_are_read),
    Row("a comma in quotes", both(train_csv('image,label\n"scan, left.nii.gz",l0.nii.gz\n'),
                                  lambda place: (place.data / "i0.nii.gz").rename(place.data / "scan, left.nii.gz")),
        words=CHECKED, then=comma_is_part_of_the_name),
    Row("a hundred thousand rows",
        both(many_files, train_csv("image,label\n" + "".join(f"{image},{label}\n" for image, label in PAIRS))),
        words=CHECKED, then=every_row_is_read),
]  # fmt: skip

ROWS = [*WHOLE, *COLUMNS, *CELLS, *TWICE, *READ_RIGHT]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_wrong_csv_is_told_with_its_row(row: Row, place: Place) -> None:
    check(row, place)


LONG = f"{'x' * 300}.nii.gz"
NO_FILES = {
    "an image whose name is too long": (f"{LONG},l0.nii.gz", LONG),
    "a label whose name is too long": (f"i0.nii.gz,{LONG}", LONG),
    "a folder whose name is too long": (f"{'y' * 300}/i0.nii.gz,l0.nii.gz", "y" * 300),
    "a name with a zero byte": ("i\0.nii.gz,l0.nii.gz", "nii.gz"),
    "a file below a file": ("i0.nii.gz/i1.nii.gz,l0.nii.gz", "i0.nii.gz/i1.nii.gz"),
}


@pytest.mark.parametrize("cache", ["disk", "none"])
@pytest.mark.parametrize("name", NO_FILES)
def test_a_check_tells_names_that_no_file_can_have(name: str, cache: str, place: Place) -> None:
    row, file = NO_FILES[name]
    train_csv(f"{GOOD}{row}\n")(place)
    done = CliRunner().invoke(app, ["check", "-c", "config.yaml", "--json", f"data.cache={cache}"])
    assert_no_traceback(done)
    assert done.exit_code == 2
    [found] = [found for found in json.loads(done.stdout)["findings"] if found["severity"] == "error"]
    assert (found["kind"], found["csv"], found["row"]) == ("missing file", "train.csv", 4)
    assert file in found["file"]
