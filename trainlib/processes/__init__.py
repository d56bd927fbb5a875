"""Several processes that do one run: who each of them is, what they tell each other, and how they end together.

A run in one process uses the same functions; there they return what they were given. `supervisor` starts processes, and
is not imported here.
"""

from __future__ import annotations

from trainlib.processes.group import (
    CHECKPOINT,
    agreed,
    broadcast,
    decided,
    gather,
    interleaved,
    is_first,
    joined,
    local_size,
    meet,
    note,
    rank,
    size,
    true_anywhere,
)
from trainlib.processes.place import Place, place

__all__ = [
    "CHECKPOINT",
    "Place",
    "agreed",
    "broadcast",
    "decided",
    "gather",
    "interleaved",
    "is_first",
    "joined",
    "local_size",
    "meet",
    "note",
    "place",
    "rank",
    "size",
    "true_anywhere",
]
