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

from trainlib.errors import ConfigError, Interrupted, ProcessError, ResourceError, TrainlibError
from trainlib.processes.console import Console
from trainlib.processes.failure import Failure, Failures
from trainlib.processes.group import CHECKPOINT
from trainlib.processes.place import Place
from trainlib.processes.store import connect, name_of

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

    def run(self) -> Any:
        """Start the processes, and wait until all have ended.

        Raises:
            Exception: The error of the process that failed first.
            Interrupted: A signal arrived.
        """
        store, address, port, node = self._open_store()
        failures = Failures(store, _NOBODY)
        try:
            for local_rank in range(self.local_size):
                rank = node * self.local_size + local_rank
                size = self.local_size * self.nodes
                self._start(Place(rank, size, local_rank, self.local_size, node, address, port, hosted=True))
            self._wait(failures)
        except Interrupted as interruption:
            failures.announce(Failure.of(interruption, _NOBODY))
            self._end()
            interruption.checkpoint = _checkpoint(store)
            raise
        finally:
            self._kill()
        return self._result

    def _open_store(self) -> tuple[Any, str, int, int]:
        """Hold the store on the first machine, and reach it from the others."""
        from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

        address, port, node = "127.0.0.1", 0, 0
        if self.nodes > 1:
            try:
                address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
                node = int(os.environ["NODE_RANK"])
            except (KeyError, ValueError) as error:
                raise ConfigError(
                    f"trainer.num_nodes is {self.nodes}: start the command with srun or torchrun, or on each machine "
                    f"with the variables MASTER_ADDR, MASTER_PORT and NODE_RANK (missing or no number: {error})."
                ) from None
        if node:
            place = Place(node * self.local_size, self.nodes * self.local_size, 0, self.local_size, node, address, port)
            return connect(place), address, port, node
        try:
            store = TCPStore(address, port, is_master=True, wait_for_workers=False)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise ProcessError(f"The processes cannot meet at {address}:{port}: {reason}") from error
        return PrefixStore(name_of(0, 0), store), address, store.port, node

    def _start(self, place: Place) -> None:
        ours, theirs = Pipe()
        packages = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trainlib.processes.member", str(theirs.fileno())],
            env=os.environ | {"PYTHONPATH": packages} | place.variables(),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # a signal from the terminal is for the supervisor alone, which passes it on
        )
        theirs.close()
        self._members.append(_Member(place.rank, process, ours))
        ours.send((Console.of_this_process(), self.call))

    def _wait(self, failures: Failures) -> None:
        """Wait until all have ended; the first failure is that of all."""
        while [member for member in self._members if member.process.poll() is None]:
            self._listen()
            failure = self._failure(failures)
            if failure is not None:
                self._end(but=failure.rank)
                raise _error(failure, failures.store)
        failure = self._failure(failures)
        if failure is not None:
            raise _error(failure, failures.store)
        self._listen(0)

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
            if member.rank != but and member.process.poll() is None:
                member.process.terminate()  # the failure that was told says which signal it was
        deadline = time.monotonic() + _GRACE
        for member in self._members:
            with contextlib.suppress(subprocess.TimeoutExpired):
                member.process.wait(max(0.0, deadline - time.monotonic()))

    def _kill(self) -> None:
        """Kill what is left of the processes, and of those that they have started."""
        for member in self._members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(member.process.pid, signal.SIGKILL)
            member.process.wait()
            member.connection.close()


def _error(failure: Failure, store: Any) -> TrainlibError | Interrupted:
    """Make the error of a failure, with from where the training can be continued."""
    error = failure.error()
    if isinstance(error, Interrupted | ResourceError):
        error.checkpoint = _checkpoint(store)
    return error


def _checkpoint(store: Any) -> Path | None:
    """Return from where a training can be continued, by what it has left word of."""
    path = Path(store.get(CHECKPOINT).decode()) if store.check([CHECKPOINT]) else None
    return path if path is not None and path.is_file() else None


def _death(rank: int, status: int) -> ProcessError | ResourceError:
    """Say how a process ended that could not say it itself."""
    if status == -signal.SIGKILL:
        return ResourceError(
            f"Process {rank} was killed by the system, most likely because memory ran out. Lower data.batch_size, "
            "data.num_workers or trainer.devices, or set data.cache to disk, which keeps no case in memory."
        )
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return ProcessError(f"Process {rank} {how}; what it said stands above.")
