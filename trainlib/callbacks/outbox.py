"""Deliver messages to Pushover from a background thread, so that nobody waits for them."""

from __future__ import annotations

import logging
import math
import threading
import traceback
from collections import deque
from time import monotonic

from trainlib.callbacks.delivery import Message, send
from trainlib.config.credentials import Credentials

log = logging.getLogger(__name__)

_HARDLY = 0.5
"""Seconds to wait at the end where nobody could be reached before."""


class Outbox:
    """Sends messages one after the other; of the passing ones only the latest waits, so the queue stays short.

    What Pushover refuses (4xx) is told once, and nothing is sent any more. Where Pushover fails or cannot be
    reached, a message is tried again and in the end dropped, which is told once too. No secret is ever logged.

    Args:
        api: Address of the API.
        credentials: Token, key and proxies.
        pause: Seconds between two tries; Pushover asks for at least 5.
        tries: How often a message is tried.
        timeout: Seconds to wait for the connection, and for the answer.
    """

    def __init__(
        self,
        api: str,
        credentials: Credentials,
        *,
        pause: float = 5.0,
        tries: int = 3,
        timeout: tuple[float, float] = (5.0, 10.0),
    ) -> None:
        self.address = f"{api.rstrip('/')}/messages.json"
        self.credentials = credentials
        self.pause = pause
        self.tries = tries
        self.timeout = timeout
        self._waiting: deque[Message] = deque()
        self._change = threading.Condition()
        self._busy = self._over = self._told = self._unreachable = False
        self._deadline = math.inf

    def start(self) -> None:
        """Start the thread."""
        # Here and not in the thread: a process forked in the middle of an import could never import it itself.
        import requests  # noqa: F401

        threading.Thread(target=self._work, name="pushover", daemon=True).start()

    def put(self, message: Message) -> None:
        """Hand over a message; this never waits."""
        with self._change:
            if not self._over:
                self._waiting = deque(other for other in self._waiting if not other.passing)
                self._waiting.append(message)
                self._change.notify_all()

    def close(self, seconds: float) -> None:
        """Wait until everything is sent, but no longer than so many seconds; then nothing is sent any more.

        Nothing is tried again for which the time is too short, and where nobody could be reached before, this
        hardly waits.
        """
        with self._change:
            seconds = min(seconds, _HARDLY) if self._unreachable else seconds
            self._deadline = monotonic() + seconds
            self._change.notify_all()
            done = self._change.wait_for(lambda: self._over or not (self._waiting or self._busy), seconds)
            self._end()
        if not done:
            self._tell(f"The last message could not be delivered to Pushover within {seconds:g} s.")

    def _work(self) -> None:
        try:
            while (message := self._next()) is not None:
                self._deliver(message)
        except Exception as error:  # a bug of ours: its text may hold a secret, the lines of its traceback do not
            lines = "".join(traceback.format_tb(error.__traceback__))
            self._end(f"Sending messages to Pushover failed: {type(error).__name__}\n{lines}")

    def _next(self) -> Message | None:
        """Wait for a message to send; None is the end."""
        with self._change:
            self._busy = False
            self._change.notify_all()
            self._change.wait_for(lambda: self._over or self._waiting)
            self._busy = not self._over
            return None if self._over else self._waiting.popleft()

    def _deliver(self, message: Message) -> None:
        for left in reversed(range(self.tries)):
            answer = send(self.address, self.credentials, message, self.timeout)
            self._unreachable = not answer.reached
            if answer.delivered:
                return
            if answer.refused:
                self._end(f"Pushover refuses messages, so none is sent any more: {answer.words}")
                return
            if not left or not self._paused(message):
                break
        if not (self._over or self._is_old(message)):
            self._tell(f"A message could not be delivered to Pushover: {answer.words}.")

    def _paused(self, message: Message) -> bool:
        """Pause before the next try, or return False at once when there is no time or reason left for one."""
        until = monotonic() + self.pause
        with self._change:
            return not self._change.wait_for(
                lambda: self._over or self._is_old(message) or until > self._deadline, self.pause
            )

    def _is_old(self, message: Message) -> bool:
        return message.passing and bool(self._waiting)

    def _end(self, reason: str = "") -> None:
        """Send nothing any more; the reason is told unless all is over already."""
        if reason and not self._over:  # told first, for whoever waits in `close` may end the log as well
            self._told = False
            self._tell(reason)
        with self._change:
            self._over = True
            self._waiting.clear()
            self._change.notify_all()

    def _tell(self, text: str) -> None:
        """Log what was not delivered, once."""
        with self._change:
            told, self._told = self._told, True
        if not told:
            log.warning("%s", self.credentials.hide(text))
