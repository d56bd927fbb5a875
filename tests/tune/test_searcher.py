"""What is tried next follows from the seed, the number of the trial and earlier results alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from trainlib.config.tune import Distribution
from trainlib.folders.search import Trial
from trainlib.tune.searcher import PARAMETERS, Proposer, RecordedSearch
from trainlib.tune.space import Space

SPACE = Space({"lr": Distribution(**{"loguniform": [1e-5, 1.0]}), "n": Distribution(**{"choice": [1, 2, 3]})})


def proposer(method: str = "optuna", seed: int = 42, trials: int = 20) -> Proposer:
    return Proposer(SPACE, method, "max", seed, trials)


def score(values: dict[str, float]) -> float:
    return -((math.log10(values["lr"]) + 2) ** 2)


@pytest.mark.parametrize("method", ["optuna", "random"])
def test_a_search_that_is_continued_draws_what_it_would_have_drawn(method: str) -> None:
    whole = proposer(method)
    expected = []
    for number in range(12):
        expected.append(whole.draw(number))
        whole.learn(Trial(number, expected[-1]), score(expected[-1]))
    continued = proposer(method)
    for number in range(8):
        continued.learn(Trial(number, expected[number]), score(expected[number]))
    assert continued.draw(8) == expected[8]


def test_other_seeds_draw_other_settings() -> None:
    assert proposer(seed=1).draw(0) != proposer(seed=2).draw(0)
    assert proposer().draw(0) != proposer().draw(1)


def test_optuna_looks_where_the_results_were_good_and_random_does_not() -> None:
    def distance(method: str) -> float:
        source = proposer(method, trials=60)
        found = []
        for number in range(60):
            values = source.draw(number)
            source.learn(Trial(number, values), score(values))
            found.append(abs(math.log10(values["lr"]) + 2))
        return sum(found[30:]) / 30

    assert distance("optuna") < 0.5 * distance("random")


def recorded(waiting: list[Trial], begin: Callable[[Trial], None]) -> RecordedSearch:
    return RecordedSearch(proposer(), waiting, first=4, trials=6, begin=begin, metric="best", mode="max")


def test_trials_that_were_cut_off_come_first_and_each_is_noted_before_it_begins() -> None:
    begun: list[Trial] = []
    search = recorded([Trial(2, {"lr": 0.5, "n": 3}, "training")], begun.append)
    assert search.suggest("a") == {PARAMETERS: {"lr": 0.5, "n": 3}}
    assert search.suggest("b")[PARAMETERS] == begun[1].parameters
    search.suggest("c")
    assert [trial.number for trial in begun] == [2, 4, 5]
    assert search.suggest("d") == "FINISHED"


def test_a_failed_trial_is_learnt_from_as_failed() -> None:
    search = recorded([], lambda trial: None)
    search.suggest("a")
    search.suggest("b")
    search.on_trial_complete("a", {"best": 0.9}, error=True)
    search.on_trial_complete("b", {"best": 0.5})
    states = [trial.state.name for trial in search._proposer._study.trials[2:]]
    assert states == ["FAIL", "COMPLETE"]
