"""Draws: a function of seed and epoch alone."""

from __future__ import annotations

from trainlib.data.sampling import EpochSampler


def draws(epoch: int, seed: int = 1, count: int = 50, shuffle: bool = True) -> list[tuple[int, int]]:
    sampler = EpochSampler(count, seed, shuffle)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_every_case_comes_once_with_the_epoch() -> None:
    assert sorted(draws(3)) == [(3, i) for i in range(50)]
    assert len(EpochSampler(50, 1, True)) == 50


def test_unshuffled_cases_keep_the_order_of_the_csv() -> None:
    assert draws(3, shuffle=False) == [(3, i) for i in range(50)]


def test_order_changes_with_epoch_and_seed() -> None:
    orders = [[index for _, index in draws(epoch, seed)] for epoch in (0, 1) for seed in (1, 2)]
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
    assert {type(index) for _, index in draws(0)} == {int}


def test_no_case_is_no_draw() -> None:
    assert draws(0, count=0) == []
