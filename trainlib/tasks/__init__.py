"""What a network is trained to do: one LightningModule for each task, found by name in `TASKS`."""

from __future__ import annotations

from trainlib.tasks.base import BaseTask
from trainlib.tasks.classification import ClassificationTask
from trainlib.tasks.segmentation import SegmentationTask

__all__ = ["TASKS", "BaseTask", "ClassificationTask", "SegmentationTask"]

TASKS: dict[str, type[BaseTask]] = {"segmentation": SegmentationTask, "classification": ClassificationTask}
"""Value of the setting ``task`` -> its LightningModule."""
