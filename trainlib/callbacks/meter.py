"""The process that measures energy, seen from the training."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("measuring.py")


@dataclass(frozen=True)
class Reading:
    """What was used until now.

    Attributes:
        seconds: Time that was measured.
        kwh: Energy in kWh.
        country: Alpha-3 code of the country that was looked up, None where that failed or is still to come.
        cpu: Name of the processor.
        tracking: How the power of each part of the machine is known.
        codecarbon: Version of codecarbon.
    """

    seconds: float
    kwh: float
    country: str | None
    cpu: str
    tracking: str
    codecarbon: str


class Meter:
    """Runs `measuring` beside the training, so that neither waits for the other.

    Args:
        folder: Where codecarbon looks for settings of its own, in ``.codecarbon.config``; there are none in a run
            folder, so that they change no figures.
        gpus: UUIDs of the GPUs that count; None counts all.
        address: Address that tells the country; None asks nobody.
    """

    def __init__(self, folder: Path, gpus: list[str] | None, address: str | None) -> None:
        self.folder = folder
        self.gpus = gpus
        self.address = address
        self.failed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._unanswered = 0
        self._newest: Reading | None = None

    def start(self) -> None:
        """Start the process and ask for the first reading, which comes when codecarbon is ready."""
        settings = {"gpus": self.gpus, "address": self.address, "parent": os.getpid()}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM), json.dumps(settings)],
            cwd=self.folder,
            env=_environment(self.folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the training alone
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._listener.start()
        self._order("read")

    def read(self, patience: float) -> Reading | None:
        """Return the newest reading, without any wait as long as codecarbon is not ready.

        Args:
            patience: Seconds to wait for a new reading, which takes a millisecond; an earlier one is taken after that.
        """
        self.ask()
        self._collect(patience if self._newest else 0)
        return self._newest

    def ask(self) -> None:
        """Ask for a new reading, unless one is still to come, so that `read` finds it ready."""
        self._collect(0)
        if not self._unanswered:
            self._order("read")

    def finish(self, patience: float) -> Reading | None:
        """Return the last reading, and wait for the country and for codecarbon to be ready too."""
        self._order("last")
        self._collect(patience)
        return self._newest

    def stop(self) -> None:
        """End the process, and what codecarbon may have started to look at the hardware."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()
        if self._listener is not None:
            self._listener.join(1)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _order(self, order: str) -> None:
        if self.failed or self._process is None or self._process.stdin is None:
            return
        with suppress(OSError):  # the process has ended, as `_listen` is about to tell
            self._process.stdin.write(f"{order}\n".encode())
        self._unanswered += 1

    def _collect(self, patience: float) -> None:
        """Take the answers that are there, and wait for those that are not."""
        deadline = time.monotonic() + patience
        while self._unanswered:
            try:
                message = self._messages.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if message is None or "error" in message:
                self._fail(message)
                return
            self._unanswered -= 1
            self._newest = Reading(**message)

    def _fail(self, message: dict[str, Any] | None) -> None:
        reason = "its process ended" if message is None else message["error"]
        self.failed = True
        self._unanswered = 0
        log.warning("Energy and CO2 are not measured any further: codecarbon failed (%s).", reason)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what the process says; None is its end."""
        assert process.stdout is not None
        with suppress(OSError, ValueError):  # closed while we listen
            for line in process.stdout:
                self._messages.put(json.loads(line))
        self._messages.put(None)


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of the process: the same packages, and no settings of codecarbon from elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().startswith("codecarbon_")}
    packages = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    return kept | {"PYTHONPATH": packages, "HOME": str(folder), "USERPROFILE": str(folder)}
