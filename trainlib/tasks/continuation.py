"""Continue a training with the optimizer settings and the schedule of the config as it is now."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainlib.build.components import build_optimizer, build_scheduler
from trainlib.processes import size

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from trainlib.tasks.base import BaseTask

log = logging.getLogger(__name__)


def kind_of(optimizer: Optimizer) -> dict[str, Any]:
    """Describe what an optimizer's state fits to: its class and the number of parameters in each group."""
    return {"class": type(optimizer).__qualname__, "groups": [len(group["params"]) for group in optimizer.param_groups]}


def drop_other_kinds(task: BaseTask, checkpoint: dict[str, Any]) -> None:
    """Take out of a checkpoint the states that optimizer and schedule of the config cannot go on with.

    Lightning restores the states that it finds, so that without them optimizer and schedule start as they were
    built. `keep_settings` then takes the schedule forward.

    Args:
        task: The task, its network built.
        checkpoint: The whole checkpoint; changed in place.
    """
    before, now = checkpoint["trainlib"], task.config
    optimizer = build_optimizer(now, task.network.parameters())
    other = before["optimizer"] != kind_of(optimizer)
    if other:
        checkpoint["optimizer_states"] = []
        log.info("The optimizer is of another kind than in the checkpoint, and starts without its memory.")
    if other or before["config"]["scheduler"] != now.model_dump(mode="json")["scheduler"]:
        checkpoint["lr_schedulers"] = []


def keep_settings(task: BaseTask, loaded: Mapping[str, Any]) -> None:
    """Replace the learning rate, other optimizer settings and the schedule that a checkpoint brought.

    Where nothing has changed, the checkpoint's state stands, to the bit. Otherwise a new optimizer and schedule
    are taken forward to the step that was reached, as if the settings had been these from the beginning.

    Args:
        task: The task, its checkpoint restored.
        loaded: The entry ``trainlib`` of the checkpoint.
    """
    before, now = loaded.get("processes", 1), size()
    if before != now:
        log.info("Processes: now %d, in the checkpoint %d. Each takes data.batch_size cases in a step.", now, before)
    if _settings(loaded["config"]) == _settings(task.config.model_dump(mode="json")) and (
        loaded["optimizer"] == kind_of(task.trainer.optimizers[0])
        and loaded["horizon"] == [task.horizon.epochs, task.horizon.steps]
    ):
        return
    optimizer = build_optimizer(task.config, task.network.parameters())
    schedule = build_scheduler(task.config, optimizer, task.horizon)
    if schedule is not None:
        steps = _steps(task, loaded) if schedule["interval"] == "step" else task.current_epoch
        _advance(schedule["scheduler"], steps)
    restored = task.trainer.optimizers[0]
    for group, fresh in zip(restored.param_groups, optimizer.param_groups, strict=True):
        group.update({name: value for name, value in fresh.items() if name != "params"})
    if schedule is not None:
        task.trainer.lr_scheduler_configs[0].scheduler.load_state_dict(schedule["scheduler"].state_dict())
    log.info("Learning rate and schedule are those of the config, from step %d on.", task.global_step)


def _steps(task: BaseTask, loaded: Mapping[str, Any]) -> int:
    """Count the steps until now, as if all had taken as many cases as they do from now on."""
    configs = loaded["config"], task.config.model_dump(mode="json")
    batches, accumulated = (
        [config[section].get(name) or 1 for config in configs]
        for section, name in (("data", "batch_size"), ("trainer", "accumulate_grad_batches"))
    )
    if batches[0] == batches[1] and accumulated[0] == accumulated[1] and loaded.get("processes", 1) == size():
        return task.global_step
    return task.current_epoch * math.ceil(task.trainer.num_training_batches / accumulated[1])


def _settings(config: Mapping[str, Any]) -> list[Any]:
    """List all that a config says on optimizer and schedule; a patch script may have moved with the project."""
    script = config["patch"]["optimizer"]
    return [config["optimizer"], config["scheduler"], script and Path(script).name]


def _advance(scheduler: Any, steps: int) -> None:
    """Step a schedule without its optimizer; one that follows a metric starts anew."""
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    if isinstance(scheduler, ReduceLROnPlateau):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch expects an optimizer step before each
        for _ in range(steps):
            scheduler.step()


def keep_loss(task: BaseTask, checkpoint: dict[str, Any]) -> None:
    """Put the buffers of the task's loss, such as class weights, in place of those in a checkpoint.

    The strategy `fsdp` has loaded the weights already, and takes them out of the checkpoint.
    """
    if "state_dict" not in checkpoint:
        return
    weights = {name: value for name, value in checkpoint["state_dict"].items() if not name.startswith("loss.")}
    own = task.loss.state_dict() if isinstance(task.loss, torch.nn.Module) else {}
    checkpoint["state_dict"] = weights | {f"loss.{name}": value for name, value in own.items()}
