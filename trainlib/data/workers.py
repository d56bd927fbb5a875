"""How many processes prepare cases, and what they need of the machine."""

from __future__ import annotations

import os
import signal

import torch.multiprocessing

from trainlib.config.schema import Config
from trainlib.data.machine import available_memory, usable_cores
from trainlib.memory import memory_remedy

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

FEW_OPEN_FILES = 1024
"""With fewer open files allowed, tensors travel between processes through named files instead of descriptors."""
_FILES_PER_WORKER = 16
_FILES_OF_A_RUN = 64
_MOST_WORKERS = 8
# What torch says where /dev/shm, through which tensors leave a worker, has no room left.
_NO_SHARED_MEMORY = ("out of shared memory", "shared memory(shm)", "file </torch_")


def prepare_open_files() -> int:
    """Raise the soft limit of open files to the hard one; where that is too low, share tensors by name.

    Every tensor on its way from a worker holds a file descriptor. A low limit ends in ``RuntimeError: received
    0 items of ancdata``.

    Returns:
        The number of files that may be open from now on.
    """
    if resource is None:
        return FEW_OPEN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # macOS reports a hard limit that it does not grant
            pass
    limit = FEW_OPEN_FILES * 1024 if soft == resource.RLIM_INFINITY else soft
    if limit < FEW_OPEN_FILES and "file_system" in torch.multiprocessing.get_all_sharing_strategies():
        torch.multiprocessing.set_sharing_strategy("file_system")
    return limit


def choose_workers(cases: int, case_bytes: int, open_files: int, processes: int = 1) -> int:
    """Choose the number of workers from cores, memory and open files.

    Args:
        cases: Number of cases; more workers than cases have nothing to do.
        case_bytes: Memory that one prepared case takes.
        open_files: Number of files that may be open.
        processes: Training processes that share the machine.

    Returns:
        A number of workers; 0 prepares the cases in the training process itself.
    """
    # A worker holds the case it loads, what the transforms make of it, and a few that wait to be fetched.
    by_memory = int(available_memory() / 2 / max(processes, 1) / max(8 * case_bytes + 300 * 2**20, 1))
    by_files = (open_files - _FILES_OF_A_RUN) // _FILES_PER_WORKER
    by_cores = usable_cores() // max(processes, 1) - 1
    return max(0, min(by_cores, by_memory, by_files, cases, _MOST_WORKERS))


def start_worker(worker_id: int) -> None:
    """Let only the training process answer to Ctrl-C and SIGTERM, which a terminal or a queue sends to all.

    A worker that SIGTERM killed would look like one that died for lack of memory; one that ends by itself does not.
    """
    del worker_id
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def explain_worker_death(error: BaseException, config: Config | None = None) -> str | None:
    """Put the death of a worker, which is nearly always a lack of memory, into words.

    Args:
        error: What the training ended with.
        config: The config, to tell present values.

    Returns:
        What happened and the settings that help; None for any other error.
    """
    text = str(error).strip()
    if "received 0 items of ancdata" in text or "Too many open files" in text:
        return (
            "Too many files were open at once. Raise the limit (`ulimit -n 65536`) or set data.num_workers to a "
            f"lower value{_now(config, 'num_workers')}."
        )
    if any(sign in text for sign in _NO_SHARED_MEMORY):
        return (
            "The memory that processes share (/dev/shm) is full. Raise its size (`docker run --shm-size=8g`), or lower "
            f"data.num_workers{_now(config, 'num_workers')} or data.batch_size{_now(config, 'batch_size')}. "
            f"(The system said: {text.splitlines()[-1]})"
        )
    if "DataLoader worker" not in text or "Caught" in text:
        return None
    if not any(word in text for word in ("exited unexpectedly", "killed by signal")):
        return None
    return (
        "A process that prepares cases was ended by the system, most likely because memory ran out. "
        f"{memory_remedy(config)} (The system said: {text.splitlines()[0]})"
    )


def _now(config: Config | None, name: str) -> str:
    """Write the present value of a setting of `data`, as in `` (now 4)``."""
    return f" (now {getattr(config.data, name)})" if config is not None else ""
