from __future__ import annotations

import pytest

from trainlib.data.matching import Matched, match_rows
from trainlib.data.pairing import Files
from trainlib.data.table import Table
from trainlib.errors import DataError

CASES = [Files("p1", ("images/p1_t1.png",)), Files("p2", ("images/p2_t1.png",)), Files("p3", ("images/p3_t1.png",))]


def match(key: str | None = None, labels: tuple[str, ...] = (), /, **columns: list[str]) -> Matched:
    rows = len(next(iter(columns.values())))
    table = Table([*columns], range(2, rows + 2), [*zip(*columns.values(), strict=True)])
    return match_rows(table, "labels.csv", CASES, key, labels)


@pytest.mark.parametrize(
    "cell",
    ["images/p{}_t1.png", "images/p{}_t1", "p{}_t1.png", "p{}_t1", "p{}", "./images/p{}_t1.png", "images\\p{}_t1.png"],
)
def test_a_cell_may_hold_path_name_or_stem(cell: str) -> None:
    matched = match(file=[cell.format(n) for n in (3, 1, 2)], label=["a", "b", "c"])
    assert (matched.key, matched.rows, matched.left_out) == ("file", [3, 4, 2], [])


def test_the_column_with_the_most_matches_is_the_key() -> None:
    matched = match(friend=["p2", "p2", "p2"], id=["p1", "p2", "p4"], label=["a", "b", "c"])
    assert matched.key == "id"
    assert [case.name for case in matched.cases] == ["p1", "p2"]
    assert matched.left_out == [
        "labels.csv:4: no image is named 'p4'.",
        "images/p3_t1.png: labels.csv has no row for it.",
    ]


def test_columns_that_match_alike_need_a_choice() -> None:
    columns = {"a": ["p1", "p2"], "b": ["p2", "p1"]}
    with pytest.raises(DataError, match=r"the columns a and b name equally many images\. Choose one with --key"):
        match(None, (), **columns)
    assert match("b", (), **columns).rows == [3, 2]
    assert match(None, ("b",), **columns).rows == [2, 3]


@pytest.mark.parametrize(
    ("key", "columns", "sentence"),
    [
        ("fil", {"file": ["p1"]}, "--key fil: labels.csv has no such column. Did you mean file?"),
        ("label", {"file": ["p1"], "label": ["x"]}, "--key label: no cell of it names an image, such as 'x' does not"),
        (None, {"file": ["x"], "label": ["a"]}, "no column names the images; its columns are file, label. A cell may "
         "hold, for the first image: images/p1_t1, images/p1_t1.png, p1, p1_t1."),
        (None, {"file": ["p1", "p2", "p1_t1"]}, "labels.csv:4: 'p1_t1' is in row 2 too. Leave one of them."),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit_are_told(key: str | None, columns: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        match(key, (), **columns)
    assert sentence in str(caught.value)


def test_a_name_of_two_images_is_told() -> None:
    cases = [Files("a/t1", ("a/t1.png",)), Files("b/t1", ("b/t1.png",))]
    table = Table(["file"], [2, 3], [["t1.png"], ["b/t1.png"]])
    with pytest.raises(DataError, match=r"labels.csv:2: 't1.png' names 2 images\. Write their paths, or what differs"):
        match_rows(table, "labels.csv", cases, "file", ())
