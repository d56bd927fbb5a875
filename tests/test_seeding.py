"""Seeds follow from numbers; random states do not leak."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from monai.transforms import RandGaussianNoise, Randomizable

from trainlib.seeding import derive_seed, isolated_random_state, seed_all


def draw() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(1)), float(Randomizable.R.rand())]


def test_derived_seeds_are_32_bit_and_repeatable() -> None:
    seeds = [derive_seed(*parts) for parts in itertools.product(range(3), repeat=3)]
    assert all(isinstance(seed, int) and 0 <= seed < 2**32 for seed in seeds)
    assert seeds == [derive_seed(*parts) for parts in itertools.product(range(3), repeat=3)]


def test_derived_seeds_differ_by_value_order_and_number_of_parts() -> None:
    parts = [p for n in (1, 2, 3) for p in itertools.product(range(6), repeat=n)]
    assert len({derive_seed(*p) for p in parts}) == len(parts)


def test_largest_seed_is_accepted() -> None:
    assert derive_seed(2**32 - 1, 10**6, 10**6) != derive_seed(2**32 - 2, 10**6, 10**6)


def test_seed_all_seeds_python_numpy_and_torch() -> None:
    with isolated_random_state(0):
        seed_all(5)
        first = draw()[:3]
        seed_all(5)
        assert draw()[:3] == first
    random.seed(5)
    assert first[0] == random.random()


def test_isolated_block_draws_from_its_seed_and_leaves_all_states_alone() -> None:
    outside = [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]
    with isolated_random_state(3):
        first = draw()
    with isolated_random_state(3):
        assert draw() == first
    with isolated_random_state(4):
        assert not set(draw()) & set(first)
    assert [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()] == outside


def test_states_and_threads_are_restored_after_an_error() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()

    def fail() -> None:
        assert torch.get_num_threads() == 1
        draw()
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), isolated_random_state(3):
        fail()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_monai_transform_that_nobody_seeded_follows_the_block() -> None:
    image = torch.zeros(1, 4, 4)
    results = []
    for seed in (1, 1, 2):
        with isolated_random_state(seed):
            results.append(RandGaussianNoise(prob=1.0)(image))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_isolated_block_leaves_the_random_states_of_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    with isolated_random_state(3):
        pass
    assert seeded == []
