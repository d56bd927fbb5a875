"""The scores of a split against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics

from tests.metrics import classified
from tests.metrics.classified import MULTI_LABEL, NAN, SINGLE_LABEL
from trainlib.metrics.classification import METRICS, score_split

# A figure that is not defined is told by nan, not by a warning.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")

OF_THE_POSITIVE_CLASS = ("auroc", "average_precision", "f1")


def names(probabilities: np.ndarray) -> list[str]:
    return [f"class {k}" for k in range(probabilities.shape[1])]


def scored(probabilities: np.ndarray, targets: np.ndarray, **settings: Any) -> dict[str, float]:
    return score_split(torch.from_numpy(probabilities), torch.from_numpy(targets), names(probabilities), **settings)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cases", SINGLE_LABEL.values(), ids=SINGLE_LABEL)
def test_single_label_scores_are_those_of_scikit_learn(cases: dict[str, Any], seed: int) -> None:
    probabilities, targets = classified.single_label(**cases, seed=seed)
    predicted, labelled = classified.single_label_decisions(probabilities, targets)
    per_class = classified.classes_by_scikit(probabilities, predicted, labelled)
    expected = {f"{metric}/class {k}": one[metric] for k, one in enumerate(per_class) for metric in METRICS}
    for metric in METRICS:
        expected[metric] = classified.mean([one[metric] for one in per_class])
    if len(per_class) == 2:
        expected |= {metric: per_class[1][metric] for metric in OF_THE_POSITIVE_CLASS}
    expected["accuracy"] = metrics.accuracy_score(targets, predicted.argmax(axis=1))
    expected["balanced_accuracy"] = classified.balanced_accuracy(predicted, labelled)
    assert scored(probabilities, targets) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cases", MULTI_LABEL.values(), ids=MULTI_LABEL)
def test_multi_label_scores_are_those_of_scikit_learn_averaged_over_the_labels(
    cases: dict[str, Any], seed: int
) -> None:
    probabilities, targets = classified.multi_label(**cases, seed=seed)
    per_class = classified.classes_by_scikit(probabilities, probabilities > 0.5, targets == 1)
    expected = {f"{metric}/class {k}": one[metric] for k, one in enumerate(per_class) for metric in METRICS}
    expected |= {metric: classified.mean([one[metric] for one in per_class]) for metric in METRICS}
    assert scored(probabilities, targets, multilabel=True) == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_many_cases_agree_with_scikit_learn_although_torchmetrics_works_in_single_precision() -> None:
    probabilities, targets = classified.single_label(50_000, [0.99, 0.01])
    found = scored(probabilities, targets)
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(targets, probabilities[:, 1]), abs=1e-6)
    reference = metrics.average_precision_score(targets, probabilities[:, 1])
    assert found["average_precision"] == pytest.approx(reference, abs=1e-6)


@pytest.mark.parametrize("cases", [3, 7, 30, 101, 170])
def test_perfect_probabilities_score_exactly_one(cases: int) -> None:
    targets = np.arange(cases) >= cases // 3
    positive = np.where(targets, 0.6, 0.1) + np.arange(cases) / cases / 10
    assert set(scored(np.stack([1 - positive, positive], axis=1), targets.astype(np.int64)).values()) == {1.0}


def test_the_keys_are_each_metric_overall_then_by_class() -> None:
    found = score_split(torch.tensor([[0.4, 0.6]]), torch.tensor([1]), ["benign", "malignant"])
    expected = [key for metric in METRICS for key in (metric, f"{metric}/benign", f"{metric}/malignant")]
    assert list(found) == expected
    assert all(type(value) is float for value in found.values())


def test_of_two_classes_the_second_is_the_positive_one() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
    found = score_split(probabilities, torch.tensor([0, 0, 1, 1]), ["benign", "malignant"])
    assert found["f1"] == found["f1/malignant"] == pytest.approx(0.5)
    assert found["average_precision"] == found["average_precision/malignant"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["average_precision/benign"] == pytest.approx((1 + 2 / 4) / 2)


def test_equally_probable_classes_count_as_the_first_and_half_probable_labels_as_not_predicted() -> None:
    half = torch.tensor([[0.5, 0.5]])
    assert score_split(half, torch.tensor([0]), ["a", "b"])["accuracy"] == 1
    assert score_split(half, torch.tensor([[0, 1]]), ["a", "b"], multilabel=True)["accuracy"] == 0.5


def test_the_balanced_accuracy_of_all_classes_leaves_out_the_recall_of_an_absent_class_that_is_predicted() -> None:
    probabilities = torch.eye(3)[[0, 0, 1, 2]]
    found = score_split(probabilities, torch.tensor([0, 0, 1, 1]), ["a", "b", "absent"])
    assert found["balanced_accuracy"] == pytest.approx((1 + 0.5) / 2)
    assert math.isnan(found["balanced_accuracy/absent"])
    assert found["f1/absent"] == 0


def test_a_class_neither_labelled_nor_predicted_has_no_f1_and_does_not_lower_the_mean() -> None:
    found = score_split(torch.eye(4)[[0, 1, 2]], torch.tensor([0, 1, 2]), ["a", "b", "c", "absent"])
    assert math.isnan(found["f1/absent"])
    assert found["f1"] == found["auroc"] == found["average_precision"] == 1


@pytest.mark.parametrize(("targets", "multilabel"), [(np.zeros(0, np.int64), False), (np.zeros((0, 3)), True)])
def test_without_cases_all_is_nan(targets: np.ndarray, multilabel: bool) -> None:
    found = scored(np.zeros((0, 3)), targets, multilabel=multilabel)
    assert len(found) == 4 * len(METRICS)
    assert all(math.isnan(value) for value in found.values())


def test_probabilities_that_differ_in_double_precision_only_are_not_tied() -> None:
    probabilities = torch.tensor([[0.5 + 1e-12, 0.5 - 1e-12], [0.5, 0.5]], dtype=torch.float64)
    assert score_split(probabilities, torch.tensor([0, 1]), ["a", "b"])["auroc"] == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_of_any_precision_and_with_a_gradient_are_scored(dtype: torch.dtype) -> None:
    probabilities = torch.tensor([[0.75, 0.25], [0.25, 0.75]], dtype=dtype, requires_grad=True)
    assert score_split(probabilities, torch.tensor([0, 1]), ["a", "b"])["auroc"] == 1


def test_arrays_score_as_tensors_do() -> None:
    probabilities, targets = classified.single_label(50, [0.5, 0.3, 0.2])
    assert score_split(probabilities, targets, list("abc")) == score_split(
        torch.from_numpy(probabilities), torch.from_numpy(targets), list("abc")
    )


@pytest.mark.parametrize(
    ("probabilities", "targets", "multilabel", "message"),
    [
        ([[0.1, 0.9]], [0], False, r"`probabilities` to have shape \(cases, 3\).*but got shape \(1, 2\)"),
        ([0.1, 0.9, 0.0], [0], False, r"`probabilities` to have shape \(cases, 3\).*but got shape \(3,\)"),
        ([[-2.0, 4.0, 0.0]], [0], False, r"values from 0 to 1, but found -2.0 \(1 of 1 cases\).*softmax"),
        ([[NAN, 0.5, 0.5], [0, 1, 0]], [0, 1], False, r"values from 0 to 1, but found nan \(1 of 2 cases\)"),
        ([[0.2, 0.3, 0.5]], [0, 1], False, r"each of the 1 cases, but got 2"),
        ([[0.2, 0.3, 0.5]], [3], False, r"`targets` to hold class indices from 0 to 2, but found \[3\]"),
        ([[0.2, 0.3, 0.5]], [-1], False, r"class indices from 0 to 2, but found \[-1\]"),
        ([[0.2, 0.3, 0.5]], [1.0], False, r"`targets` to hold integers, but got dtype float32"),
        ([[0.2, 0.3, 0.5]], [[0, 1, 0]], False, r"shape \(cases,\), but got shape \(1, 3\)"),
        ([[0.2, 0.3, 0.5]], [1], True, r"multi-label cases to have shape \(1, 3\).*but got shape \(1,\)"),
        ([[0.2, 0.3, 0.5]], [[0, 1, 2]], True, r"hold 0 and 1 only, but found \[2\]"),
        ([[0.2, 0.3, 0.5]], [[0, 1, NAN]], True, r"hold 0 and 1 only, but found \[nan\]"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    probabilities: Any, targets: Any, multilabel: bool, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score_split(torch.tensor(probabilities), torch.tensor(targets), ["a", "b", "c"], multilabel=multilabel)


def test_a_single_class_is_refused_unless_cases_may_be_of_none() -> None:
    with pytest.raises(ValueError, match="at least 2 classes, but got 1"):
        score_split(torch.tensor([[1.0]]), torch.tensor([0]), ["a"])
    assert score_split(torch.tensor([[1.0]]), torch.tensor([[1]]), ["a"], multilabel=True)["accuracy"] == 1
