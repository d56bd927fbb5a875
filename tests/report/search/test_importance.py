"""How much a setting matters, against figures worked out by hand, and against chance."""

from __future__ import annotations

import numpy as np
import pytest

from trainlib.config.tune import Distribution
from trainlib.report.search.importance import importances

SPACE = {"a": Distribution(**{"choice": ["x", "y"]}), "b": Distribution(**{"uniform": [0, 1]})}


def test_the_share_is_the_correlation_ratio_of_the_ranks() -> None:
    # Ranks 1 to 6. x has 1, 2, 4 (mean 7/3), y has 3, 5, 6 (mean 14/3); the mean of all is 3.5.
    values = {"a": ["x", "x", "y", "x", "y", "y"], "b": [0.1, 0.9, 0.2, 0.8, 0.3, 0.7]}
    found = {one.key: one for one in importances(SPACE, values, np.array([10.0, 20, 30, 40, 50, 60]))}
    assert found["a"].share == pytest.approx(2 * 3 * (7 / 6) ** 2 / 17.5)
    # Halves of b: 0.1, 0.2, 0.3 have ranks 1, 3, 5 (mean 3), the others 2, 4, 6 (mean 4).
    assert found["b"].share == pytest.approx(2 * 3 * 0.5**2 / 17.5)


def test_the_most_important_setting_comes_first_and_exceeds_chance() -> None:
    source = np.random.default_rng(1)
    a, b = source.choice(["x", "y"], 40), source.uniform(size=40)
    results = (a == "x") * 1.0 + source.normal(scale=0.1, size=40)
    first, second = importances(SPACE, {"a": list(a), "b": list(b)}, results)
    assert (first.key, first.certain) == ("a", True)
    assert (second.key, second.certain) == ("b", False)


def test_an_optimum_in_the_middle_is_seen() -> None:
    b = np.linspace(0, 1, 30)
    [found, _] = importances(SPACE, {"a": ["x", "y"] * 15, "b": list(b)}, -((b - 0.5) ** 2))
    assert found.key == "b"
    assert found.certain


def test_chance_exceeds_its_bound_in_one_of_twenty_searches() -> None:
    source = np.random.default_rng(2)
    space = {"b": SPACE["b"]}
    sure = [importances(space, {"b": list(source.uniform(size=12))}, source.normal(size=12))[0] for _ in range(150)]
    assert 0.01 < np.mean([one.certain for one in sure]) < 0.11


def test_of_too_few_trials_nothing_is_said() -> None:
    assert importances(SPACE, {"a": ["x", "y", "x"], "b": [0.1, 0.2, 0.3]}, np.array([1.0, 2, 3])) == []
