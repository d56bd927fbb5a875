"""What is different where the network is spread over the processes (strategy `fsdp`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def whole_network(wrapped: Any) -> Iterator[None]:
    """Put the whole network into each process for the block; outside of a step each holds only its part.

    Args:
        wrapped: The module that the strategy has made of the task.
    """
    if type(wrapped).__name__ != "FullyShardedDataParallel":  # whose import takes a while
        yield
        return
    from torch.distributed.fsdp import FullyShardedDataParallel

    with FullyShardedDataParallel.summon_full_params(wrapped, writeback=False):
        yield
