"""The store of processes that are started on several machines, which one supervisor on each of them shares."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from trainlib.errors import ConfigError, ProcessError
from trainlib.processes.place import Place
from trainlib.processes.store import connect, name_of

_OTHERS = "machines"
"""Count of the machines after the first that have reached the store and not left it yet."""


def open_store(local_size: int, nodes: int) -> tuple[Any, str, int, int]:
    """Hold the store on the first machine, and reach it from the others.

    Args:
        local_size: Number of processes on each machine.
        nodes: Number of machines.

    Returns:
        The store, its address and port, and the number of this machine.

    Raises:
        ConfigError: It is not said where the machines meet.
        ProcessError: They cannot meet there.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    address, port, node = "127.0.0.1", 0, 0
    if nodes > 1:
        try:
            address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            node = int(os.environ["NODE_RANK"])
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"trainer.num_nodes is {nodes}: start the command with srun or torchrun, or on each machine "
                f"with the variables MASTER_ADDR, MASTER_PORT and NODE_RANK (missing or no number: {error})."
            ) from None
    if node:
        store = connect(Place(node * local_size, nodes * local_size, 0, local_size, node, address, port))
        store.add(_OTHERS, 1)
        return store, address, port, node
    try:
        held = TCPStore(address, port, is_master=True, wait_for_workers=False)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ProcessError(f"The processes cannot meet at {address}:{port}: {reason}") from error
    return PrefixStore(name_of(0, 0), held), address, held.port, node


def part(store: Any, node: int, deadline: float) -> None:
    """Part from the other machines: the first goes last, for with it the store ends, and they may still ask it.

    Args:
        store: The store.
        node: Number of this machine.
        deadline: Until when the first waits for the others, by `time.monotonic`.
    """
    with contextlib.suppress(RuntimeError):  # the store may be gone
        if node:
            store.add(_OTHERS, -1)
            return
        while store.add(_OTHERS, 0) and time.monotonic() < deadline:
            time.sleep(0.02)
