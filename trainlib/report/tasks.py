"""Which part of the report belongs to which task."""

from __future__ import annotations

from trainlib.report.base import TaskPart
from trainlib.report.classification.part import ClassificationPart
from trainlib.report.segmentation.part import SegmentationPart

TASK_PARTS: dict[str, type[TaskPart]] = {
    "segmentation": SegmentationPart,
    "classification": ClassificationPart,
}
"""Task of the config -> its part of the report."""
