"""The command line without the seconds of its imports: a process that has made them, and forks for each command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
_LIMIT = 300  # seconds that a command may take


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Exit status, negative for a signal that ended it.
        out: What it printed.
        errors: What it printed to standard error.
        seconds: How long it took from the moment at which something struck it, or else from its start.
    """

    status: int
    out: str
    errors: str
    seconds: float


class Zygote:
    """Starts `trainlib` in processes of their own, each in a session of its own.

    Args:
        folder: Where the output of the commands is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.zygote import serve; serve()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, cwd: Path | None = None, strike: dict[str, Any] | None = None) -> Ended:
        """Run a command to its end.

        Args:
            arguments: The words after `trainlib`.
            cwd: Its working directory, that of the tests by default.
            strike: Arguments of `strike`.
        """
        words, folder = [str(word) for word in arguments], str(self.folder)
        order = {"arguments": words, "cwd": str(cwd or Path.cwd()), "strike": strike, "folder": folder}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status, began, ended = json.loads(self._process.stdout.readline())
        out, errors = ((self.folder / name).read_text() for name in ("out.txt", "errors.txt"))
        return Ended(status, out, errors, ended - began)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def serve() -> NoReturn:
    """Import everything, then fork for each order on standard input."""
    import monai.inferers
    import monai.losses
    import monai.networks.nets
    import monai.transforms  # noqa: F401

    import trainlib.cli
    import trainlib.report.page
    import trainlib.run  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        folder = Path(order["folder"])
        (folder / "struck.txt").unlink(missing_ok=True)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(order, folder)
        status = _status_of(child)
        struck = folder / "struck.txt"
        began = float(struck.read_text()) if struck.is_file() else began
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), began, time.monotonic()]) + "\n")
        sys.stdout.flush()
    os._exit(0)  # at once, for there is nothing to clean up


def _status_of(child: int) -> int:
    """Wait for a process, and kill it with its session when it takes too long."""
    watchdog = threading.Timer(_LIMIT, os.killpg, (child, signal.SIGKILL))
    watchdog.start()
    _, status = os.waitpid(child, 0)
    watchdog.cancel()
    watchdog.join()  # the next command is forked from a process without threads
    return status


def _become(order: dict[str, Any], folder: Path) -> NoReturn:
    """Be the command, in this process."""
    status: Any = 70
    try:
        os.setsid()
        os.chdir(order["cwd"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for number, name in ((1, "out.txt"), (2, "errors.txt")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.environ["COLUMNS"] = "200"
        if order["strike"]:
            strike(folder, **order["strike"])
        sys.argv = ["trainlib", *order["arguments"]]
        from trainlib.cli import main

        main()
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def strike(folder: Path, moment: str, nth: int = 1, fill: str = "", **signal_: Any) -> None:
    """Strike this process at a moment.

    Args:
        folder: Where the time of it is noted.
        moment: As in `moments`.
        nth: The first time is 1.
        fill: A disk to fill up; without it a signal is sent.
        signal_: Arguments of `moments.send`.
    """
    from tests.crashes import moments

    act = _fill(Path(fill)) if fill else moments.send(**({"number": signal.SIGTERM} | signal_))

    def noted() -> None:
        note = folder / f"struck-{os.getpid()}.txt"
        note.write_text(repr(time.monotonic()))
        os.replace(note, folder / "struck.txt")  # whole at any moment: another worker may strike this one meanwhile
        act()

    moments.install(moments.Strike(moment, noted, nth))


def _fill(disk: Path) -> Callable[[], None]:
    def act() -> None:
        with (disk / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    return act
