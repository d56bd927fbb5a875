"""Quotients and means that are nan where they are not defined."""

from __future__ import annotations

import numpy as np
import pytest

from tests.metrics.classified import NAN
from trainlib.metrics.defined import mean_defined, ratio

pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def test_a_quotient_by_zero_is_nan_whatever_stands_above() -> None:
    found = ratio([[1, 0], [3, 2]], [2, 0])
    assert found.ravel() == pytest.approx([0.5, NAN, 1.5, NAN], nan_ok=True)


def test_the_mean_leaves_out_nan_and_is_nan_of_nothing_else() -> None:
    found = mean_defined([[1, NAN, 2], [NAN, NAN, NAN], [0, 3, 6]])
    assert found == pytest.approx([1.5, NAN, 3], nan_ok=True)
    assert mean_defined(np.zeros((2, 0))) == pytest.approx([NAN, NAN], nan_ok=True)
