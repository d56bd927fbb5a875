"""Thresholds: chosen where they may be chosen, measured where they must be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from tests.report.classification.helpers import (
    BINARY,
    LABELS,
    SEVERAL,
    make_classification,
    predicted,
    report_of,
    split_table,
)
from tests.report.helpers import Page

DASH = "\N{EN DASH}"


def rows_of(page: Page) -> list[list[str]]:
    [table] = [rows for rows in page.tables if rows and rows[0][:2] == ["Rule", "Threshold"]]
    return table[2:]


def measured(scores: np.ndarray, positive: np.ndarray, threshold: float) -> list[str]:
    tn, fp, fn, tp = metrics.confusion_matrix(positive, scores >= threshold, labels=[False, True]).ravel()
    shares = [tp / (tp + fn), tn / (tn + fp), tp / (tp + fp), tn / (tn + fn)]
    return [*(f"{share:.3f}" for share in shares), *map(str, (tp, fp, fn, tn))]


def test_they_are_chosen_on_the_validation_set_and_measured_on_the_test_set(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", BINARY, cases={"valid": 90, "test": 120})
    page = report_of(run)
    (valid, valid_targets), (test, test_targets) = (predicted(run, split, BINARY) for split in ("valid", "test"))
    false, true, thresholds = metrics.roc_curve(valid_targets, valid[:, 1], drop_intermediate=False)
    chosen = [thresholds[np.argmax(np.round(true - false, 12))], thresholds[np.argmax(true >= 0.9)]]
    assert "The thresholds are chosen on the validation set and measured on the test set." in page.text
    own = metrics.roc_curve(test_targets, test[:, 1], drop_intermediate=False)
    assert own[2][np.argmax(own[1] >= 0.9)] != chosen[1]  # so that choosing on the test set would be seen
    for row, threshold in zip(rows_of(page)[1:], chosen, strict=True):
        on_validation = measured(valid[:, 1], valid_targets == 1, threshold)
        assert row[1] == f"{threshold:.4g}"
        assert row[2:4] == on_validation[:2]
        assert row[4:] == measured(test[:, 1], test_targets == 1, threshold)


def test_the_first_row_is_what_all_other_figures_rest_on(tmp_path: Path) -> None:
    table = pd.concat([split_table(split, BINARY, 80, False) for split in ("valid", "test")], ignore_index=True)
    tied = table.index % 5 == 0
    table.loc[tied, ["probability_benign", "probability_malignant"]] = 0.5
    table.loc[tied, "prediction"] = "benign"
    run = make_classification(tmp_path / "run", BINARY, table=table)
    page = report_of(run)
    test = table[table["split"] == "test"]
    tn, fp, fn, tp = metrics.confusion_matrix(test["label"] == "malignant", test["prediction"] == "malignant").ravel()
    assert rows_of(page)[0][:2] == ["The more probable class", "above 0.5"]
    assert rows_of(page)[0][-4:] == [str(n) for n in (tp, fp, fn, tn)]


def test_without_a_test_set_they_are_chosen_on_the_only_one_with_a_note(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", BINARY, cases={"valid": 50}, data={"test_csv": None})
    page = report_of(run)
    assert "chosen and measured on the same cases, the validation set, so these figures are optimistic" in page.text
    scores, targets = predicted(run, "valid", BINARY)
    row = rows_of(page)[2]
    assert float(row[2]) >= 0.9
    _, true, thresholds = metrics.roc_curve(targets, scores[:, 1], drop_intermediate=False)
    assert row[2:] == measured(scores[:, 1], targets == 1, thresholds[np.argmax(true >= 0.9)])


@pytest.mark.parametrize(("lacking", "rows"), [("malignant", [1, 2]), ("benign", [1])])
def test_a_validation_set_with_one_class_gives_a_word_and_no_threshold_of_the_test_set(
    tmp_path: Path, lacking: str, rows: list[int]
) -> None:
    table = pd.concat([split_table(split, BINARY, 60, False) for split in ("valid", "test")])
    table = table[(table["split"] == "test") | (table["label"] != lacking)]
    page = report_of(make_classification(tmp_path / "run", BINARY, table=table))
    why = "no case of class malignant" if lacking == "malignant" else "every case is of class malignant"
    found = rows_of(page)
    assert [i for i, row in enumerate(found) if row[1] == f"not defined: in the validation set, {why}"] == rows


def test_a_test_set_with_one_class_has_no_sensitivity_and_says_why(tmp_path: Path) -> None:
    table = pd.concat([split_table(split, BINARY, 60, False) for split in ("valid", "test")])
    table = table[(table["split"] == "valid") | (table["label"] != "malignant")]
    page = report_of(make_classification(tmp_path / "run", BINARY, table=table))
    assert [row[4] for row in rows_of(page)] == [DASH] * 3
    assert f"Not defined ({DASH}): in the test set, no case of class malignant." in page.text


@pytest.mark.parametrize(("classes", "multilabel"), [(SEVERAL, False), (LABELS[:2], True)])
def test_other_tasks_have_none(tmp_path: Path, classes: list[str], multilabel: bool) -> None:
    page = report_of(make_classification(tmp_path / "run", classes, multilabel=multilabel))
    assert 'id="thresholds"' not in page.source
    assert "#thresholds" not in page.source
