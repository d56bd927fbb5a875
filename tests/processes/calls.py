"""What the tests let several processes do; torch is imported only where it is needed."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from trainlib.errors import DataError, Interrupted, Problem, ResourceError
from trainlib.processes import agreed, broadcast, decided, gather, interleaved, joined, meet, note, place, rank, size
from trainlib.system.signals import interruptible

log = logging.getLogger("trainlib.tests")


def who() -> tuple[int, int, int, int]:
    """Return the place of this process."""
    here = place()
    assert here is not None
    return here.rank, here.size, here.local_rank, here.local_size


def together(call: Any) -> Any:
    """Join the other processes, and call something."""
    here = place()
    assert here is not None
    with interruptible(), joined(here, cuda=False):
        return call()


def twice(call: Any) -> list[Any]:
    """Join the other processes two times, and call something each time."""
    return [together(call), together(call)]


def talk() -> dict[str, Any]:
    """Use everything that processes tell each other."""
    told = {
        "rank": gather(rank()),
        "size": size(),
        "broadcast": gather(broadcast(f"from {rank()}")),
        "decided": gather(decided(lambda: [rank(), "chosen"])),
        "interleaved": interleaved([f"{rank()}.{number}" for number in range(3 - rank())]),
    }
    time.sleep(0.3 * rank())
    meet()
    return told


def decide_wrongly() -> None:
    """Let the first process choose what it cannot, and take longer to end than the others."""
    try:
        decided(refuse)
    finally:
        if rank() == 0:
            time.sleep(1.5)


def fail_and_try_again(folder: str) -> None:
    """Do two runs, of which the first fails, and note what each process has learnt."""
    try:
        together(decide_wrongly)
    except DataError as error:
        told = [str(error), together(talk)["rank"]]
    Path(folder, os.environ["SLURM_PROCID"]).write_text(json.dumps(told))


def threads() -> str | None:
    """Return the number of threads that OpenMP is told to use."""
    return os.environ.get("OMP_NUM_THREADS")


def end_late(checkpoint: str, ready: str) -> None:
    """Leave word of a checkpoint, and sleep; the second process takes a while to end."""
    note("checkpoint", checkpoint)
    Path(f"{ready}.{rank()}").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        time.sleep(2 * rank())


def refuse() -> None:
    """Find two mistakes in the input."""
    raise DataError([Problem("is empty.", "a.csv:2"), Problem("is missing.", "a.csv:3")])


def fail_in_one(which: int, how: str, log_file: str) -> None:
    """Fail in one process, while the others wait for it in a collective, and note what each of them ends with."""
    try:
        with agreed():
            gather(rank())
            if rank() == which:
                fail(how)
            gather(rank())
    except BaseException as error:
        with Path(f"{log_file}.{rank()}").open("w") as file:
            file.write(f"{type(error).__name__}: {error}")
        raise


def fail(how: str) -> None:
    """End in one of many ways."""
    if how == "input":
        refuse()
    elif how == "resource":
        raise ResourceError("The GPU ran out of memory.")
    elif how == "bug":
        raise ZeroDivisionError("by zero")
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(5)


def fail_without_meeting() -> None:
    """Fail in one process, while the others wait outside of any collective."""
    if rank() == 1:
        raise ResourceError("no room")
    meet()


def sleep_after_note(checkpoint: str, ready: str) -> None:
    """Leave word of a checkpoint, and sleep in a way that a signal ends; one process is stuck in a collective."""
    note("checkpoint", checkpoint)
    Path(f"{ready}.{rank()}").write_text(str(os.getpid()))
    if rank() == 0:
        gather(rank())
    time.sleep(60)


def stand_still(ready: str) -> None:
    """Heed no signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(f"{ready}.{os.environ['RANK']}").write_text(str(os.getpid()))
    time.sleep(60)


def speak() -> None:
    """Log a message and a warning."""
    if rank():
        from trainlib.processes.console import only_warnings

        only_warnings(rank())
    log.info("told once")
    log.warning("told by each")


def interrupt_one() -> None:
    """Get SIGTERM in one process alone, as from a user who knows only this one."""
    if rank() == 1:
        raise Interrupted(signal.SIGTERM)
    gather(rank())


def torch_is_loaded() -> bool:
    """Tell whether torch was imported."""
    return "torch" in sys.modules
