"""What a network is trained to do: one LightningModule for each task, found by name in `TASKS`."""

from __future__ import annotations

from trainlib.tasks.base import BaseTask
from trainlib.tasks.segmentation import SegmentationTask

TASKS: dict[str, type[BaseTask]] = {"segmentation": SegmentationTask}
"""Value of the setting ``task`` -> its LightningModule."""
