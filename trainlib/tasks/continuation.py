"""Continue a training with the optimizer settings and the schedule of the config as it is now."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainlib.build.components import build_optimizer, build_scheduler
from trainlib.config.schema import Config

if TYPE_CHECKING:
    from trainlib.tasks.base import BaseTask

log = logging.getLogger(__name__)


def same_optimizer(before: Mapping[str, Any], config: Config) -> bool:
    """Tell whether the optimizer is of the kind that the checkpoint's config names."""
    name = before["optimizer"] if isinstance(before["optimizer"], str) else next(iter(before["optimizer"]))
    return name == config.optimizer.name and before["patch"]["optimizer"] == config.patch.optimizer


def keep_settings(task: BaseTask, loaded: Mapping[str, Any]) -> None:
    """Replace the learning rate, other optimizer settings and the schedule that a checkpoint brought.

    Where nothing has changed, the checkpoint's state stands, to the bit. Otherwise a new optimizer and schedule
    are taken forward to the step that was reached, as if the settings had been these from the beginning.

    Args:
        task: The task, its checkpoint restored.
        loaded: The entry ``trainlib`` of the checkpoint.
    """
    now = task.config.model_dump(mode="json")
    unchanged = all(loaded["config"][name] == now[name] for name in ("optimizer", "scheduler"))
    if unchanged and loaded["horizon"] == [task.horizon.epochs, task.horizon.steps]:
        return
    optimizer = build_optimizer(task.config, task.network.parameters())
    schedule = build_scheduler(task.config, optimizer, task.horizon)
    if schedule is not None:
        steps = task.global_step if schedule["interval"] == "step" else task.current_epoch
        _advance(schedule["scheduler"], steps)
    restored = task.trainer.optimizers[0]
    for group, fresh in zip(restored.param_groups, optimizer.param_groups, strict=True):
        group.update({name: value for name, value in fresh.items() if name != "params"})
    if schedule is not None:
        task.trainer.lr_scheduler_configs[0].scheduler.load_state_dict(schedule["scheduler"].state_dict())
    log.info("Learning rate and schedule are those of the config, from step %d on.", task.global_step)


def _advance(scheduler: Any, steps: int) -> None:
    """Step a schedule without its optimizer; one that follows a metric starts anew."""
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    if isinstance(scheduler, ReduceLROnPlateau):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch expects an optimizer step before each
        for _ in range(steps):
            scheduler.step()
