"""One failure for all processes: the first that fails says why, and the others end with the same error."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import asdict, dataclass
from typing import Any

from trainlib import errors
from trainlib.errors import InputError, Interrupted, Problem, ProcessError, TrainlibError

_KEY = "failure"
_PATIENCE = 5.0
"""Seconds in which a process that broke off a connection says why."""
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "Gloo", "gloo", "TCPStore")


@dataclass(frozen=True)
class Failure:
    """Why a process failed, in a form that another can read.

    Attributes:
        rank: Number of the process; -1 is the one that started the others.
        host: Its machine.
        kind: Class of the error in `trainlib.errors`; empty for any other.
        text: The message.
        problems: Text and place of each mistake, where it is in the user's input.
        signal: Number of the signal that interrupted it.
    """

    rank: int
    host: str
    kind: str
    text: str
    problems: tuple[tuple[str, str], ...] = ()
    signal: int = 0

    @classmethod
    def of(cls, error: BaseException, rank: int) -> Failure:
        """Describe an error of this process."""
        kind = next((base.__name__ for base in type(error).__mro__ if base.__module__ == errors.__name__), "")
        text = str(error).strip() or type(error).__name__
        text = text if kind else f"{type(error).__name__}: {text.splitlines()[0]}"
        problems = tuple((p.text, p.where) for p in error.problems) if isinstance(error, InputError) else ()
        signal = error.exit_status - 128 if isinstance(error, Interrupted) else 0
        return cls(rank, socket.gethostname(), kind, text, problems, signal)

    @classmethod
    def read(cls, text: str) -> Failure:
        """Read what `write` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"problems": tuple((where, place) for where, place in fields["problems"])})

    def write(self) -> str:
        """Write the failure as text."""
        return json.dumps(asdict(self))

    def error(self) -> TrainlibError | Interrupted:
        """Make the error again, to be told by the process that failed; it is named, unless the input was wrong."""
        error = self._error()
        error.told_by = self.rank
        return error

    def _error(self) -> TrainlibError | Interrupted:
        kind: Any = getattr(errors, self.kind) if self.kind else ProcessError
        if kind is Interrupted:
            return Interrupted(self.signal)
        if issubclass(kind, InputError):
            return kind([Problem(text, where) for text, where in self.problems])
        own = self.rank < 0 or self.kind == ProcessError.__name__
        return kind(self.text if own else f"Process {self.rank} on {self.host}: {self.text}")


class Failures:
    """Where processes tell each other that they failed.

    Args:
        store: A store of torch that all of them reach.
        rank: Number of this process.
    """

    def __init__(self, store: Any, rank: int) -> None:
        self.store = store
        self.rank = rank
        self.known: Failure | None = None

    def announce(self, failure: Failure) -> Failure:
        """Tell a failure, and return the first that was told."""
        return Failure.read(self.store.compare_set(_KEY, "", failure.write()).decode())

    def first(self) -> Failure | None:
        """Return the first failure, None where nobody has failed."""
        if self.known is None and self.store.check([_KEY]):
            self.known = Failure.read(self.store.get(_KEY).decode())
        return self.known

    def agree(self, error: BaseException) -> BaseException:
        """Tell the error of this process, and return the one that all end with; the store may be gone already."""
        try:
            if is_lost_connection(error):
                error = self._reason(error)
            first = self.known or self.announce(Failure.of(error, self.rank))
        except RuntimeError:
            gone = ProcessError("The first process has ended; it says why.")
            gone.told_by = 0
            return gone
        if first.rank != self.rank:
            return first.error()
        if isinstance(error, TrainlibError | Interrupted):
            error.told_by = self.rank
        return error

    def _reason(self, error: BaseException) -> BaseException:
        """Wait for whoever broke off the connection to say why; else that it is lost is all that is known."""
        deadline = time.monotonic() + _PATIENCE
        while (first := self.first()) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if first is not None:
            return error
        line = str(error).strip().splitlines()[0].partition(". ")[0]
        return ProcessError(f"Process {self.rank} has lost the connection to another one, which has ended. ({line})")


def is_lost_connection(error: BaseException) -> bool:
    """Tell whether an error only says that another process is gone."""
    import torch.distributed

    if isinstance(error, torch.distributed.DistError):
        return True
    return type(error) is RuntimeError and any(word in str(error) for word in _LOST)
