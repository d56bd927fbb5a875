"""Ray, started on this machine for a block and stopped after it, or a running cluster that is joined."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trainlib
from trainlib.errors import ConfigError, Interrupted, ResourceError

log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds within which a machine must answer


@contextmanager
def cluster(address: str | None = None, *, cpus: int | None = None) -> Iterator[Any]:
    """Connect to Ray for a block, in which signals do what they did outside of it.

    Args:
        address: Address of a running cluster, such as ``10.0.0.1:6379`` or ``auto``; None starts Ray on this machine
            alone and stops it after the block.
        cpus: Processors that Ray may use on this machine; by default all.

    Yields:
        The package ``ray``.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at the address.
        ResourceError: Ray cannot be started.
        Interrupted: A signal arrived, where that is what signals lead to.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "The package ray is missing, which runs several trainings side by side. Install trainlib with its extra "
            "`tune`: pip install 'trainlib[tune]'."
        ) from None
    if address is not None:
        _check_reachable(address)
    with _interruptions_kept():
        with _handlers_kept():
            _connect(ray, address, cpus)
        own = _own_files(ray) if address is None else None
        try:
            yield ray
        finally:
            ray.shutdown()
            if own is not None:
                shutil.rmtree(own, ignore_errors=True)


def _connect(ray: Any, address: str | None, cpus: int | None) -> None:
    """Start Ray, or join a cluster, and put what goes wrong into words."""
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **settings)
        else:  # whose dashboard is its own
            ray.init(address=address, runtime_env=_own_code(), **settings)
    except (ConnectionError, ValueError) as error:
        if address is None:
            raise ResourceError(f"Ray could not be started: {_first_line(error)}.") from error
        raise _no_cluster(address, _first_line(error)) from None
    except (RuntimeError, OSError) as error:
        raise ResourceError(f"Ray could not be started: {_first_line(error)}.") from error


def _own_files(ray: Any) -> Path | None:
    """Return the folder of logs and sockets of the Ray that was started here, which Ray itself leaves behind."""
    node = getattr(ray._private.worker, "_global_node", None)
    return None if node is None else Path(node.get_session_dir_path())


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Put the handlers of signals back that Ray replaces by its own while it connects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit as error:
        if error.code == signal.SIGTERM and callable(handler := before[signal.SIGTERM]):  # Ray's has got it
            handler(signal.SIGTERM, None)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _interruptions_kept() -> Iterator[None]:
    """Keep what a handler raises while Ray waits; it comes out as the cause of another error."""
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, Interrupted):
            raise error.__cause__ from None
        raise


def _check_reachable(address: str) -> None:
    """Tell at once that nobody answers at an address, for which Ray takes ten minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"--address {address}: expected HOST:PORT, such as 10.0.0.1:6379, or auto.")
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, _first_line(error)) from None


def _no_cluster(address: str, reason: str) -> ConfigError:
    return ConfigError(f"--address {address}: there is no cluster to join ({reason}). `ray start --head` begins one.")


def share(ray: Any, parallel: int) -> dict[str, float]:
    """Divide what the cluster has among trainings that run side by side.

    Args:
        ray: The package, connected.
        parallel: Number of trainings.

    Returns:
        Arguments of ``ray.remote``: processors and GPUs of each training, never more than one machine has.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = _share([machine.get("CPU", 0.0) for machine in machines], parallel)
    gpus = min(1.0, _share([machine.get("GPU", 0.0) for machine in machines], parallel))
    return {"num_cpus": cpus, "num_gpus": gpus}


def _share(amounts: list[float], parallel: int) -> float:
    """Find the largest share of which `parallel` fit on machines with the given amounts; whole from 1 on."""
    most = max(amounts, default=0.0)
    if most <= 0:
        return 0.0
    for whole in range(int(most), 0, -1):
        if sum(int(amount // whole) for amount in amounts) >= parallel:
            return float(whole)
    parts = next(n for n in range(2, parallel + 2) if sum(int(amount * n) for amount in amounts) >= parallel)
    return math.floor(1e4 / parts) / 1e4  # Ray knows four digits behind the point


def _own_code() -> dict[str, Any]:
    """Send this very trainlib to the workers, whatever they have installed."""
    return {"py_modules": [str(Path(trainlib.__file__).parent)]}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
