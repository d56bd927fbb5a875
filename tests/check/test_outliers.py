"""What is far from the others."""

from __future__ import annotations

import numpy as np
import pytest

from trainlib.check.outliers import far


def test_the_odd_one_is_found_and_cannot_hide_itself() -> None:
    values = np.array([1.0, 1.1, 0.9, 1.05, 50.0])
    assert far(values, 0.5).tolist() == [False] * 4 + [True]


def test_what_is_spread_widely_has_no_odd_one() -> None:
    assert not far(np.random.default_rng(0).normal(0, 3, 200), 1.0).any()


def test_small_differences_among_equals_are_none() -> None:
    assert not far(np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.3]), 0.5).any()


@pytest.mark.parametrize("values", [[], [1.0, 1.0, 1.0, 9.0], [np.nan] * 6])
def test_too_few_values_have_no_odd_one(values: list[float]) -> None:
    assert not far(np.array(values), 0.1).any()


def test_nan_is_never_far() -> None:
    assert far(np.array([1.0, 1.0, 1.0, 1.0, 1.0, np.nan, 9.0]), 0.5).tolist() == [False] * 6 + [True]
