"""Draws: a function of seed and epoch alone."""

from __future__ import annotations

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
