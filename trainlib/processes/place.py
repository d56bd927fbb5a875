"""Which of several processes this one is, by the variables that torchrun, SLURM or trainlib itself has set."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

_NO_STEP = 0xFFFFFFF0
"""From this number on SLURM names what is no step of `srun`: the batch script, or the shell of an interactive job."""
_PORTS = range(15000, 32768)  # Linux gives those above to whoever asks for any
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """The place of a process among those of its run.

    Attributes:
        rank: Number of the process, from 0 on.
        size: Number of processes.
        local_rank: Number of the process on its machine.
        local_size: Number of processes on its machine.
        node: Number of the machine.
        address: Host name or address of the machine that holds the store.
        port: Port of the store there.
        hosted: Whether somebody else, such as torchrun, holds the store; else the first process does.
        attempt: How often torchrun has started the processes anew.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    node: int
    address: str
    port: int
    hosted: bool = False
    attempt: int = 0

    @property
    def nodes(self) -> int:
        """Number of machines."""
        return self.size // self.local_size

    def variables(self) -> dict[str, str]:
        """Return the variables that tell a process that this is its place, as torch and torchrun name them."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(self.local_rank),
            "LOCAL_WORLD_SIZE": str(self.local_size),
            "GROUP_RANK": str(self.node),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
            "TORCHELASTIC_USE_AGENT_STORE": str(self.hosted),
        }


def place(variables: Mapping[str, str] = os.environ) -> Place | None:
    """Return the place of this process, None where it was started alone."""
    # torchrun first: it may itself have been started by SLURM.
    found = _from_torch(variables) or _from_slurm(variables)
    return found if found and found.size > 1 else None


def _from_torch(variables: Mapping[str, str]) -> Place | None:
    if any(name not in variables for name in _VARIABLES):
        return None
    rank, local_size = int(variables["RANK"]), int(variables.get("LOCAL_WORLD_SIZE", 1))
    return Place(
        rank=rank,
        size=int(variables["WORLD_SIZE"]),
        local_rank=int(variables.get("LOCAL_RANK", 0)),
        local_size=local_size,
        node=int(variables.get("GROUP_RANK", rank // local_size)),
        address=variables["MASTER_ADDR"],
        port=int(variables["MASTER_PORT"]),
        hosted=variables.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        attempt=int(variables.get("TORCHELASTIC_RESTART_COUNT", 0)),
    )


def _from_slurm(variables: Mapping[str, str]) -> Place | None:
    """Read what `srun` sets; what it did not start has no number of a step, or a reserved one."""
    step = int(variables.get("SLURM_STEP_ID", _NO_STEP))
    if step >= _NO_STEP or "SLURM_PROCID" not in variables:
        return None

    def of_step(name: str, of_job: str, default: str) -> str:  # a step may have a part of its job's tasks and machines
        return variables.get(f"SLURM_STEP_{name}") or variables.get(f"SLURM_{of_job}") or default

    size, nodes = int(of_step("NUM_TASKS", "NTASKS", "1")), int(of_step("NUM_NODES", "NNODES", "1"))
    job = int(variables.get("SLURM_JOB_ID", 0))
    return Place(
        rank=int(variables["SLURM_PROCID"]),
        size=size,
        local_rank=int(variables.get("SLURM_LOCALID", 0)),
        local_size=max(size // nodes, 1),
        node=int(variables.get("SLURM_NODEID", 0)),
        address=variables.get("MASTER_ADDR") or first_host(of_step("NODELIST", "NODELIST", "127.0.0.1")),
        # Steps of one job that run side by side need different ports.
        port=int(variables.get("MASTER_PORT") or _PORTS[(job * 31 + step) % len(_PORTS)]),
        attempt=int(variables.get("SLURM_RESTART_COUNT", 0)),
    )


def first_host(hosts: str) -> str:
    """Return the first host of a list as SLURM writes it, such as ``gpu[07-09,12],cpu1`` or ``a1 a2``."""
    first = re.match(r"[^\[\s,]*(\[[^\]]*\][^\s,]*)?", hosts.strip())
    return re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", first[0]) if first else hosts
