"""Areas under curves against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from tests.metrics.test_roc import CASES, one_class
from trainlib.metrics.areas import auroc, average_precision, resampled_auroc

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", CASES)
def test_both_areas_are_those_of_scikit_learn(case: tuple[int, float, int], seed: int) -> None:
    scores, labelled = one_class(*case, seed=seed)
    assert auroc(scores, labelled) == pytest.approx(metrics.roc_auc_score(labelled, scores), abs=1e-12)
    reference = metrics.average_precision_score(labelled, scores)
    assert average_precision(scores, labelled) == pytest.approx(reference, abs=1e-12)


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    # Pairs of a positive (0.5, 0.3) and a negative (0.5, 0.2): a tie, in order, not in order, in order.
    assert auroc([0.5, 0.3, 0.5, 0.2], np.array([True, True, False, False])) == (0.5 + 1 + 0 + 1) / 4


@pytest.mark.parametrize("labels", [[], [True], [False], [True, True], [False, False]])
def test_areas_without_cases_of_either_kind_are_nan(labels: list[bool]) -> None:
    labelled = np.array(labels, bool)
    scores = np.linspace(0.2, 0.4, len(labels))
    assert math.isnan(auroc(scores, labelled))
    assert np.isnan(resampled_auroc(scores, labelled, np.ones((3, len(labels)), int))).all()
    # Without negative cases every one that is called positive is one.
    assert average_precision(scores, labelled) == pytest.approx(1.0 if any(labels) else math.nan, nan_ok=True)


@pytest.mark.parametrize("case", CASES)
def test_auroc_of_resamples_is_that_of_repeated_cases(case: tuple[int, float, int]) -> None:
    scores, labelled = one_class(*case)
    counts = np.random.default_rng(0).poisson(1.0, size=(40, len(scores)))
    expected = []
    for count in counts:
        repeated = labelled.repeat(count)
        both = repeated.any() and not repeated.all()
        expected.append(metrics.roc_auc_score(repeated, scores.repeat(count)) if both else math.nan)
    assert resampled_auroc(scores, labelled, counts).tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_auroc_of_many_tied_cases_does_not_overflow() -> None:
    labelled = np.arange(300_000) % 2 == 0
    assert auroc(np.full(300_000, 0.5), labelled) == 0.5
