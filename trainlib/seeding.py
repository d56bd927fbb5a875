"""Seeds that follow from other numbers, and random states that do not leak."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(*parts: int) -> int:
    """Mix non-negative integers, such as (seed, epoch, case), into one 32-bit seed."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def isolated_random_state(seed: int) -> Iterator[None]:
    """Seed Python, NumPy and torch on the CPU for the block, and restore their states afterwards.

    The block runs on one thread: sums over many threads depend on their number, which differs between the main
    process and a worker.

    Args:
        seed: A 32-bit seed.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state(), torch.get_num_threads()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if states[3] != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if states[3] != 1:
            torch.set_num_threads(states[3])
