"""Reliability diagrams and calibration errors against scikit-learn and torchmetrics."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from tests.metrics import classified
from tests.metrics.classified import MULTI_LABEL, SINGLE_LABEL
from trainlib.metrics.calibration import class_reliability, prediction_reliability, reliability

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
@pytest.mark.parametrize("cases", [1, 5, 400])
def test_the_filled_bins_are_those_of_scikit_learn(cases: int, bins: int) -> None:
    rng = np.random.default_rng(cases)
    probabilities = rng.random(cases)
    came_true = rng.random(cases) < probabilities**2
    found = reliability(probabilities, came_true, bins=bins)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accuracy, confidence = calibration_curve(came_true, probabilities, n_bins=bins)
    filled = found.counts > 0
    assert found.accuracy[filled].tolist() == pytest.approx(accuracy.tolist(), abs=1e-12)
    assert found.confidence[filled].tolist() == pytest.approx(confidence.tolist(), abs=1e-12)
    assert np.isnan(found.accuracy[~filled]).all()
    assert np.isnan(found.confidence[~filled]).all()
    assert found.counts.sum() == cases


def test_a_bin_holds_its_upper_end_and_the_first_one_zero() -> None:
    tenths = np.arange(11) / 10
    found = reliability(tenths, np.zeros(11, bool), bins=10)
    assert found.counts.tolist() == [2, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert found.edges.tolist() == tenths.tolist()


def test_the_error_is_the_gap_of_each_bin_weighted_with_its_cases() -> None:
    found = reliability([0.9, 0.9, 0.9, 0.3], np.array([True, True, False, True]), bins=2)
    assert found.error == pytest.approx(3 / 4 * (0.9 - 2 / 3) + 1 / 4 * (1 - 0.3))


@pytest.mark.parametrize("bins", [10, 15])
@pytest.mark.parametrize("classes", [2, 5])
def test_the_error_of_the_predicted_class_is_that_of_torchmetrics(classes: int, bins: int) -> None:
    rng = np.random.default_rng(classes)
    probabilities = rng.dirichlet(np.full(classes, 0.5), size=300)
    targets = rng.integers(classes, size=300)
    expected = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(targets), classes, n_bins=bins
    )
    found = prediction_reliability(probabilities, targets, bins=bins)
    assert found.error == pytest.approx(expected.item(), abs=1e-6)
    # The accuracy over all bins is that of the predictions.
    right = np.nansum(found.accuracy * found.counts)
    assert right == pytest.approx((probabilities.argmax(axis=1) == targets).sum())


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_error_of_each_class_is_that_of_torchmetrics(multilabel: bool) -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.5] * 3, size=200)
    targets = rng.integers(2, size=(200, 3)) if multilabel else rng.integers(3, size=200)
    table = targets if multilabel else np.eye(3, dtype=int)[targets]
    found = class_reliability(probabilities, targets, ["a", "b", "c"], multilabel=multilabel, bins=15)
    assert list(found) == ["a", "b", "c"]
    for k, diagram in enumerate(found.values()):
        columns = torch.tensor(probabilities[:, k]), torch.tensor(table[:, k])
        assert diagram.error == pytest.approx(binary_calibration_error(*columns, n_bins=15).item(), abs=1e-6)


def test_probabilities_that_come_true_as_often_as_they_say_have_no_error() -> None:
    came_true = np.array([True] * 8 + [False] * 2)
    assert reliability(np.full(10, 0.8), came_true).error == pytest.approx(0, abs=1e-15)
    assert reliability(np.ones(10), ~came_true).error == pytest.approx(0.8)


@pytest.mark.parametrize("cases", SINGLE_LABEL.values(), ids=SINGLE_LABEL)
def test_every_case_is_in_one_bin_of_each_diagram(cases: dict[str, Any]) -> None:
    probabilities, targets = classified.single_label(**cases)
    names = [str(k) for k in range(probabilities.shape[1])]
    diagrams = [
        prediction_reliability(probabilities, targets),
        *class_reliability(probabilities, targets, names).values(),
    ]
    assert [diagram.counts.sum() for diagram in diagrams] == [len(targets)] * (1 + len(names))
    assert all(0 <= diagram.error <= 1 for diagram in diagrams)


def test_labels_of_multi_label_cases_are_compared_one_by_one() -> None:
    probabilities, targets = classified.multi_label(**MULTI_LABEL["one never and one always"])
    never, always, _ = class_reliability(probabilities, targets, ["n", "a", "s"], multilabel=True).values()
    assert never.error == pytest.approx(probabilities[:, 0].mean())
    assert always.error == pytest.approx(1 - probabilities[:, 1].mean())


def test_without_cases_there_is_no_error() -> None:
    found = prediction_reliability(np.zeros((0, 2)), np.zeros(0, int))
    assert math.isnan(found.error)
    assert found.counts.sum() == 0


@pytest.mark.parametrize(
    ("probabilities", "came_true", "bins", "message"),
    [
        ([0.5], [True], 0, "`bins` to be a positive integer, but got 0"),
        ([0.5, 0.6], [True], 10, r"same shape \(cases,\), but got \(2,\) and \(1,\)"),
        ([1.5], [True], 10, "values from 0 to 1, but found 1.5"),
        ([math.nan], [True], 10, "values from 0 to 1, but found nan"),
        ([0.5], [1], 10, "`came_true` to be boolean, but got dtype int64"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(probabilities: Any, came_true: Any, bins: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reliability(probabilities, np.array(came_true), bins=bins)


@pytest.mark.parametrize("probabilities", [np.float64(0.5), np.full(3, 0.5), np.full((3, 1), 0.5)])
def test_probabilities_without_a_column_for_each_class_are_refused(probabilities: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes|`probabilities` to have shape"):
        prediction_reliability(probabilities, np.zeros(3, int))
