"""Operating points against scikit-learn's ROC curve and against trying every threshold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tests.metrics.classified import NAN, by_scikit
from tests.metrics.test_roc import CASES, one_class
from trainlib.metrics.thresholds import (
    OperatingPoint,
    operating_point,
    sensitivity_point,
    specificity_point,
    youden_point,
)

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def check_figures(point: OperatingPoint, scores: np.ndarray, labelled: np.ndarray) -> None:
    called = scores >= point.threshold
    reference = by_scikit(scores, called, labelled)
    found = (point.sensitivity, point.specificity, point.ppv, point.npv)
    expected = [reference[name] for name in ("recall", "specificity", "precision", "npv")]
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
    table = metrics.confusion_matrix(labelled, called, labels=[False, True])
    assert [[point.tn, point.fp], [point.fn, point.tp]] == table.tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES)
def test_the_largest_youden_index_is_that_of_scikit_learns_curve(case: tuple[int, float, int], seed: int) -> None:
    scores, labelled = one_class(*case, seed=seed)
    point = youden_point(scores, labelled)
    assert point is not None
    false_rate, true_rate, _ = metrics.roc_curve(labelled, scores, drop_intermediate=False)
    assert point.sensitivity + point.specificity - 1 == pytest.approx((true_rate - false_rate).max(), abs=1e-12)
    check_figures(point, scores, labelled)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_the_highest_threshold_that_reaches_a_sensitivity_is_found_by_trying_all(
    case: tuple[int, float, int], share: float
) -> None:
    scores, labelled = one_class(*case)
    point = sensitivity_point(scores, labelled, share)
    assert point is not None
    tried = [score for score in scores if (scores[labelled] >= score).mean() >= share]
    assert point.threshold == max(tried)
    check_figures(point, scores, labelled)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_the_lowest_threshold_that_reaches_a_specificity_is_found_by_trying_all(
    case: tuple[int, float, int], share: float
) -> None:
    scores, labelled = one_class(*case)
    point = specificity_point(scores, labelled, share)
    tried = [score for score in scores if (scores[~labelled] < score).mean() >= share]
    assert (point.threshold if point else None) == min(tried, default=None)
    if point:
        check_figures(point, scores, labelled)


def test_all_figures_of_a_point_are_computed_by_hand() -> None:
    scores, labelled = [0.9, 0.8, 0.7, 0.6, 0.2], np.array([True, False, True, False, False])
    point = youden_point(scores, labelled)
    assert point == pytest.approx((0.7, 1.0, 2 / 3, 2 / 3, 1.0, 2, 1, 0, 2))
    assert point == operating_point(scores, labelled, 0.7)
    assert [type(value) for value in point] == [float] * 5 + [int] * 4


def test_of_equal_youden_indices_the_highest_threshold_is_taken_whatever_the_rounding() -> None:
    # 1/5 - 0/5 = 2/5 - 1/5 = 4/5 - 3/5, but in floating point a later one is larger, however J is written.
    assert 4 / 5 - 3 / 5 > 1 / 5
    assert 2 / 5 + 4 / 5 - 1 > 1 / 5 + 5 / 5 - 1
    point = youden_point(np.arange(10, 0, -1) / 10, np.arange(10) % 2 == 0)
    assert point is not None
    assert (point.threshold, point.tp, point.fp) == (1.0, 1, 0)


def test_a_share_that_is_reached_exactly_counts_as_reached() -> None:
    scores, labelled = np.linspace(1, 0, 20), np.arange(20) < 10
    for tenths in range(1, 11):
        point = sensitivity_point(scores, labelled, tenths / 10)
        assert point is not None
        assert point.tp == tenths


def test_tied_cases_are_called_positive_together() -> None:
    scores, labelled = [0.5] * 10 + [0.1], np.array([True] * 9 + [False, True])
    point = sensitivity_point(scores, labelled, 0.5)
    assert point is not None
    assert (point.threshold, point.sensitivity, point.specificity) == (0.5, 0.9, 0.0)


def test_a_specificity_that_no_score_reaches_has_no_point() -> None:
    assert specificity_point([0.9, 0.9, 0.1], np.array([False, True, False]), 0.9) is None
    assert specificity_point([0.9, 0.9, 0.1], np.array([False, True, False]), 0.5) is not None


def test_probabilities_the_wrong_way_round_call_all_cases_positive() -> None:
    point = youden_point([0.1, 0.2, 0.8, 0.9], np.array([True, True, False, False]))
    assert point is not None
    assert (point.threshold, point.sensitivity, point.specificity) == (0.1, 1.0, 0.0)
    assert math.isnan(point.npv)


@pytest.mark.parametrize("labels", [[], [True], [False], [True, True], [False, False]])
def test_without_cases_of_a_kind_there_is_no_point_that_needs_them(labels: list[bool]) -> None:
    labelled, scores = np.array(labels, bool), np.linspace(0.3, 0.6, len(labels))
    assert youden_point(scores, labelled) is None
    assert (sensitivity_point(scores, labelled) is None) == (not labelled.any())
    # Half of two negative cases can be called negative; of one or none nothing can, with the threshold at a score.
    assert (specificity_point(scores, labelled, 0.5) is None) == (labels != [False, False])


def test_the_specificity_of_positive_cases_alone_is_nan() -> None:
    point = sensitivity_point([0.3, 0.6], np.array([True, True]))
    assert point == pytest.approx((0.3, 1.0, NAN, 1.0, NAN, 2, 0, 0, 0), nan_ok=True)


@pytest.mark.parametrize(("function", "name"), [(sensitivity_point, "sensitivity"), (specificity_point, "specificity")])
@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, math.nan, 90])
def test_a_share_out_of_range_is_refused(function: Callable[..., Any], name: str, share: float) -> None:
    with pytest.raises(ValueError, match=f"`{name}` to be above 0 and at most 1, but got {share}"):
        function([0.1], np.array([True]), share)
