"""Start the processes of a run on this machine, and see to it that they end together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from trainlib.errors import Interrupted, ProcessError, ResourceError
from trainlib.processes.console import Console
from trainlib.processes.failure import Failure, Failures
from trainlib.processes.group import CHECKPOINT
from trainlib.processes.machines import open_store, part
from trainlib.processes.place import Place
from trainlib.processes.sending import pickled_call

_PAUSE = 0.1
_GRACE = 6.0
"""Seconds in which a process may end by itself before it is killed."""
_ALONE = 30.0
"""Seconds that processes go on without the machine that holds the store."""
_NOBODY = -1


class _Member(NamedTuple):
    """A process that was started: its number among all, and the way to talk to it."""

    rank: int
    process: subprocess.Popen[bytes]
    connection: Connection


class Supervisor:
    """Runs a call in several processes at once, and returns what it returns in the first of them.

    The processes belong to it: they end when it is interrupted or killed, and when one of them fails, the others end
    too. It takes no part in what they compute, so that it can always answer.

    Args:
        call: What to run; it is pickled, and joins the other processes itself.
        local_size: Number of processes on this machine.
        nodes: Number of machines; on each of them a supervisor is started.
    """

    def __init__(self, call: Callable[[], Any], local_size: int, nodes: int = 1) -> None:
        self.call = call
        self.local_size = local_size
        self.nodes = nodes
        self._members: list[_Member] = []
        self._result: Any = None
        self._alone_since = 0.0
        self._deadline = 0.0  # of the processes that were asked to end

    def run(self) -> Any:
        """Start the processes, and wait until all have ended.

        Raises:
            Exception: The error of the process that failed first.
            Interrupted: A signal arrived.
        """
        call = pickled_call(self.call)
        store, address, port, node = open_store(self.local_size, self.nodes)
        failures = Failures(store, _NOBODY)
        try:
            for local_rank in range(self.local_size):
                rank = node * self.local_size + local_rank
                size = self.local_size * self.nodes
                here = Place(rank, size, local_rank, self.local_size, node, address, port, hosted=True)
                self._start(here, call)
            self._wait(failures)
        except Interrupted as interruption:
            if interruption.told_by is None:  # the signal arrived here
                noted = _noted(store)
                with contextlib.suppress(RuntimeError):  # the first machine may be gone
                    failures.announce(Failure.of(interruption, _NOBODY))
                self._end()
                interruption.checkpoint = _existing(noted)
            raise
        finally:
            self._kill()
            part(store, node, self._deadline or time.monotonic() + _GRACE)
        return self._result

    def _start(self, place: Place, call: bytes) -> None:
        ours, theirs = Pipe()
        packages = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trainlib.processes.member", str(theirs.fileno())],
            env=_threads(place.local_size) | os.environ | {"PYTHONPATH": packages} | place.variables(),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # a signal from the terminal is for the supervisor alone, which passes it on
        )
        theirs.close()
        self._members.append(_Member(place.rank, process, ours))
        ours.send((Console.of_this_process(), call))

    def _wait(self, failures: Failures) -> None:
        """Wait until all have ended; the first failure is that of all."""
        while [member for member in self._members if member.process.poll() is None]:
            self._listen()
            self._end_with(failures)
        self._end_with(failures)
        self._listen(0)

    def _end_with(self, failures: Failures) -> None:
        """End all processes where one has failed, here or on another machine.

        Raises:
            TrainlibError: Its error, with from where the training can be continued.
            Interrupted: It was interrupted.
        """
        failure = self._failure(failures)
        if failure is None:
            return
        noted = _noted(failures.store)  # before the first machine, which holds the store, may be gone
        self._end(but=failure.rank)
        error = failure.error()
        if isinstance(error, Interrupted | ResourceError):
            error.checkpoint = _existing(noted)
        raise error

    def _listen(self, seconds: float = _PAUSE) -> None:
        """Take what the processes return."""
        connections = [member.connection for member in self._members if not member.connection.closed]
        if not connections:
            time.sleep(seconds)
        for connection in wait(connections, seconds):
            assert isinstance(connection, Connection)
            try:
                self._result = connection.recv()
            except (EOFError, OSError):
                connection.close()

    def _failure(self, failures: Failures) -> Failure | None:
        """Return what failed first, in a process here or on another machine."""
        ended = next(((member.rank, status) for member in self._members if (status := member.process.poll())), None)
        try:
            told = failures.first()  # read after the status: a process tells why, and then ends
            if told is None and ended is not None:
                told = failures.announce(Failure.of(_death(*ended), _NOBODY))
            return told
        except RuntimeError:  # the first machine, which holds the store, may just have come to its end a little earlier
            self._alone_since = self._alone_since or time.monotonic()
        if ended is not None:
            return Failure.of(_death(*ended), _NOBODY)
        if time.monotonic() - self._alone_since > _ALONE:
            return Failure.of(ProcessError("The first machine is not reached any more; see what it says."), _NOBODY)
        return None

    def _end(self, but: int = _NOBODY) -> None:
        """Ask the processes to end, but for one that does already, and wait as long as they may take for it."""
        for member in self._members:
            if member.process.poll() is not None:
                _kill_group(member)  # its workers keep connections open, at which the others would wait
            elif member.rank != but:
                member.process.terminate()  # the failure that was told says which signal it was
        self._deadline = time.monotonic() + _GRACE
        for member in self._members:
            with contextlib.suppress(subprocess.TimeoutExpired):
                member.process.wait(max(0.0, self._deadline - time.monotonic()))

    def _kill(self) -> None:
        """Kill what is left of the processes, and of those that they have started."""
        for member in self._members:
            _kill_group(member)
            member.process.wait()
            member.connection.close()


def _kill_group(member: _Member) -> None:
    """Kill a process and those that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(member.process.pid, signal.SIGKILL)


def _noted(store: Any) -> Path | None:
    """Return the checkpoint that the training has left word of, None where there is none or the store is gone."""
    try:
        return Path(store.get(CHECKPOINT).decode()) if store.check([CHECKPOINT]) else None
    except RuntimeError:
        return None


def _existing(checkpoint: Path | None) -> Path | None:
    return checkpoint if checkpoint is not None and checkpoint.is_file() else None


def _threads(processes: int) -> dict[str, str]:
    """Return the variable that shares the cores of this machine among its processes; the user's own wins over it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return {"OMP_NUM_THREADS": str(max(1, cores // processes))}


def _death(rank: int, status: int) -> ProcessError | ResourceError:
    """Say how a process ended that could not say it itself."""
    if status == -signal.SIGKILL:
        return ResourceError(
            f"Process {rank} was killed by the system, most likely because memory ran out. Lower data.batch_size, "
            "data.num_workers or trainer.devices, or set data.cache to disk, which keeps no case in memory."
        )
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return ProcessError(f"Process {rank} {how}; what it said stands above.")
