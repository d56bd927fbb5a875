"""The search space: values in their bounds, there and back between config and Optuna."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import optuna

from trainlib.config.tune import Distribution
from trainlib.tune.space import Space

SPACE = Space(
    {
        "u": Distribution(**{"uniform": [0, 1]}),
        "l": Distribution(**{"loguniform": [1e-5, 1e-1]}),
        "q": Distribution(**{"quniform": [0.1, 1.0, 0.2]}),
        "i": Distribution(**{"randint": [1, 3]}),
        "j": Distribution(**{"lograndint": [1, 64]}),
        "c": Distribution(**{"choice": [[16, 32], [8, 16, 32], "batch", True, 1]}),
    }
)


def drawn(count: int) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [SPACE.decode(study.ask(SPACE.distributions()).params) for _ in range(count)]


def test_draws_fill_the_bounds_and_keep_them() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = drawn(400)
    assert {value["i"] for value in values} == {1, 2, 3}  # both bounds are drawn
    assert {value["q"] for value in values} == {0.1, 0.3, 0.5, 0.7, 0.9}
    assert {str(value["c"]) for value in values} == {"[16, 32]", "[8, 16, 32]", "batch", "True", "1"}
    exponents = np.log10([value["l"] for value in values])
    assert exponents.min() >= -5
    assert exponents.max() <= -1
    counts, _ = np.histogram(exponents, bins=4, range=(-5, -1))
    assert counts.min() > 60  # a hundred in each decade, were it not for chance
    assert all(isinstance(value["j"], int) and 1 <= value["j"] <= 64 for value in values)


def test_values_are_encoded_as_optuna_drew_them() -> None:
    for values in drawn(50):
        encoded = SPACE.encode(values)
        assert SPACE.decode(encoded) == values
        assert all(SPACE.distributions()[key]._contains(encoded[key]) for key in encoded if key != "c")
    assert SPACE.encode({**drawn(1)[0], "c": 1})["c"] == 4
    assert SPACE.encode({**drawn(1)[0], "c": True})["c"] == 3


def test_a_copy_is_changed_within_the_bounds() -> None:
    source = random.Random(0)
    values = drawn(1)[0]
    seen = []
    for _ in range(500):
        values = SPACE.mutated(values, source)
        assert 0 <= values["u"] <= 1
        assert 1e-5 <= values["l"] <= 1e-1
        assert values["q"] in (0.1, 0.3, 0.5, 0.7, 0.9)
        assert values["i"] in (1, 2, 3)
        seen.append(values["c"])
    assert len({str(value) for value in seen}) == 5


def test_the_corners_are_all_combinations_of_bounds_and_choices() -> None:
    space = Space({"a": Distribution(**{"uniform": [0, 1]}), "b": Distribution(**{"choice": [1, 2, 3]})})
    corners = list(space.corners())
    assert len(corners) == 6
    assert {(corner["a"], corner["b"]) for corner in corners} == {(a, b) for a in (0.0, 1.0) for b in (1, 2, 3)}


def test_of_too_many_corners_each_value_still_occurs() -> None:
    space = Space({str(i): Distribution(**{"uniform": [0, 1]}) for i in range(12)})
    corners = list(space.corners(64))
    assert len(corners) == 48
    assert all({corner[str(i)] for corner in corners} == {0.0, 1.0} for i in range(12))


def test_a_step_that_does_not_divide_the_range_stays_below_its_end() -> None:
    space = Space({"q": Distribution(**{"quniform": [0, 1, 0.3]})})
    assert space.distributions()["q"].high == 3
    assert space.extremes() == {"q": [0.0, 0.9]}
