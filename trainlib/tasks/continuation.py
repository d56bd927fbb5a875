"""Continue a training with the optimizer settings and the schedule of the config as it is now."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

import trainlib
from trainlib.build.components import build_optimizer, build_scheduler
from trainlib.processes import size

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from trainlib.config.schema import Config
    from trainlib.tasks.base import BaseTask

log = logging.getLogger(__name__)

_PLATEAU = "ReduceLROnPlateau"
# What a plateau schedule has learned, beside its settings.
_COUNTS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


def kind_of(optimizer: Optimizer) -> dict[str, Any]:
    """Describe what an optimizer's state fits to: its class and the number of parameters in each group."""
    return {"class": type(optimizer).__qualname__, "groups": [len(group["params"]) for group in optimizer.param_groups]}


def settings_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """List the settings of each group of parameters, such as the learning rate, as an optimizer was built with them."""
    plain = (int, float, str, tuple, type(None))
    return [
        {name: value for name, value in group.items() if isinstance(value, plain)} for group in optimizer.param_groups
    ]


def description(task: BaseTask) -> dict[str, Any]:
    """Describe a training in its checkpoint: the entry ``trainlib``."""
    return {
        "version": trainlib.__version__,
        "config": task.config.model_dump(mode="json"),
        "optimizer": kind_of(task.trainer.optimizers[0]),
        "groups": task.groups,
        "scored_by": task.config.scored_by,
        "horizon": [task.horizon.epochs, task.horizon.steps],
        "nonfinite": task.guard.skipped,
        "processes": size(),
        "precision": task.trainer.precision,
    }


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
    schedules = before["config"]["scheduler"], _dumped(now)["scheduler"]
    if other or (schedules[0] != schedules[1] and not all(_name(schedule) == _PLATEAU for schedule in schedules)):
        checkpoint["lr_schedulers"] = []
    if (epochs := checkpoint["epoch"] + 1) >= (task.trainer.max_epochs or 0) > 0:
        log.info("%d epochs are trained, and trainer.max_epochs is %d: none is left.", epochs, task.trainer.max_epochs)


def keep_settings(task: BaseTask, loaded: Mapping[str, Any]) -> None:
    """Replace the learning rate, other optimizer settings and the schedule that a checkpoint brought.

    Where nothing has changed, the checkpoint's state stands, to the bit. Otherwise a new optimizer and schedule
    are taken forward to where the training is, as if the settings had been these from the beginning. A schedule that
    follows a metric cannot be repeated: it goes on with what it has learned, and with the rate that it has reached
    unless the optimizer's has changed.

    Args:
        task: The task, its checkpoint restored.
        loaded: The entry ``trainlib`` of the checkpoint.
    """
    if (before := loaded.get("processes", 1)) != size():
        log.info("Processes: now %d, in the checkpoint %d. Each takes data.batch_size cases in a step.", size(), before)
    if (was := loaded.get("precision", task.trainer.precision)) != task.trainer.precision:
        log.info("Precision: now %s, in the checkpoint %s.", task.trainer.precision, was)
    optimizer = build_optimizer(task.config, task.network.parameters())
    same = _compared(task, loaded, optimizer)
    if same.optimizer and same.course:
        return
    schedule = build_scheduler(task.config, optimizer, task.horizon)
    if schedule is not None and not same.follows:
        _advance(schedule["scheduler"], _steps_behind(task, schedule["interval"]))
    restored = task.trainer.optimizers[0]
    if not (same.optimizer and same.followed and same.follows):
        for group, fresh in zip(restored.param_groups, optimizer.param_groups, strict=True):
            group.update({name: value for name, value in fresh.items() if name != "params"})
    if schedule is not None:
        state, own = schedule["scheduler"].state_dict(), task.trainer.lr_scheduler_configs[0].scheduler
        if same.followed and same.follows and same.score:  # what was best still is
            state |= {name: value for name, value in own.state_dict().items() if name in _COUNTS}
        own.load_state_dict(state)
    rates = ", ".join(f"{group['lr']:g}" for group in restored.param_groups)
    log.info(
        "Learning rate and schedule are those of the config, from step %d on: the rate is %s.", task.global_step, rates
    )


class _Same(NamedTuple):
    """What a checkpoint and the config agree in.

    Attributes:
        optimizer: The optimizer and all its settings.
        course: The schedule and what it depends on.
        score: What the monitored metric follows from.
        followed: Whether the schedule of the checkpoint follows a metric.
        follows: Whether that of the config does.
    """

    optimizer: bool
    course: bool
    score: bool
    followed: bool
    follows: bool


def _compared(task: BaseTask, loaded: Mapping[str, Any], optimizer: Optimizer) -> _Same:
    """Compare what a checkpoint was trained with to the config, and to an optimizer that was built from it."""
    before, now = loaded["config"], _dumped(task.config)
    same_optimizer = (
        _optimizer_settings(before) == _optimizer_settings(now)
        and loaded["optimizer"] == kind_of(optimizer)
        and loaded.get("groups", settings_of(optimizer)) == settings_of(optimizer)
    )
    follows = _name(now["scheduler"]) == _PLATEAU
    score = loaded.get("scored_by", task.config.scored_by) == task.config.scored_by
    length = loaded["horizon"] == [task.horizon.epochs, task.horizon.steps]
    # Only a schedule over steps or epochs depends on the length of the training, only one over a metric on that.
    course = before["scheduler"] == now["scheduler"] and (score if follows else length or now["scheduler"] is None)
    return _Same(same_optimizer, course, score, _name(before["scheduler"]) == _PLATEAU, follows)


def _dumped(config: Config) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _name(component: Any) -> str | None:
    """Return the name of a component as it stands in a config, without its module."""
    name = next(iter(component)) if isinstance(component, Mapping) else component
    return name.rpartition(".")[2] if name else None


def _optimizer_settings(config: Mapping[str, Any]) -> list[Any]:
    """List all that a config says on the optimizer; a patch script may have moved with the project."""
    script = config["patch"]["optimizer"]
    return [config["optimizer"], script and Path(script).name]


def _steps_behind(task: BaseTask, interval: str) -> int:
    """Tell how often the schedule had been stepped by now, had the settings always been these.

    With another batch size an epoch has another number of steps than those that were counted.
    """
    if interval == "epoch":
        return task.current_epoch
    if task.trainer.max_steps > 0:
        return min(task.global_step, task.horizon.steps)
    return task.current_epoch * task.horizon.steps // task.horizon.epochs


def _advance(scheduler: Any, steps: int) -> None:
    """Step a schedule without its optimizer."""
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
