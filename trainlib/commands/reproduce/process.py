"""Run the trainlib of a snapshot in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

from trainlib.commands.reproduce import REPETITION
from trainlib.commands.reproduce.environment import read_environment
from trainlib.commands.reproduce.original import Original
from trainlib.commands.reproduce.scratch import Scratch
from trainlib.errors import Interrupted
from trainlib.system.signals import interruptible

# What `-m trainlib` would do, after making sure whose code that is. The working directory comes last: a package of the
# user's own that lies in it is found, but takes the place of no other.
_PROGRAM = """
import os, sys
import trainlib
found, wanted = os.path.realpath(os.path.dirname(trainlib.__file__)), os.path.realpath(sys.argv.pop(1))
if found != wanted:
    sys.exit(f"The code of the snapshot is in {wanted}, but {found} was imported.")
sys.path.append(os.getcwd())
from trainlib.cli import main
main()
"""


def run_snapshot(original: Original, arguments: list[str], scratch: Scratch) -> int:
    """Run the snapshot's trainlib, and pass signals on to it; two interrupts by Ctrl-C do no harm.

    Args:
        original: The run.
        arguments: The words after ``trainlib``.
        scratch: The temporary folder that it uses.

    Returns:
        Its exit status; the number of a signal that ended it is negative.

    Raises:
        Interrupted: A signal arrived; the process has ended by now.
    """
    code = original.start / "trainlib"
    threads = read_environment(original.start).facts.get("threads")
    variables = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)) if threads else {}
    path = os.pathsep.join(filter(None, [str(code.parent), os.environ.get("PYTHONPATH")]))
    variables |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}  # the snapshot stays as it is
    # -P: not even a folder `trainlib` in the working directory comes before the snapshot.
    command = [sys.executable, "-P", "-c", _PROGRAM, str(code), *arguments]
    options: dict[str, Any] = {"pass_fds": (scratch.lock,)} if os.name == "posix" else {}
    process = None
    with interruptible():
        try:
            process = subprocess.Popen(
                command,
                env=os.environ | variables | {REPETITION: "1"},
                cwd=original.directory if original.directory.is_dir() else None,
                **options,
            )
            return process.wait()
        except Interrupted as interruption:
            if process is not None:
                with suppress(ValueError):  # Windows cannot pass Ctrl-C on; the console has sent it to both
                    process.send_signal(interruption.exit_status - 128)
                process.wait()
            raise
