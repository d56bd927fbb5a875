"""Let a signal end a search in good order in spite of Ray, which takes it for its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trainlib.errors import Interrupted

Handlers = dict[int, Any]


def handlers() -> Handlers:
    """Return the handlers of the signals that end a search, to be asked for before Ray is connected."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


@contextmanager
def interruptions_kept(before: Handlers) -> Iterator[None]:
    """Put the handlers back that Ray has replaced by its own, and keep what they raise, for the block.

    Args:
        before: The handlers as they were before Ray was connected.

    Raises:
        Interrupted: A signal arrived.
    """
    for number, handler in before.items():
        signal.signal(number, handler)
    try:
        yield
    except SystemError as error:
        # What a handler raises while Ray waits comes out as the cause of another error.
        if isinstance(error.__cause__, Interrupted):
            raise error.__cause__ from None
        raise
