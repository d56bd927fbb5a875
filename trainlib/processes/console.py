"""What a process shows its user, taken over by the processes that it starts."""

from __future__ import annotations

import logging
import pickle
import warnings
from dataclasses import dataclass
from typing import Any

_LIBRARIES = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning")


@dataclass(frozen=True)
class Console:
    """Where messages go, and which warnings are shown.

    Attributes:
        handlers: The handlers of trainlib's messages, pickled; those that cannot be are left out.
        levels: Name of a logger -> its level.
        propagates: Whether trainlib's messages go to the root logger too.
        filters: The filters of `warnings`.
    """

    handlers: tuple[bytes, ...]
    levels: dict[str, int]
    propagates: bool
    filters: list[Any]

    @classmethod
    def of_this_process(cls) -> Console:
        """Describe the console of this process."""
        logger = logging.getLogger("trainlib")
        pickled = [_pickled(handler) for handler in logger.handlers]
        levels = {name: logging.getLogger(name).level for name in ("trainlib", *_LIBRARIES)}
        filters = [entry for entry in warnings.filters if entry[2].__module__ != "__main__"]  # nobody else has that
        return cls(tuple(filter(None, pickled)), levels, logger.propagate, filters)

    def take_over(self) -> None:
        """Show in this process what the other one would show."""
        logger = logging.getLogger("trainlib")
        logger.handlers[:] = [pickle.loads(handler) for handler in self.handlers]
        logger.propagate = self.propagates
        for name, level in self.levels.items():
            logging.getLogger(name).setLevel(level)
        warnings.filters[:] = self.filters  # type: ignore[index]


def _pickled(handler: logging.Handler) -> bytes | None:
    try:
        return pickle.dumps(handler)
    except (TypeError, AttributeError, pickle.PicklingError):
        return None


def only_warnings(rank: int) -> None:
    """Let a process that is not the first tell warnings alone, with its number; the first tells the rest for all."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logger = logging.getLogger("trainlib")
    logger.setLevel(logging.WARNING)
    for handler in logger.handlers:
        handler.setLevel(logging.WARNING)
        handler.setFormatter(logging.Formatter(f"process {rank}: %(message)s"))
