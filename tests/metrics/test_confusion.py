"""The confusion matrix and the figures that follow from it against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tests.metrics import classified
from tests.metrics.classified import MULTI_LABEL, SINGLE_LABEL
from trainlib.metrics.confusion import Outcomes, confusion_matrix, count_outcomes
from trainlib.metrics.decisions import decide

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")

FIGURES = ("precision", "recall", "specificity", "npv", "f1", "accuracy", "balanced_accuracy")


@pytest.mark.parametrize("cases", SINGLE_LABEL.values(), ids=SINGLE_LABEL)
def test_the_matrix_is_that_of_scikit_learn(cases: dict[str, Any]) -> None:
    probabilities, targets = classified.single_label(**cases)
    count = probabilities.shape[1]
    expected = metrics.confusion_matrix(targets, probabilities.argmax(axis=1), labels=range(count))
    assert confusion_matrix(probabilities.argmax(axis=1), targets, count).tolist() == expected.tolist()


def test_rows_are_the_classes_and_columns_the_predicted_ones() -> None:
    assert confusion_matrix([2, 2, 0], [1, 1, 0], 3).tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 0]]
    assert confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]


def test_small_integers_do_not_overflow() -> None:
    indices = np.array([99, 98], np.uint8)
    assert confusion_matrix(indices, indices, 100)[99, 99] == 1


@pytest.mark.parametrize("cases", SINGLE_LABEL.values(), ids=SINGLE_LABEL)
def test_the_figures_of_each_class_are_those_of_scikit_learn(cases: dict[str, Any]) -> None:
    probabilities, targets = classified.single_label(**cases)
    outcomes = count_outcomes(decide(probabilities, targets, probabilities.shape[1]))
    predicted, labelled = classified.single_label_decisions(probabilities, targets)
    compare(outcomes, probabilities, predicted, labelled)


@pytest.mark.parametrize("cases", MULTI_LABEL.values(), ids=MULTI_LABEL)
def test_the_figures_of_each_label_are_those_of_scikit_learn(cases: dict[str, Any]) -> None:
    probabilities, targets = classified.multi_label(**cases)
    outcomes = count_outcomes(decide(probabilities, targets, probabilities.shape[1], multilabel=True))
    compare(outcomes, probabilities, probabilities > 0.5, targets == 1)
    table = metrics.multilabel_confusion_matrix(targets, probabilities > 0.5)
    if targets.shape[1] > 1:  # a single column is no table of labels to scikit-learn
        assert np.stack([outcomes.tn, outcomes.fp, outcomes.fn, outcomes.tp], axis=1).ravel() == pytest.approx(
            table.ravel()
        )


def compare(outcomes: Outcomes, probabilities: np.ndarray, predicted: np.ndarray, labelled: np.ndarray) -> None:
    reference = classified.classes_by_scikit(probabilities, predicted, labelled)
    for figure in FIGURES:
        expected = [one[figure] for one in reference]
        assert list(getattr(outcomes, figure)) == pytest.approx(expected, abs=1e-12, nan_ok=True), figure
    assert outcomes.support.tolist() == labelled.sum(axis=0).tolist()
    assert outcomes.cases.tolist() == [len(labelled)] * len(reference)


def test_counted_cases_are_as_repeated_ones() -> None:
    probabilities, targets = classified.single_label(20, [0.5, 0.3, 0.2])
    counts = np.random.default_rng(0).integers(4, size=(5, 20))
    weighted = count_outcomes(decide(probabilities, targets, 3), counts)
    for row, count in enumerate(counts):
        repeated = count_outcomes(decide(probabilities.repeat(count, axis=0), targets.repeat(count), 3))
        assert [found[row].tolist() for found in weighted] == [expected.tolist() for expected in repeated]


@pytest.mark.parametrize(
    ("predicted", "targets", "message"),
    [
        ([0, 1], [0], "same length, but got 2 and 1"),
        ([0, 2], [0, 1], r"`predicted` to hold class indices from 0 to 1, but found \[2\]"),
        ([0, 1], [0, -1], r"`targets` to hold class indices from 0 to 1, but found \[-1\]"),
        ([0.0, 1.0], [0, 1], "`predicted` to hold integers, but got dtype float64"),
        ([[0, 1]], [0, 1], r"shape \(cases,\), but got shape \(1, 2\)"),
    ],
)
def test_what_is_no_class_index_is_refused(predicted: Any, targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(predicted, targets, 2)
