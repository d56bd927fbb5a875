"""Run commands as processes of their own, and measure the processor time they take."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]


def trainlib(*arguments: str) -> list[str]:
    """Return the command line of trainlib in the environment that the benchmarks run in."""
    beside = Path(sys.executable).with_name("trainlib")
    program = str(beside) if beside.is_file() else shutil.which("trainlib")
    return [*([program] if program else [sys.executable, "-m", "trainlib"]), *arguments]


def environment() -> dict[str, str]:
    """Return the environment of a command: this package can be imported, and one thread computes."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def processor_time(command: Sequence[str], *, status: int | None = 0) -> float:
    """Run a command, its output aside, and return the processor time that it and its children took, in s.

    Args:
        command: The command line.
        status: The exit status it must have; None takes any.

    Raises:
        RuntimeError: It ended with another status; the end of its output follows.
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    child = subprocess.Popen(command, env=environment(), **pipes)  # type: ignore[call-overload]
    assert child.stdout is not None
    output = child.stdout.read()
    _, ended, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(ended)
    if status is not None and child.returncode != status:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}: {output.decode()[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def in_turn(*commands: Sequence[str], rounds: int = 5, status: int | None = 0) -> list[float]:
    """Run commands A B A B ..., after one round to warm up, and return the median of each in s of processor time."""
    taken = [[processor_time(command, status=status) for command in commands] for _ in range(rounds + 1)]
    return [median(times) for times in zip(*taken[1:], strict=True)]
