"""Draws: a function of seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from trainlib.data.sampling import Draw, EpochSampler, class_weights


def draws(epoch: int, seed: int = 1, count: int = 50, shuffle: bool = True) -> list[Draw]:
    sampler = EpochSampler(count, seed, shuffle)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_every_case_comes_once_with_the_epoch() -> None:
    assert sorted(draws(3)) == [(3, i) for i in range(50)]
    assert len(EpochSampler(50, 1, True)) == 50


def test_unshuffled_cases_keep_the_order_of_the_csv() -> None:
    assert draws(3, shuffle=False) == [(3, i) for i in range(50)]


def test_order_changes_with_epoch_and_seed() -> None:
    orders = [[draw[1] for draw in draws(epoch, seed)] for epoch in (0, 1) for seed in (1, 2)]
    assert all(orders[i] != orders[j] for i in range(4) for j in range(i))


def test_order_of_an_epoch_does_not_depend_on_the_epochs_before() -> None:
    sampler = EpochSampler(50, 1, True)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        order = list(sampler)
    assert order == draws(2)


def test_epoch_set_during_an_iteration_counts_from_the_next() -> None:
    sampler = EpochSampler(4, 1, False)
    iterator = iter(sampler)
    first = next(iterator)
    sampler.set_epoch(5)
    assert [first, *iterator] == [(0, i) for i in range(4)]
    assert list(sampler) == [(5, i) for i in range(4)]


def test_indices_are_plain_integers() -> None:
    assert {type(draw[1]) for draw in draws(0)} == {int}


def test_no_case_is_no_draw() -> None:
    assert draws(0, count=0) == []


def test_weighted_cases_come_equally_often_by_class() -> None:
    targets = [0] * 90 + [1] * 10
    sampler = EpochSampler(100, seed=0, shuffle=True, weights=class_weights(targets))
    drawn = []
    for epoch in range(50):
        sampler.set_epoch(epoch)
        drawn += [targets[draw[1]] for draw in sampler]
    assert len(drawn) == 5000
    assert abs(sum(drawn) / 5000 - 0.5) < 0.03


def test_weighted_draws_follow_from_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[Draw]:
        sampler = EpochSampler(20, seed=seed, shuffle=True, weights=[1.0] * 20)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 3) == order(1, 3)
    assert [draw[1] for draw in order(1, 3)] != [draw[1] for draw in order(1, 4)]
    assert order(1, 3) != order(2, 3)


def test_no_draw_of_an_epoch_comes_twice_and_the_first_of_a_case_is_that_of_an_unweighted_epoch() -> None:
    sampler = EpochSampler(100, seed=0, shuffle=True, weights=class_weights([0] * 95 + [1] * 5))
    sampler.set_epoch(4)
    drawn = list(sampler)
    assert len(set(drawn)) == len(drawn) == 100
    for index in {draw[1] for draw in drawn}:
        of_case = [draw for draw in drawn if draw[1] == index]
        assert of_case == [(4, index), *((4, index, before) for before in range(1, len(of_case)))]
    assert max(len(draw) for draw in drawn) == 3


def shares(size: int, count: int, epoch: int = 3, shuffle: bool = True, **options: Any) -> list[list[Draw | None]]:
    """The draws of each of several processes."""
    samplers = [EpochSampler(count, 1, shuffle, rank=rank, size=size, **options) for rank in range(size)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    assert [len(sampler) for sampler in samplers] == [len(list(sampler)) for sampler in samplers]
    return [list(sampler) for sampler in samplers]


def turns(parts: list[list[Draw | None]]) -> list[Draw | None]:
    """The draws of all processes, each in turn."""
    return [draw for turn in zip(*parts, strict=True) for draw in turn]


@pytest.mark.parametrize(("size", "count"), [(2, 15), (2, 14), (3, 14), (4, 3), (3, 1), (2, 0)])
def test_every_case_of_an_evaluation_is_in_exactly_one_process(size: int, count: int) -> None:
    drawn = turns(shares(size, count, shuffle=False))
    assert drawn[:count] == [(3, i) for i in range(count)]
    assert set(drawn[count:]) <= {None}
    assert len(drawn) < count + size


@pytest.mark.parametrize(("size", "count"), [(2, 15), (2, 14), (3, 14), (4, 3), (5, 2)])
def test_processes_together_draw_what_one_would_and_begin_again_to_have_equally_many(size: int, count: int) -> None:
    drawn, alone = turns(shares(size, count)), draws(3, count=count)
    assert drawn[:count] == alone
    again = [draw[:2] for draw in drawn[count:] if draw]
    assert again == (alone * size)[: len(again)]
    assert len(set(drawn)) == len(drawn)  # a repeated case is augmented in another way
    assert len(drawn) == -(-count // size) * size


def test_the_batches_of_a_step_hold_the_cases_of_one_large_batch() -> None:
    parts, alone = shares(2, 12), draws(3, count=12)
    for step in range(3):
        batches = [draw for part in parts for draw in part[2 * step : 2 * step + 2]]
        assert set(batches) == set(alone[4 * step : 4 * step + 4])


def test_weighted_draws_are_shared_too() -> None:
    weights = class_weights([0] * 9 + [1])
    alone = EpochSampler(10, 1, True, weights)
    alone.set_epoch(3)
    assert turns(shares(2, 10, weights=weights)) == list(alone)
    drawn = turns(shares(3, 10, weights=weights))
    assert max(Counter(drawn).values()) == 1
