"""Pictures of how a network learns, drawn after each validation; one kind for each task."""

from __future__ import annotations

from trainlib.callbacks.progress.base import Progress
from trainlib.callbacks.progress.classification import ClassificationProgress
from trainlib.callbacks.progress.segmentation import SegmentationProgress
from trainlib.config.schema import Config
from trainlib.folders.run import RunFolder

__all__ = ["Progress", "make_progress"]


def make_progress(config: Config, folder: RunFolder, cases: int) -> Progress:
    """Make the callback for the task of a config.

    Args:
        config: The config.
        folder: The run folder.
        cases: Number of cases that are followed, where single cases are drawn.
    """
    if config.task == "classification":
        return ClassificationProgress(config, folder)
    return SegmentationProgress(config, folder, cases)
