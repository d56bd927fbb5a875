"""Do things one after the other in a thread of their own, while the program goes on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

Act = Callable[[], object]


class Background:
    """A thread that does what it is given, in that order.

    The thread begins with the first thing to do, and ends with `finish` or `abandon`. It dies with the process, so that
    a process that ends without either leaves undone what waits, and half done what has begun.

    Args:
        waiting: How many things may wait; with more to do, `do` waits as well.
    """

    def __init__(self, waiting: int = 1) -> None:
        self._queue: queue.Queue[Act | None] = queue.Queue(waiting)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._abandoned = False

    def do(self, act: Act) -> None:
        """Have something done.

        Raises:
            BaseException: What was done before has failed with it; nothing is done from then on.
        """
        self._raise()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="background", daemon=True)
            self._thread.start()
        self._queue.put(act)

    def finish(self) -> None:
        """Wait until all is done.

        Raises:
            BaseException: Something has failed with it.
        """
        self._end(None)
        self._raise()

    def abandon(self, patience: float) -> bool:
        """Let what has begun come to its end, and drop the rest.

        Args:
            patience: Seconds to wait for it.

        Returns:
            Whether it has come to its end.
        """
        self._abandoned = True
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        thread = self._thread
        self._end(patience)
        return thread is None or not thread.is_alive()

    @property
    def untold(self) -> BaseException | None:
        """What has failed, and was not raised yet."""
        return self._error

    def _end(self, patience: float | None) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(patience)
            self._thread = None

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error, self._abandoned = self._error, None, True
            raise error

    def _work(self) -> None:
        while (act := self._queue.get()) is not None:
            if self._abandoned or self._error is not None:
                continue
            try:
                act()
            except BaseException as error:  # told where the next thing is given, or at the end
                self._error = error
            del act  # what it holds may be large
