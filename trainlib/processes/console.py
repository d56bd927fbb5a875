"""What a process shows its user, taken over by the processes that it starts."""

from __future__ import annotations

import logging
import pickle
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from trainlib.processes.sending import pickled

_OURS = ("", "trainlib")
"""The loggers whose handlers are taken over: the root, to which a program's own settings apply, and trainlib's."""
_LIBRARIES = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning")


@dataclass(frozen=True)
class Console:
    """Where messages go, and which warnings are shown.

    Attributes:
        handlers: Name of a logger -> what makes its handlers, pickled; those that only this process can make are left
            out.
        levels: Name of a logger -> its level.
        propagates: Whether trainlib's messages go to the root logger too.
        filters: The filters of `warnings`.
    """

    handlers: Mapping[str, tuple[bytes, ...]]
    levels: Mapping[str, int]
    propagates: bool
    filters: list[Any]

    @classmethod
    def of_this_process(cls) -> Console:
        """Describe the console of this process."""
        handlers = {name: tuple(filter(None, map(_sent, logging.getLogger(name).handlers))) for name in _OURS}
        levels = {name: logging.getLogger(name).level for name in (*_OURS, *_LIBRARIES)}
        filters = [entry for entry in warnings.filters if entry[2].__module__ != "__main__"]  # nobody else has that
        return cls(handlers, levels, logging.getLogger("trainlib").propagate, filters)

    def take_over(self, rank: int) -> None:
        """Show in this process what the other one would show; of several, those after the first only warn.

        Args:
            rank: Number of this process.
        """
        for name, handlers in self.handlers.items():
            logging.getLogger(name).handlers[:] = [pickle.loads(maker)() for maker in handlers]
        logging.getLogger("trainlib").propagate = self.propagates
        for name, level in self.levels.items():
            logging.getLogger(name).setLevel(level)
        warnings.filters[:] = self.filters  # type: ignore[index]
        for handler in logging.getLogger().handlers if rank else ():
            _only_warn(handler, rank)


def _sent(handler: logging.Handler) -> bytes | None:
    try:
        return pickled(_maker(handler))
    except Exception:  # whatever a handler of the user raises
        return None


def _maker(handler: logging.Handler) -> Callable[[], logging.Handler]:
    """Return what makes a handler anew; Python's own for the console and for files cannot be pickled themselves."""
    how = handler.level, handler.formatter
    if type(handler) is logging.FileHandler:
        return partial(_made, *how, file=handler.baseFilename, encoding=handler.encoding)
    if type(handler) is logging.StreamHandler and handler.stream in (sys.stdout, sys.stderr):
        return partial(_made, *how, stream="stdout" if handler.stream is sys.stdout else "stderr")
    return partial(_itself, handler)


def _made(
    level: int,
    formatter: logging.Formatter | None,
    *,
    file: str | None = None,
    encoding: str | None = None,
    stream: str = "stderr",
) -> logging.Handler:
    """Make a handler that writes to the console, or appends to a file."""
    handler = logging.FileHandler(file, encoding=encoding) if file else logging.StreamHandler(getattr(sys, stream))
    handler.setLevel(level)
    handler.setFormatter(formatter)
    return handler


def _itself(handler: logging.Handler) -> logging.Handler:
    return handler


class _Numbered(logging.Formatter):
    """Puts the number of the process before each message.

    Args:
        rank: The number.
        inner: Formats the message.
    """

    def __init__(self, rank: int, inner: logging.Formatter | None) -> None:
        super().__init__()
        self.rank = rank
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Format a message."""
        return f"process {self.rank}: {self.inner.format(record)}"


def only_warnings(rank: int) -> None:
    """Let a process that is not the first tell warnings alone, with its number; the first tells the rest for all."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logger = logging.getLogger("trainlib")
    logger.setLevel(logging.WARNING)
    for handler in logger.handlers:
        _only_warn(handler, rank)


def _only_warn(handler: logging.Handler, rank: int) -> None:
    handler.setLevel(max(handler.level, logging.WARNING))
    if not isinstance(handler.formatter, _Numbered):
        handler.setFormatter(_Numbered(rank, handler.formatter))
