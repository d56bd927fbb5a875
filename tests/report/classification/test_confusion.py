"""The confusion matrix against scikit-learn."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from sklearn import metrics

from tests.report.classification.helpers import (
    BINARY,
    LABELS,
    SEVERAL,
    make_classification,
    predicted,
    report_of,
    split_table,
    table_named,
)

HEAD = "true ↓ predicted →"


def numbers(rows: list[list[str]]) -> list[list[int]]:
    return [[int(cell.split()[0]) for cell in row] for row in rows]


def test_it_equals_that_of_scikit_learn_with_row_shares(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    likely, targets = predicted(run, "test", SEVERAL)
    matrix = metrics.confusion_matrix(targets, likely.argmax(axis=1), labels=range(3))
    shown = table_named(report_of(run), HEAD)
    assert shown[0] == [HEAD, *SEVERAL, "Cases"]
    assert [row[0] for row in shown[1:]] == SEVERAL
    assert numbers([row[1:-1] for row in shown[1:]]) == matrix.tolist()
    assert [int(row[-1]) for row in shown[1:]] == matrix.sum(axis=1).tolist()
    shares = [[cell.split(maxsplit=1)[1] for cell in row[1:-1] if cell != "0"] for row in shown[1:]]
    assert shares == [[f"{100 * n / row.sum():.1f} %" for n in row if n] for row in matrix]


def test_a_cell_is_shaded_by_its_share_of_the_row(tmp_path: Path) -> None:
    table = split_table("test", BINARY, 200, False)
    likely = np.where(table["label"] == "malignant", 0.9, 0.1)
    likely[(table["label"] == "benign").to_numpy().nonzero()[0][:1]] = 0.9
    table["probability_malignant"], table["probability_benign"] = likely, 1 - likely
    table["prediction"] = np.where(likely > 0.5, "malignant", "benign")
    page = report_of(make_classification(tmp_path / "run", BINARY, table=table))
    shades = re.findall(r'<td class="(right|wrong)" style="--shade:(\d+)%">', page.source)
    assert [kind for kind, _ in shades] == ["right", "wrong", "right"]
    assert int(shades[0][1]) > 40 > 2 > int(shades[1][1]) > 0
    assert shades[2][1] == "45"


def test_a_class_without_cases_has_a_row_that_says_so(tmp_path: Path) -> None:
    table = split_table("test", SEVERAL, 60, False).query("label != 'normal'")
    shown = table_named(report_of(make_classification(tmp_path / "run", SEVERAL, table=table)), HEAD)
    assert shown[1] == ["normal", "0", "0", "0", "no case"]


def test_a_hundred_classes_scroll_and_the_most_frequent_confusions_are_listed(tmp_path: Path) -> None:
    classes = [f"class {k}" for k in range(100)]
    run = make_classification(tmp_path / "run", classes, cases={"test": 500}, report={"resamples": 100})
    page = report_of(run)
    likely, targets = predicted(run, "test", classes)
    matrix = metrics.confusion_matrix(targets, likely.argmax(axis=1), labels=range(100))
    assert numbers([row[1:-1] for row in table_named(page, HEAD)[1:]]) == matrix.tolist()
    assert '<div class="scroll tall matrix-frame"' in page.source
    pairs = table_named(page, "True", "Predicted", "Cases")[1:]
    assert len(pairs) == 15
    assert [int(row[2]) for row in pairs] == sorted((matrix * (1 - np.eye(100, dtype=int))).ravel())[:-16:-1]
    for true, found, number, _ in pairs:
        assert matrix[classes.index(true), classes.index(found)] == int(number)


def test_a_matrix_of_too_many_classes_is_left_out(tmp_path: Path) -> None:
    classes = [f"c{k}" for k in range(151)]
    page = report_of(make_classification(tmp_path / "run", classes, cases={"test": 200}, report={"resamples": 100}))
    assert "There are too many classes (151) for a matrix." in page.text
    assert "Most frequent confusions" in page.text
    assert len(page.source) < 4_000_000


def test_each_label_of_a_multi_label_task_has_its_own(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", LABELS, multilabel=True)
    likely, targets = predicted(run, "test", LABELS)
    wanted = metrics.multilabel_confusion_matrix(targets, likely > 0.5)
    shown = table_named(report_of(run), "Label")[1:]
    assert [row[0] for row in shown] == LABELS
    assert numbers([row[1:] for row in shown]) == [[m[1, 1], m[1, 0], m[0, 1], m[0, 0]] for m in wanted]
