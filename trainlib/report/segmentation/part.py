"""The report of a segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pandas as pd

from trainlib.folders.results import Run
from trainlib.report.base import Sections, TaskPart
from trainlib.report.curves import Plan
from trainlib.report.notices import Notice, notice_of_one_case, notices_of_pictures
from trainlib.report.segmentation.boxes import draw_boxes, shows_all
from trainlib.report.segmentation.curves import metric_plans
from trainlib.report.segmentation.ranking import RankedCase, rank_cases
from trainlib.report.segmentation.scores import Scores, score_split
from trainlib.report.segmentation.table import case_table, read_cases
from trainlib.words import listed


class SegmentationPart(TaskPart):
    """Shows the scores of structures, their distribution, and the best, the median and the worst case."""

    templates = "segmentation"
    gif_caption = "Validation cases during the training. Outline: label; fill: prediction."
    gif_description = (
        "Animation: validation cases after each validation of the training, the label as outline and the prediction "
        "as fill."
    )

    def own_sections(self) -> Sections:
        """Return the sections on distribution and overlays."""
        return (("distribution", "Distribution"), ("overlays", "Overlays"))

    @staticmethod
    def read_cases(run: Run) -> pd.DataFrame:
        """Read ``cases.csv``."""
        return read_cases(run)

    def purpose(self) -> str:
        """Name the structures."""
        classes = self.content.config.data.classes[1:]
        structures = listed(classes) if len(classes) <= 4 else f"{len(classes)} classes"
        return f"the {self.content.config.data.spatial_dims}-D segmentation of {structures}"

    def plans(self, logged: list[str]) -> Iterator[Plan]:
        """Choose the metrics that get a chart."""
        return metric_plans(self.content, logged)

    @cached_property
    def scores(self) -> Scores | None:
        """The scores of the split that comes first."""
        return score_split(self.content, self.content.split)

    @cached_property
    def ranked(self) -> list[RankedCase]:
        """The best, the median and the worst case."""
        return rank_cases(self.content, self.content.split)

    def notices(self) -> Iterator[Notice]:
        """Tell which scores and pictures are missing."""
        if self.scores is not None:
            if not self.scores.metrics:
                yield Notice("results", "No structure is in any label or prediction, so there are no metrics.")
            elif self.scores.without_surface:
                yield Notice("results", "Surface metrics (HD95, ASD, HD, NSD) were not computed for these cases.")
            yield from notice_of_one_case(self.content)
        pictures = {case.case: case.picture for case in self.ranked}
        yield from notices_of_pictures("overlays", pictures, self.content.split)

    def context(self) -> dict[str, Any]:
        """Gather what its templates name."""
        content, split = self.content, self.content.split
        return {
            "scores": self.scores,
            "validation": score_split(content, "valid") if split == "test" else None,
            "tolerance": content.config.metrics.nsd_tolerance,
            "boxes": draw_boxes(content, split),
            "boxes_show_all": shows_all(content, split),
            "ranked": self.ranked,
            "table": case_table(content),
            "validation_note": "Validation is scored on the preprocessed grid.",
        }

    def write_tables(self) -> None:
        """Write none: ``cases.csv`` holds all scores."""
