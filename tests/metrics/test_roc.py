"""Points of ROC and precision-recall curves against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from trainlib.metrics.roc import precision_recall_curve, roc_curve, threshold_outcomes

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def one_class(cases: int, share: float, decimals: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and which cases are positive; at least one of either kind."""
    rng = np.random.default_rng(seed)
    labelled = rng.random(cases) < share
    labelled[:2] = True, False
    return (0.6 * rng.random(cases) + 0.4 * labelled * rng.random(cases)).round(decimals), labelled


CASES = [(2, 0.5, 1), (10, 0.5, 1), (100, 0.5, 1), (100, 0.5, 6), (200, 0.02, 2), (200, 0.98, 2), (50, 0.5, 0)]


@pytest.mark.parametrize("case", CASES)
def test_roc_points_are_those_of_scikit_learn(case: tuple[int, float, int]) -> None:
    scores, labelled = one_class(*case)
    expected = metrics.roc_curve(labelled, scores, drop_intermediate=False)
    for found, reference in zip(roc_curve(scores, labelled), expected, strict=True):
        assert found.tolist() == pytest.approx(reference.tolist(), abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_precision_recall_points_are_those_of_scikit_learn_from_the_other_end(case: tuple[int, float, int]) -> None:
    scores, labelled = one_class(*case)
    curve = precision_recall_curve(scores, labelled)
    precision, recall, thresholds = metrics.precision_recall_curve(labelled, scores)
    assert curve.precision.tolist() == pytest.approx(precision[::-1].tolist(), abs=1e-12)
    assert curve.recall.tolist() == pytest.approx(recall[::-1].tolist(), abs=1e-12)
    assert curve.thresholds.tolist() == [math.inf, *thresholds[::-1]]


def test_cases_of_the_same_score_make_one_point() -> None:
    curve = roc_curve([0.5, 0.5, 0.5, 0.2], np.array([True, True, False, False]))
    assert curve.thresholds.tolist() == [math.inf, 0.5, 0.2]
    assert curve.false_positive_rate.tolist() == [0, 0.5, 1]
    assert curve.true_positive_rate.tolist() == [0, 1, 1]


def test_a_rate_of_cases_that_are_not_there_is_nan() -> None:
    all_positive = roc_curve([0.1, 0.2], np.array([True, True]))
    assert np.isnan(all_positive.false_positive_rate).all()
    assert all_positive.true_positive_rate.tolist() == [0, 0.5, 1]
    none_positive = np.array([False, False])
    assert np.isnan(roc_curve([0.1, 0.2], none_positive).true_positive_rate).all()
    curve = precision_recall_curve([0.1, 0.2], none_positive)
    assert np.isnan(curve.recall[1:]).all()
    assert curve.precision.tolist() == [1, 0, 0]


def test_without_cases_there_is_no_threshold() -> None:
    thresholds, outcomes = threshold_outcomes([], np.zeros(0, bool))
    assert thresholds.size == outcomes.tp.size == 0
    assert roc_curve([], np.zeros(0, bool)).thresholds.tolist() == [math.inf]


@pytest.mark.parametrize("function", [roc_curve, precision_recall_curve, threshold_outcomes])
@pytest.mark.parametrize(
    ("scores", "labelled", "message"),
    [
        ([0.1, 0.2], [True], r"same shape \(cases,\), but got \(2,\) and \(1,\)"),
        ([[0.1, 0.2]], [[True, False]], r"same shape \(cases,\), but got \(1, 2\)"),
        ([0.1, math.nan], [True, False], "got nan for 1 cases"),
        ([0.1, 0.2], [0, 1], "`labelled` to be boolean, but got dtype int64"),
    ],
)
def test_what_is_no_score_and_label_of_each_case_is_refused(
    function: Any, scores: Any, labelled: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(scores, np.array(labelled))
