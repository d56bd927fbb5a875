"""Bootstrap intervals against scipy and against a loop over resamples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from trainlib.metrics import bootstrap
from trainlib.metrics.bootstrap import estimate

NAN = math.nan


def looped(table: np.ndarray, statistic: Callable[..., Any], resamples: int, seed: int) -> list[float]:
    """Compute the statistic of each class in each resample by itself, and average over the classes."""
    draws = np.random.default_rng(seed).integers(len(table), size=(resamples, len(table)))
    found = []
    for draw in draws:
        columns = [column[~np.isnan(column)] for column in table[draw].T]
        found.append(np.mean([statistic(column) for column in columns if column.size]))
    return found


def with_gaps(cases: int, classes: int, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    table = rng.beta(5, 2, (cases, classes)).round(2)  # rounded, so that scores are tied
    table[rng.random(table.shape) < share] = NAN
    return table[~np.isnan(table).all(axis=1)]


@pytest.mark.parametrize(("cases", "classes", "share"), [(2, 1, 0.0), (7, 1, 0.0), (30, 3, 0.3), (5, 4, 0.5)])
def test_it_equals_a_loop_over_the_same_resamples(cases: int, classes: int, share: float) -> None:
    table = with_gaps(cases, classes, share)
    found = estimate(table, resamples=400, seed=3)
    for interval, statistic in ((found.mean, np.mean), (found.median, np.median)):
        expected = np.percentile(looped(table, statistic, 400, 3), [2.5, 97.5])
        assert [interval.low, interval.high] == pytest.approx(list(expected), rel=1e-12)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_one_class_agrees_with_scipy(confidence: float) -> None:
    scores = np.random.default_rng(1).beta(8, 2, 40)
    found = estimate(scores, resamples=20_000, seed=0, confidence=confidence)
    for interval, statistic in ((found.mean, np.mean), (found.median, np.median)):
        reference = stats.bootstrap(
            (scores,), statistic, method="percentile", n_resamples=20_000, confidence_level=confidence, rng=5
        )
        low, high = reference.confidence_interval
        assert interval.value == pytest.approx(statistic(scores), rel=1e-12)
        # Monte-Carlo error of an end: well below a tenth of the standard error with 20 000 resamples.
        assert [interval.low, interval.high] == pytest.approx([low, high], abs=0.1 * reference.standard_error)


def test_cases_are_drawn_with_all_their_classes_together() -> None:
    # What one class gains in a case the other loses: the mean over both is the same whatever cases are drawn.
    first = np.random.default_rng(0).random(20)
    together = estimate(np.stack([first, 1 - first], axis=1))
    assert [together.mean.low, together.mean.high] == pytest.approx([0.5, 0.5], abs=1e-12)
    alone = estimate(first)
    assert alone.mean.high - alone.mean.low > 0.1


def test_the_value_of_several_classes_is_the_mean_over_classes_of_the_mean_over_cases() -> None:
    found = estimate([[0.9, 0.2], [0.7, NAN], [0.8, NAN]])
    assert found.cases == 3
    assert found.mean.value == pytest.approx((0.8 + 0.2) / 2)
    assert found.median.value == pytest.approx((0.8 + 0.2) / 2)


def test_cases_and_classes_without_a_score_do_not_count() -> None:
    with_empty = estimate([[0.5, NAN, NAN], [NAN, NAN, NAN], [0.7, NAN, 0.1]], seed=2)
    assert with_empty == estimate([[0.5, NAN], [0.7, 0.1]], seed=2)
    assert with_empty.cases == 2


def test_one_case_has_no_interval() -> None:
    found = estimate([[0.25, NAN, 0.75]])
    assert (found.cases, found.mean.value, found.median.value) == (1, 0.5, 0.5)
    assert all(math.isnan(end) for end in (*found.mean[1:], *found.median[1:]))


@pytest.mark.parametrize("scores", [[], [NAN, NAN], [[NAN, NAN]]])
def test_without_a_score_all_is_nan(scores: list[Any]) -> None:
    found = estimate(scores)
    assert found.cases == 0
    assert math.isnan(found.mean.value)
    assert math.isnan(found.median.high)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    scores = np.random.default_rng(0).random(15)
    assert estimate(scores, seed=4) == estimate(scores, seed=4)
    assert estimate(scores, seed=4).mean != estimate(scores, seed=5).mean


def test_resamples_drawn_in_parts_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table = with_gaps(23, 2, 0.2)
    at_once = estimate(table, resamples=501)
    monkeypatch.setattr(bootstrap, "_MOST_DRAWS", 100)
    in_parts = estimate(table, resamples=501)
    assert np.ravel(in_parts[1:]) == pytest.approx(np.ravel(at_once[1:]), rel=1e-12)


def test_the_interval_of_the_mean_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0.8, 0.1, (300, 40))
    covered = [(found := estimate(scores, resamples=300).mean).low <= 0.8 <= found.high for scores in samples]
    assert 0.90 <= np.mean(covered) <= 0.98
