"""Measure energy with codecarbon: the program that `meter` runs in a process of its own.

It imports nothing of trainlib. It reads orders from standard input, ``read`` or ``last``, and answers each with a line
of JSON on standard output: a reading, or the error that codecarbon ended with. The process of its own keeps away from
the training what codecarbon does to a process: log lines, threads, and a wait for hardware that does not answer.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading
import time
from importlib import import_module
from typing import Any, TextIO

import requests

LOOKUP_SECONDS = 1.5
"""The most that anything waits for the country to be looked up."""

_METHODS = {
    "intel_rapl": "RAPL",
    "windows_emi": "RAPL",
    "cpu_load": "cpu load x TDP",
    "constant": "constant TDP",
    "RAM": "from its size",
    "GPU": "its own counter",
}
"""codecarbon's modes of measuring a CPU, and its other parts of a machine, in plain words."""


class Lookup:
    """Asks the network in the background which country this machine is in.

    Args:
        address: Address of a service that answers with JSON that has a `country_code3`; None asks nobody.
    """

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.country: str | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._deadline = time.monotonic() + LOOKUP_SECONDS

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def wait(self) -> None:
        """Wait for the answer as long as is left of `LOOKUP_SECONDS`."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))

    def _ask(self) -> None:
        """Ask; every failure leaves the country unknown."""
        if self.address is None:
            return
        try:
            answer = requests.get(self.address, timeout=LOOKUP_SECONDS).json()
        except requests.RequestException:
            return
        code = answer.get("country_code3") if isinstance(answer, dict) else None
        if isinstance(code, str) and re.fullmatch("[A-Z]{3}", code.upper()):
            self.country = code.upper()


class Energy:
    """Reads the energy that this machine has used since `start`, through codecarbon.

    Args:
        gpus: UUIDs of the GPUs that count; None counts all that codecarbon finds.
    """

    def __init__(self, gpus: list[str] | None) -> None:
        self.gpus = gpus
        self.total: Any = None
        self._tracker: Any = None
        self._last_error = _LastError()

    def start(self) -> None:
        """Find the hardware and begin to measure."""
        codecarbon = import_module("codecarbon")
        logging.getLogger("codecarbon").addHandler(self._last_error)
        # Offline: the other tracker asks the network where it is and takes the grid of Quebec where that fails.
        self._tracker = codecarbon.OfflineEmissionsTracker(
            tracking_mode="machine",
            gpu_ids=indices(self.gpus),
            output_methods=[],
            output_handlers=[self],
            api_call_interval=-1,
            allow_multiple_runs=True,  # otherwise a lock file in the temporary folder refuses the second run
            log_level="warning",
        )
        self._tracker.start()

    def read(self) -> dict[str, Any]:
        """Return what was used until now.

        Raises:
            Exception: What went wrong in codecarbon, which only logs it.
        """
        self.total = None
        self._tracker.flush()
        if self.total is None:
            raise self._last_error.error or RuntimeError("it gave no reading")
        return {
            "seconds": self.total.duration,
            "kwh": self.total.energy_consumed,
            "cpu": self.total.cpu_model or "",
            "tracking": _tracking(getattr(self._tracker, "_hardware", [])),
            "codecarbon": self.total.codecarbon_version,
        }

    def out(self, total: Any, delta: Any) -> None:
        """Take what codecarbon hands to those that write its figures somewhere."""
        self.total = total


class _LastError(logging.Handler):
    """Keeps the last exception that was logged."""

    error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.error = record.exc_info[1]


def indices(gpus: list[str] | None) -> list[int] | None:
    """Return the numbers that NVIDIA's driver gives GPUs, which `CUDA_VISIBLE_DEVICES` does not change.

    Args:
        gpus: UUIDs, as PyTorch knows them; codecarbon asks for numbers.

    Returns:
        The numbers, or None, which counts all GPUs, where the driver does not know them.
    """
    if not gpus:
        return gpus if gpus is None else []
    try:
        pynvml: Any = import_module("pynvml")
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")) for uuid in gpus]
    except Exception:  # no such driver, as on AMD, or part of a GPU
        return None


def _tracking(parts: list[Any]) -> str:
    """Say how the power of each part of the machine is known."""
    kinds = {type(part).__name__: part for part in parts if getattr(part, "gpu_ids", None) != []}
    modes = {kind: getattr(part, "_mode", kind) for kind, part in kinds.items()}
    return "; ".join(f"{kind}: {_METHODS.get(mode, mode)}" for kind, mode in modes.items())


def _own_streams() -> tuple[TextIO, TextIO]:
    """Keep standard input and output to ourselves, so that nothing that a library prints comes between."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return orders, answers


def _end_with(parent: int) -> None:
    """End when the training is killed: its workers may hold the other end of standard input a while longer."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _serve(orders: TextIO, answer: Any, gpus: list[str] | None, address: str | None) -> None:
    lookup, energy = Lookup(address), Energy(gpus)
    lookup.start()
    energy.start()
    for order in orders:
        reading = energy.read()
        if order.strip() == "last":
            lookup.wait()
        answer(reading | {"country": lookup.country})


def main() -> None:
    """Answer orders until the training ends."""
    if hasattr(os, "nice"):
        os.nice(10)  # finding the hardware takes a second of a core that the training may need
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to a whole job; the training still asks for the last reading
    settings = json.loads(sys.argv[1])
    threading.Thread(target=_end_with, args=(settings["parent"],), daemon=True).start()
    orders, answers = _own_streams()

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        _serve(orders, answer, settings["gpus"], settings["address"])
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)  # at once, whatever threads of codecarbon still wait for


if __name__ == "__main__":
    main()
