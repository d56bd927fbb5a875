"""End a run in good order when Ctrl-C or SIGTERM arrives; on Linux and macOS at any rate within ten seconds."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from trainlib.errors import Interrupted

ENDING = 8.0
"""Seconds that a run has to end in good order."""
_PATIENCE = 3.0  # seconds of them that workers have to end by themselves
_MOMENT = 0.05  # seconds
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WINDOWS = os.name == "nt"


class _Interruption:
    """The handler of both signals.

    Attributes:
        number: The signal that has arrived, 0 before.
    """

    def __init__(self) -> None:
        self.number = 0
        self._arrived = 0.0
        self._owner = os.getpid()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise `Interrupted`; a second signal no longer disturbs the ending, unless that has got stuck."""
        if os.getpid() != self._owner:  # a worker forked before it chose handlers of its own
            os._exit(128 + number)
        if self.number and time.monotonic() - self._arrived < ENDING:
            return
        self.number, self._arrived = number, time.monotonic()
        if hasattr(signal, "SIGCHLD"):  # torch's handler would raise an error for a worker that ends now
            signal.signal(signal.SIGCHLD, _do_nothing)
        raise Interrupted(number)

    def again(self, number: int) -> None:
        """Send the signal once more, a moment later: Python ignored the error where it was raised."""
        self.number = 0
        timer = threading.Timer(_MOMENT, _send, (number,))
        timer.daemon = True
        timer.start()

    def led_to(self, error: BaseException) -> bool:
        """Tell whether an error says already what a signal has led to."""
        return isinstance(error, Interrupted) or (isinstance(error, SystemExit) and error.code == 128 + self.number)


def _send(number: int) -> None:
    """Send a signal to this process."""
    if _WINDOWS:  # where another way would end the process at once
        signal.raise_signal(number)
    else:
        os.kill(os.getpid(), number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `Interrupted` for the block, whatever else goes wrong while it ends.

    A block inside another one leaves the handlers to that.

    Raises:
        Interrupted: A signal arrived.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outer = signal.getsignal(signal.SIGTERM)
    if isinstance(outer, _Interruption):
        with _converted(outer):
            yield
        return
    interruption = _Interruption()
    before = {number: signal.getsignal(number) for number in _changed()}
    for number in _SIGNALS:
        signal.signal(number, interruption)
    try:
        with _converted(interruption), _never_ignored(interruption):
            yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # not one that a library in C has set
                signal.signal(number, handler)


def raise_if_swallowed() -> None:
    """Raise `Interrupted` once more where a signal has arrived and a library has swallowed the error.

    Raises:
        Interrupted: A signal arrived, and yet the program goes on.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if isinstance(handler, _Interruption) and handler.number:
        raise Interrupted(handler.number)


@contextmanager
def _converted(interruption: _Interruption) -> Iterator[None]:
    """Turn whatever an interrupted block ends with into `Interrupted`."""
    try:
        yield
    except BaseException as error:
        if not interruption.number or interruption.led_to(error):
            raise
        raise Interrupted(interruption.number) from error


@contextmanager
def _never_ignored(interruption: _Interruption) -> Iterator[None]:
    """Let no signal get lost that arrives where Python ignores errors, such as in a destructor or while it forks."""
    before = sys.unraisablehook

    def hook(ignored: sys.UnraisableHookArgs) -> None:
        if isinstance(ignored.exc_value, Interrupted):
            interruption.again(ignored.exc_value.exit_status - 128)
        elif not interruption.number:  # what is half built has no other end
            before(ignored)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _changed() -> list[signal.Signals]:
    """List the signals whose handlers an interruption changes."""
    return [*_SIGNALS, *([signal.SIGCHLD] if hasattr(signal, "SIGCHLD") else [])]


def _do_nothing(*_: Any) -> None:
    """Take no notice of a signal or an error."""


@contextmanager
def cut_off(say: Callable[[int], None]) -> Iterator[None]:
    """End the process of the block with the status of an interrupted one where that takes too long after a signal.

    Python tells of a signal in the main thread alone, which may be busy in a library or wait for a disk. This watches
    from a thread of its own. After a while it ends the workers, one of which may be preparing a large case.

    On Windows, which knows no fork, and outside of the main thread nothing is watched: there an ending takes as long as
    it takes.

    Args:
        say: Called with the number of the signal before the process is cut off.
    """
    if not hasattr(os, "register_at_fork") or threading.current_thread() is not threading.main_thread():
        yield
        return
    _let_children_keep_their_signals()
    over, (reader, writer) = threading.Event(), os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_watch, args=(reader, over, say), name="cut off", daemon=True).start()
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    except BaseException as error:
        if isinstance(error, Interrupted) or (isinstance(error, SystemExit) and error.code in _STATUSES):
            # Watched to the very end of the process, which may wait for workers even then.
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            sys.unraisablehook = _do_nothing
        else:
            over.set()
        raise
    else:
        over.set()
    finally:
        signal.set_wakeup_fd(before)
        os.write(writer, bytes(1))


_STATUSES = tuple(128 + number for number in _SIGNALS)


def _watch(reader: int, over: threading.Event, say: Callable[[int], None]) -> None:
    """Wait for a signal, and then for the end of the process."""
    number = 0
    while number not in _SIGNALS:
        number = os.read(reader, 1)[0]
        if over.is_set():
            return
    if over.wait(_PATIENCE):
        return
    for worker in multiprocessing.active_children():
        if worker.daemon:
            worker.kill()
    if not over.wait(ENDING - _PATIENCE):
        say(number)
        os._exit(128 + number)


@functools.cache
def _let_children_keep_their_signals() -> None:
    """Take a signal to a forked process, such as one that ends a worker, for none to this one."""
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
