"""Let a signal end a search in good order in spite of Ray, which takes it for its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trainlib.errors import Interrupted


@contextmanager
def interruptions_kept() -> Iterator[None]:
    """Get the handlers of the signals back from Ray, which is connected by now, and what they raise, for the block.

    Raises:
        Interrupted: A signal arrived.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler is not None:
                # Python still has the handler, but Ray has put its own below that, which would end the process at once.
                signal.signal(number, handler)
    try:
        yield
    except SystemError as error:
        # What a handler raises while Ray waits comes out as the cause of another error.
        if isinstance(error.__cause__, Interrupted):
            raise error.__cause__ from None
        raise
