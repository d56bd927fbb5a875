"""Build the network, loss, optimizer, learning-rate schedule and inferer that a config asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainlib.build.losses import finish_loss, loss_facts
from trainlib.build.patches import call_patch
from trainlib.build.resolve import ComponentError, facts, resolve
from trainlib.config.component import Component
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.errors import PatchError

if TYPE_CHECKING:
    import torch

# Schedules that are stepped after every batch; all others after every epoch.
_STEPPED_PER_BATCH = frozenset({"OneCycleLR", "CyclicLR", "WarmupCosineSchedule"})


@dataclass(frozen=True)
class Horizon:
    """How long a training lasts, for schedules that have to know.

    Attributes:
        epochs: Number of epochs.
        steps: Number of optimizer steps.
    """

    epochs: int
    steps: int


def build_model(config: Config) -> torch.nn.Module:
    """Build the network of `config`: the patch's `get_model(config)`, or the component under ``model``.

    Raises:
        InputError: The component or the patch cannot be used.
    """
    from torch import nn

    network = call_patch(config.patch.model, "get_model", config)
    if network is not None:
        return expect(network, nn.Module, "a torch.nn.Module", f"{config.patch.model}: get_model")
    resolved = resolve("model", ("model",), config.model, config, facts(config))
    return expect(resolved.construct(), nn.Module, "a torch.nn.Module", resolved.key)


def build_loss(config: Config) -> Callable[..., torch.Tensor]:
    """Build the loss of `config`: the patch's `get_loss(config)`, or the component under ``loss``."""
    loss = call_patch(config.patch.loss, "get_loss", config)
    if loss is not None:
        return expect(loss, Callable, "a callable", f"{config.patch.loss}: get_loss")
    resolved = resolve("loss", ("loss",), config.loss, config, lambda keywords: loss_facts(keywords, config))
    finish_loss(resolved, config)
    return expect(resolved.construct(), Callable, "a callable", resolved.key)


def build_optimizer(config: Config, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """Build the optimizer of `config`: the patch's `get_optimizer(config, parameters)`, or the component."""
    from torch.optim import Optimizer

    parameters = list(parameters)
    optimizer = call_patch(config.patch.optimizer, "get_optimizer", config, parameters)
    if optimizer is not None:
        return expect(optimizer, Optimizer, "a torch.optim.Optimizer", f"{config.patch.optimizer}: get_optimizer")
    resolved = resolve("optimizer", ("optimizer",), config.optimizer, config, {}, positional=1)
    return expect(resolved.construct(parameters), Optimizer, "a torch.optim.Optimizer", resolved.key)


def build_scheduler(config: Config, optimizer: torch.optim.Optimizer, horizon: Horizon) -> dict[str, Any] | None:
    """Build the learning-rate schedule in the form in which Lightning's `configure_optimizers` returns it.

    The peak of the schedule (`max_lr`) is the optimizer's learning rate unless the config says otherwise.

    Args:
        config: The config.
        optimizer: The optimizer whose learning rate is scheduled.
        horizon: Length of the training.

    Returns:
        Scheduler, interval and monitored metric; None where the config has no schedule.
    """
    if config.scheduler is None:
        return None
    known = _schedule_facts(config, config.scheduler, optimizer, horizon)
    resolved = resolve("scheduler", ("scheduler",), config.scheduler, config, known, positional=1)
    scheduler = resolved.construct(optimizer)
    interval = "step" if _is_one_of(scheduler, _STEPPED_PER_BATCH) else "epoch"
    return {"scheduler": scheduler, "interval": interval, "monitor": config.checkpoint.monitor}


def _schedule_facts(
    config: Config, component: Component, optimizer: torch.optim.Optimizer, horizon: Horizon
) -> dict[str, Any]:
    """List what follows from the length of the training and the optimizer, under the schedules' names for it."""
    rates = [group["lr"] for group in optimizer.param_groups]
    known = {
        "total_steps": horizon.steps,
        "t_total": horizon.steps,
        "T_max": horizon.epochs,
        "max_lr": rates[0] if len(rates) == 1 else rates,
        "cycle_momentum": "momentum" in optimizer.defaults or "betas" in optimizer.defaults,
    }
    if component.kwargs.keys() >= {"epochs", "steps_per_epoch"}:
        del known["total_steps"]
    # These two mean something else in other schedules.
    name = component.name.rpartition(".")[2]
    if name == "ReduceLROnPlateau":
        known["mode"] = config.monitor_mode
    if name == "PolynomialLR":
        known["total_iters"] = horizon.epochs
    return known


def _is_one_of(value: Any, names: Collection[str]) -> bool:
    """Tell whether an object's class, or one that it derives from, has one of the names."""
    return any(cls.__name__ in names for cls in type(value).__mro__)


def build_inferer(config: Config) -> Any:
    """Build the MONAI inferer of `config`."""
    resolved = resolve("inferer", ("inferer",), config.inferer, config, facts(config))
    return resolved.construct()


def expect(value: Any, kind: Any, described: str, source: str | Key) -> Any:
    """Return `value`, or say that what a function of a patch (a string) or a component (its key) made is unfit."""
    if isinstance(value, kind):
        return value
    text = f"returned {type(value).__name__}, expected {described}."
    if isinstance(source, str):
        raise PatchError(f"{source} {text}")
    raise ComponentError([(source, f"{dotted(source)} {text}")])
