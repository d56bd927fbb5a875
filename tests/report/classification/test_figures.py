"""``classification_report.csv`` and the figures on the page against scikit-learn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

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
    table_named,
)

FIGURES = ["precision", "recall", "specificity", "f1", "auroc"]
KINDS = [(BINARY, False), (SEVERAL, False), (LABELS, True)]
OVERALL = "all classes (mean)"


def expected(likely: np.ndarray, targets: np.ndarray, multilabel: bool) -> list[dict[str, float]]:
    """Compute the figures of each class by scikit-learn; nan where they are not defined."""
    labelled = targets == 1 if multilabel else targets[:, None] == np.arange(likely.shape[1])
    called = likely > 0.5 if multilabel else likely.argmax(axis=1)[:, None] == np.arange(likely.shape[1])
    nan: dict[str, Any] = {"zero_division": np.nan}
    rows = []
    for truth, guess, score in zip(labelled.T, called.T, likely.T, strict=True):
        row = {
            "precision": metrics.precision_score(truth, guess, **nan),
            "recall": metrics.recall_score(truth, guess, **nan),
            "specificity": metrics.recall_score(~truth, ~guess, **nan),
            "f1": metrics.f1_score(truth, guess, **nan),
            "auroc": metrics.roc_auc_score(truth, score) if 0 < truth.sum() < len(truth) else math.nan,
        }
        rows.append(row | {"support": int(truth.sum())})
    return rows


def table_of(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "classification_report.csv", keep_default_na=False, na_values=[""])


@pytest.mark.parametrize(("classes", "multilabel"), KINDS)
def test_the_table_agrees_with_scikit_learn_for_every_split_and_class(
    tmp_path: Path, classes: list[str], multilabel: bool
) -> None:
    run = make_classification(tmp_path / "run", classes, multilabel=multilabel)
    report_of(run)
    table = table_of(run).set_index(["split", "class"])
    assert [*table.index] == [(split, name) for split in ("valid", "test") for name in (*classes, OVERALL)]
    for split in ("valid", "test"):
        wanted = expected(*predicted(run, split, classes), multilabel)
        for name, figures in zip(classes, wanted, strict=True):
            assert dict(table.loc[(split, name), [*figures]]) == pytest.approx(figures, abs=1e-6)
        means = {figure: np.mean([row[figure] for row in wanted]) for figure in FIGURES}
        assert dict(table.loc[(split, OVERALL), FIGURES]) == pytest.approx(means, abs=1e-6)


def test_accuracy_and_balanced_accuracy_of_all_classes_agree_with_scikit_learn(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    report_of(run)
    likely, targets = predicted(run, "test", SEVERAL)
    row = table_of(run).set_index(["split", "class"]).loc["test", OVERALL]
    assert row["accuracy"] == pytest.approx(metrics.accuracy_score(targets, likely.argmax(axis=1)), abs=1e-6)
    balanced = metrics.balanced_accuracy_score(targets, likely.argmax(axis=1))
    assert row["balanced_accuracy"] == pytest.approx(balanced, abs=1e-6)
    assert row["support"] == 60


def test_the_columns_are_those_that_are_promised(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", BINARY)
    report_of(run)
    ends = [f"{figure}{end}" for figure in FIGURES for end in ("", "_low", "_high")]
    assert [*table_of(run).columns][: len(ends) + 3] == ["split", "class", *ends, "support"]


def test_the_intervals_are_percentiles_over_resampled_cases(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL, report={"resamples": 400})
    report_of(run)
    likely, targets = predicted(run, "test", SEVERAL)
    draws = np.random.default_rng(7).integers(len(targets), size=(400, len(targets)))
    resampled = [expected(likely[draw], targets[draw], False)[2] for draw in draws]
    row = table_of(run).set_index(["split", "class"]).loc["test", SEVERAL[2]]
    for figure in FIGURES:
        low, high = np.nanpercentile([drawn[figure] for drawn in resampled], [2.5, 97.5])
        assert (row[f"{figure}_low"], row[f"{figure}_high"]) == pytest.approx((low, high), abs=1e-6)


def test_the_page_shows_the_figures_of_the_table(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    shown = report_of(run).tables[0]
    table = table_of(run).query("split == 'test'")
    assert shown[0] == ["Class", "Precision", "Recall", "Specificity", "F1", "AUROC", "Support"]
    assert [row[0] for row in shown[1:]] == ["All classes (mean)", *SEVERAL]
    for cells, row in zip(shown[1:], table.to_dict("records")[-1:] + table.to_dict("records")[:-1], strict=True):
        ends = [f"{row[f'{f}_low']:.3f}\N{EN DASH}{row[f'{f}_high']:.3f}" for f in FIGURES]
        assert cells[1:6] == [f"{row[f]:.3f} {end}" for f, end in zip(FIGURES, ends, strict=True)]
        assert cells[6] == str(row["support"])


def test_the_headline_of_a_binary_task_is_that_of_the_second_class_and_says_so(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", BINARY)
    text = report_of(run).text
    row = table_of(run).set_index(["split", "class"]).loc["test", "malignant"]
    for title, figure in (("AUROC", "auroc"), ("F1", "f1")):
        interval = f"{row[f'{figure}_low']:.3f}\N{EN DASH}{row[f'{figure}_high']:.3f}"
        assert f"{title}, test {row[figure]:.3f} 95 % CI {interval}" in text
    assert "The positive class is malignant , the second of data.classes" in text


def test_the_headline_of_several_classes_is_the_mean_over_them(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    text = report_of(run).text
    row = table_of(run).set_index(["split", "class"]).loc["test", OVERALL]
    for title, figure in (("AUROC", "auroc"), ("Balanced accuracy", "balanced_accuracy"), ("F1", "f1")):
        assert f"{title}, test {row[figure]:.3f} 95 % CI" in text
    assert "positive class" not in text


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_class_that_no_case_has_is_not_defined_and_told(tmp_path: Path, split: str) -> None:
    table = pd.concat([split_table(name, SEVERAL, 50, False, seed=3) for name in ("valid", "test")])
    table = table[(table["split"] != split) | (table["label"] != "benign")]
    run = make_classification(tmp_path / "run", SEVERAL, table=table)
    page = report_of(run)
    assert "Recall and AUROC of benign are not defined: no case of class benign." in page.text
    row = table_of(run).set_index(["split", "class"]).loc[split, "benign"]
    assert row[["recall", "auroc", "recall_low"]].isna().all()
    assert row["support"] == 0
    assert row["specificity"] > 0


def test_a_test_split_with_one_class_has_no_auroc_and_says_why(tmp_path: Path) -> None:
    table = pd.concat([split_table(name, BINARY, 50, False) for name in ("valid", "test")])
    run = make_classification(
        tmp_path / "run", BINARY, table=table[(table["split"] == "valid") | (table["label"] == "benign")]
    )
    page = report_of(run)
    assert "AUROC, test \N{EN DASH} not defined: no case of class malignant" in page.text
    assert "Specificity and AUROC of benign are not defined: every case is of class benign." in page.text
    assert "There is no curve. Not defined: no case of class malignant." in page.text


def test_a_single_case_has_no_interval(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL, cases={"valid": 30, "test": 1})
    page = report_of(run)
    assert "one case, no interval" in page.text
    assert "There is one case, from which no confidence interval can be computed." in page.text
    assert all(len(cell.split()) == 1 for cell in page.tables[0][1][1:6])
    ends = [f"{figure}{end}" for figure in FIGURES for end in ("_low", "_high")]
    assert table_of(run).query("split == 'test'")[ends].isna().all(axis=None)


def test_without_a_test_set_the_validation_comes_first(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL, cases={"valid": 30}, data={"test_csv": None})
    page = report_of(run)
    assert "There is no test set (data.test_csv is null). The validation set is shown instead" in page.text
    assert "Results on the validation set" in page.text
    assert set(table_of(run)["split"]) == {"valid"}
    assert len([rows for rows in page.tables if rows[0][:2] == ["Class", "Precision"]]) == 1


def test_expected_calibration_errors_are_those_computed_by_hand(tmp_path: Path) -> None:
    run = make_classification(tmp_path / "run", SEVERAL)
    page = report_of(run)
    likely, targets = predicted(run, "test", SEVERAL)

    def error(sure: np.ndarray, right: np.ndarray) -> str:
        bins = np.clip(np.ceil(sure * 10), 1, 10)
        gaps = [abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).sum() for b in np.unique(bins)]
        return f"{sum(gaps) / len(sure):.3f}"

    top = error(likely.max(axis=1), likely.argmax(axis=1) == targets)
    assert f"Predicted class expected calibration error {top}, 60 decisions" in page.text
    shown = table_named(page, "Class", "Expected calibration error")[1:]
    assert shown == [[name, error(likely[:, k], targets == k)] for k, name in enumerate(SEVERAL)]
