"""The report of a classification against scikit-learn, its intervals against a loop over resamples."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tests.metrics import classified
from tests.metrics.classified import MULTI_LABEL, NAN, SINGLE_LABEL
from trainlib.metrics import bootstrap
from trainlib.metrics.classification_report import CLASS_FIGURES, ClassificationReport, classification_report

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")

OVERALL = ["accuracy", "balanced_accuracy", *(f"macro_{figure}" for figure in CLASS_FIGURES)]
RESAMPLES = 25


def decided(probabilities: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if targets.ndim == 2:
        return probabilities > 0.5, targets == 1
    return classified.single_label_decisions(probabilities, targets)


def expected_figures(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """All figures by scikit-learn: of classes as "recall 0", and overall."""
    predicted, labelled = decided(probabilities, targets)
    per_class = classified.classes_by_scikit(probabilities, predicted, labelled)
    figures = {f"{figure} {k}": one[figure] for k, one in enumerate(per_class) for figure in CLASS_FIGURES}
    for figure in CLASS_FIGURES:
        figures[f"macro_{figure}"] = classified.mean([one[figure] for one in per_class])
    if targets.ndim == 2:
        figures["accuracy"] = 1 - metrics.hamming_loss(labelled, predicted)
        figures["balanced_accuracy"] = classified.mean([one["balanced_accuracy"] for one in per_class])
    else:
        figures["accuracy"] = metrics.accuracy_score(targets, predicted.argmax(axis=1))
        figures["balanced_accuracy"] = classified.balanced_accuracy(predicted, labelled)
    return figures


def looped(probabilities: np.ndarray, targets: np.ndarray, seed: int) -> dict[str, list[float]]:
    """Compute all figures of each resample by itself, and the ends of the intervals from them."""
    cases = len(targets)
    draws = np.random.default_rng(seed).integers(cases, size=(RESAMPLES, cases))
    resampled = [expected_figures(probabilities[draw], targets[draw]) for draw in draws]
    ends = {}
    for name in resampled[0]:
        defined = [figures[name] for figures in resampled if not math.isnan(figures[name])]
        enough = cases > 1 and len(defined) >= RESAMPLES / 2
        ends[name] = list(np.percentile(defined, [2.5, 97.5])) if enough else [NAN, NAN]
    return ends


def found_figures(report: ClassificationReport) -> dict[str, list[float]]:
    """Value, low and high of all figures, named as in `expected_figures`."""
    found = {str(row["figure"]): [row["value"], row["low"], row["high"]] for row in report.overall}
    for k, row in enumerate(report.classes):
        found |= {f"{name} {k}": [row[name], row[f"{name}_low"], row[f"{name}_high"]] for name in CLASS_FIGURES}
    return found


def report_of(probabilities: np.ndarray, targets: np.ndarray, **settings: Any) -> ClassificationReport:
    names = [f"class {k}" for k in range(probabilities.shape[1])]
    return classification_report(probabilities, targets, names, multilabel=targets.ndim == 2, **settings)


@pytest.mark.parametrize(
    ("probabilities", "targets"),
    [classified.single_label(**cases) for cases in SINGLE_LABEL.values()]
    + [classified.multi_label(**cases) for cases in MULTI_LABEL.values()],
    ids=[*SINGLE_LABEL, *(f"multi-label, {name}" for name in MULTI_LABEL)],
)
def test_figures_are_those_of_scikit_learn_and_intervals_those_of_a_loop(
    probabilities: np.ndarray, targets: np.ndarray
) -> None:
    found = found_figures(report_of(probabilities, targets, resamples=RESAMPLES, seed=3))
    values, ends = expected_figures(probabilities, targets), looped(probabilities, targets, seed=3)
    assert found.keys() == values.keys()
    for name, (value, low, high) in found.items():
        assert value == pytest.approx(values[name], abs=1e-9, nan_ok=True), name
        assert [low, high] == pytest.approx(ends[name], abs=1e-9, nan_ok=True), name


def test_the_rows_have_their_keys_in_order() -> None:
    report = report_of(*classified.single_label(40, [0.5, 0.5]), resamples=20)
    keys = [key for figure in CLASS_FIGURES for key in (figure, f"{figure}_low", f"{figure}_high")]
    assert [list(row) for row in report.classes] == [["class", *keys, "support"]] * 2
    assert [row["class"] for row in report.classes] == ["class 0", "class 1"]
    assert [row["figure"] for row in report.overall] == OVERALL
    assert all(list(row) == ["figure", "value", "low", "high"] for row in report.overall)
    values = [value for row in (*report.classes, *report.overall) for value in row.values()]
    assert {type(value) for value in values} == {str, float, int}


def test_the_support_counts_the_cases_of_each_class() -> None:
    probabilities, targets = classified.single_label(80, [0.5, 0.0, 0.5])
    support = [row["support"] for row in report_of(probabilities, targets, resamples=10).classes]
    assert support == [(targets == 0).sum(), 0, (targets == 2).sum()]


def test_a_figure_that_few_resamples_define_has_no_interval() -> None:
    # A class of one case among 50 is in 1 - (1 - 1/50)^50 = 64 % of the resamples, one never in any.
    probabilities = np.full((50, 3), 1 / 3)
    targets = np.array([1] + [0] * 49)
    _, rare, absent = report_of(probabilities, targets).classes
    assert (rare["recall"], rare["recall_low"], rare["recall_high"]) == (0, 0, 0)
    assert (rare["auroc"], rare["auroc_low"], rare["auroc_high"]) == (0.5, 0.5, 0.5)
    assert all(math.isnan(absent[key]) for key in ("recall", "recall_low", "recall_high", "auroc_low", "f1_high"))


def test_an_interval_needs_half_of_the_resamples() -> None:
    # Two cases of different classes: about half of the resamples have one class only, and no AUROC.
    outcomes = set()
    for seed in range(8):
        draws = np.random.default_rng(seed).integers(2, size=(10, 2))
        enough = sum(len(set(draw)) == 2 for draw in draws) >= 5
        report = report_of(np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0, 1]), resamples=10, seed=seed)
        assert report.classes[0]["auroc_low"] == pytest.approx(1 if enough else NAN, nan_ok=True)
        outcomes.add(enough)
    assert outcomes == {True, False}


def test_one_case_has_figures_but_no_interval_and_no_case_neither() -> None:
    one = report_of(np.array([[0.2, 0.8]]), np.array([1]))
    assert (one.overall[0]["value"], one.classes[1]["precision"]) == (1, 1)
    assert all(math.isnan(row["low"]) and math.isnan(row["high"]) for row in one.overall)
    none = report_of(np.zeros((0, 2)), np.zeros(0, np.int64))
    assert all(math.isnan(row["value"]) and math.isnan(row["low"]) for row in none.overall)
    assert [row["support"] for row in none.classes] == [0, 0]


def test_the_same_seed_gives_the_same_report_and_another_seed_another() -> None:
    cases = classified.single_label(60, [0.4, 0.6])
    assert report_of(*cases, seed=4) == report_of(*cases, seed=4)
    assert report_of(*cases, seed=4).overall != report_of(*cases, seed=5).overall


def test_resamples_drawn_in_parts_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = classified.single_label(60, [0.4, 0.5, 0.1])
    at_once = found_figures(report_of(*cases, resamples=101))
    monkeypatch.setattr(bootstrap, "_MOST_DRAWS", 1000)
    in_parts = found_figures(report_of(*cases, resamples=101))
    for name, values in at_once.items():
        assert in_parts[name] == pytest.approx(values, rel=1e-12)


def test_accuracy_is_resampled_as_the_mean_of_right_cases() -> None:
    probabilities, targets = classified.single_label(70, [0.4, 0.6])
    right = (probabilities.argmax(axis=1) == targets).astype(float)
    expected = bootstrap.estimate(right, resamples=300, seed=7, confidence=0.9).mean
    accuracy = report_of(probabilities, targets, resamples=300, seed=7, confidence=0.9).overall[0]
    assert [accuracy["value"], accuracy["low"], accuracy["high"]] == pytest.approx(list(expected), rel=1e-12)


def test_a_thousand_cases_of_ten_classes_take_seconds() -> None:
    cases = classified.single_label(1000, [0.1] * 10)
    start = time.perf_counter()
    report_of(*cases, resamples=2000)
    assert time.perf_counter() - start < 30


def test_the_report_needs_no_torch() -> None:
    modules = "classification_report, calibration, thresholds, roc, areas, confusion"
    code = f"import sys; from trainlib.metrics import {modules}; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"class indices from 0 to 1, but found \[2\]"):
        classification_report([[0.5, 0.5]], [2], ["a", "b"])
