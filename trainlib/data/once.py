"""Read a CSV once where several parts of a command need it, instead of each time anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_kept: ContextVar[dict[Hashable, Any] | None] = ContextVar("_kept", default=None)


@contextmanager
def reading_once() -> Iterator[None]:
    """Keep what `once` makes until the end of the outermost of such blocks; outside of them nothing is kept."""
    if _kept.get() is not None:
        yield
        return
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def once(key: Hashable, make: Callable[[], T]) -> T:
    """Return what was made under a key in this block, or make it.

    Args:
        key: All that the result depends on.
        make: Makes the result; an error that it raises is not kept.
    """
    kept = _kept.get()
    if kept is None:
        return make()
    if key not in kept:
        kept[key] = make()
    found: T = kept[key]
    return found
