"""The learning-rate schedule beside Lightning: its length, and schedules that follow a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from trainlib.build.components import Horizon
from trainlib.build.resolve import ComponentError
from trainlib.config.schema import Config

if TYPE_CHECKING:
    from trainlib.tasks.base import BaseTask


def try_schedule(scheduler: Any, config: Config, horizon: Horizon) -> None:
    """Compare the length of a schedule that has one, such as OneCycleLR, with that of the training.

    Raises:
        ComponentError: It would end before the training does, which torch refuses in the middle of it.
    """
    steps = getattr(scheduler, "total_steps", None)
    if config.scheduler is None or not isinstance(steps, int) or steps >= horizon.steps:
        return
    key = ("scheduler", config.scheduler.name)
    text = (
        f"scheduler.{config.scheduler.name}: the schedule ends after {steps} steps, and the training has "
        f"{horizon.steps}. Leave total_steps, epochs and steps_per_epoch out: they follow from trainer.max_epochs."
    )
    raise ComponentError([(key, text)])


def epochs_between_steps(config: Config) -> int:
    """Return how often a schedule that follows the monitored metric gets a new value of it, in epochs."""
    if config.checkpoint.monitor.startswith("train/"):
        return 1
    return int(config.trainer.get("check_val_every_n_epoch") or 1)


def follow_metric(task: BaseTask) -> None:
    """Step a schedule that follows a metric, at the end of an epoch and before its checkpoint is written.

    Lightning does so afterwards. Then the checkpoint lacks the step, and no resumed training ever makes it.
    """
    metric = task.trainer.callback_metrics.get(task.config.checkpoint.monitor)
    if metric is None or (task.current_epoch + 1) % epochs_between_steps(task.config):
        return
    for entry in task.trainer.lr_scheduler_configs:
        if isinstance(entry.scheduler, ReduceLROnPlateau):
            entry.scheduler.step(float(metric))
