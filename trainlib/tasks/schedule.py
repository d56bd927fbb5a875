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


def follow_metric(task: BaseTask) -> None:
    """Step a schedule that follows a metric, at the end of an epoch and before its checkpoint is written.

    Lightning does so afterwards. Then the checkpoint lacks the step, and no resumed training ever makes it. An epoch
    without a validation makes no step: Lightning keeps showing the metrics of the last one.
    """
    monitor = task.config.checkpoint.monitor
    metric = task.trainer.callback_metrics.get(monitor)
    if metric is None or not (monitor.startswith("train/") or task.validated_in == task.current_epoch):
        return
    for entry in task.trainer.lr_scheduler_configs:
        if isinstance(entry.scheduler, ReduceLROnPlateau):
            entry.scheduler.step(float(metric))
