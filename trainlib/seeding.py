"""Seeds that follow from other numbers, and random states that do not leak."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from monai.transforms import Randomizable


def derive_seed(*parts: int) -> int:
    """Mix non-negative integers, such as (seed, epoch, case), into one 32-bit seed."""
    # The number of parts is mixed in because NumPy fills up with zeros, which makes (1, 2) and (1, 2, 0) equal.
    return int(np.random.SeedSequence((len(parts), *parts)).generate_state(1)[0])


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def isolated_random_state(seed: int) -> Iterator[None]:
    """Seed Python, NumPy, MONAI and torch on the CPU for the block, and restore their states afterwards.

    The block runs on one thread: sums over many threads depend on their number, which differs between the main
    process and a worker. MONAI's own state is that of random transforms that nobody seeded, such as those that a
    patch script makes inside another transform.

    Args:
        seed: A 32-bit seed.
    """
    monai = Randomizable.R
    states = random.getstate(), np.random.get_state(), monai.get_state(), torch.get_rng_state()
    threads = torch.get_num_threads()
    random.seed(seed)
    np.random.seed(seed)
    monai.seed(seed)
    # Not `torch.manual_seed`, which seeds the GPUs too, whose states are not restored here.
    torch.default_generator.manual_seed(seed)
    if threads != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        monai.set_state(states[2])
        torch.set_rng_state(states[3])
        if threads != 1:
            torch.set_num_threads(threads)
