"""Do a run in as many processes as its config asks for, whoever starts them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from trainlib.config.schema import Config
from trainlib.device import uses_cuda
from trainlib.errors import ConfigError, Problem
from trainlib.processes import Place, joined, place
from trainlib.processes.console import only_warnings
from trainlib.processes.supervisor import Supervisor
from trainlib.system.signals import interruptible
from trainlib.trainer import device_count

T = TypeVar("T")


def started(run: Callable[..., T], config: Config, **arguments: Any) -> T:
    """Call `run` with a config in each of its processes, and return what it returns in the first.

    Processes that torchrun or SLURM has started, or trainlib itself, find each other here. Where there are none and the
    config asks for several, they are started, and this process only watches them.

    Args:
        run: Called with the config and `arguments`; importable, for other processes call it too.
        config: The config.
        arguments: Other arguments, which can be pickled.
    """
    here = place()
    if here is not None:
        if here.rank:
            only_warnings(here.rank)
        with joined(here, cuda=uses_cuda(config)):
            return run(as_started(config, here), **arguments)
    devices, nodes = device_count(config), _nodes(config)
    if devices * nodes == 1:
        return run(config, **arguments)
    with interruptible():
        result: T = Supervisor(partial(started, run, config, **arguments), devices, nodes).run()
    return result


def in_one_process(config: Config) -> Config:
    """Let a run have one process, whatever its config asks for.

    Raises:
        ConfigError: Several were started.
    """
    if place() is not None:
        raise ConfigError("--debug takes one process. Start it without torchrun or srun.")
    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
    trainer = {name: value for name, value in config.trainer.items() if name not in alone}
    return config.model_copy(update={"trainer": trainer})


def alone(config: Config, command: str) -> None:
    """Refuse several processes for a model where a command trains or uses many models by itself.

    Args:
        config: The config of each model.
        command: The command, as it is called.

    Raises:
        ConfigError: The config asks for several devices or machines, or several processes were started.
    """
    if place() is not None:
        raise ConfigError(f"`{command}` takes one process. Start it without torchrun or srun.")
    remedy = f"`{command}` gives each model one device. Set"
    problems = []
    if (devices := device_count(config)) != 1:
        asked = config.trainer["devices"]
        many = f"{asked!r}" if asked in (devices, str(devices)) else f"{asked!r}, which are {devices} here"
        problems.append(Problem(f"trainer.devices: found {many}, but {remedy} it to 1, or leave it out."))
    if (nodes := _nodes(config)) != 1:
        problems.append(Problem(f"trainer.num_nodes: found {nodes}, but {remedy} it to 1, or leave it out."))
    if problems:
        raise ConfigError(problems)


def as_started(config: Config, here: Place) -> Config:
    """Fill in the number of devices and machines as the processes were started.

    Raises:
        ConfigError: The config asks for others.
    """
    devices, nodes = config.trainer.get("devices"), config.trainer.get("num_nodes")
    if here.local_size * here.nodes != here.size:
        raise ConfigError(
            f"{here.size} processes were started on {here.nodes} machines. Start equally many on each machine."
        )
    if devices not in (None, "auto") and (count := device_count(config)) != here.local_size:
        raise ConfigError(
            f"trainer.devices: {count} processes for each machine are asked for, but {here.local_size} were started. "
            f"Set it to {here.local_size}, or leave it out."
        )
    if nodes not in (None, here.nodes):
        raise ConfigError(
            f"trainer.num_nodes: {nodes} machines are asked for, but processes were started on {here.nodes}. "
            f"Set it to {here.nodes}, or leave it out."
        )
    given = {} if devices not in (None, "auto") else {"devices": here.local_size}
    return config.model_copy(update={"trainer": config.trainer | given | {"num_nodes": here.nodes}})


def _nodes(config: Config) -> int:
    nodes = config.trainer.get("num_nodes")
    return 1 if nodes is None else int(nodes)
