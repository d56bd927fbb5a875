"""The report of a classification."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pandas as pd

from trainlib.folders.results import Run
from trainlib.report.base import Sections, TaskPart
from trainlib.report.classification.calibration import calibration_of
from trainlib.report.classification.confusion import confusion_of, label_counts_of
from trainlib.report.classification.curves import metric_plans
from trainlib.report.classification.discrimination import MANY, draw_discrimination, without_curve
from trainlib.report.classification.figures import Figures, figures_of, table_columns, table_rows
from trainlib.report.classification.mistakes import Mistake, count_mistakes, worst_mistakes
from trainlib.report.classification.names import FIGURES
from trainlib.report.classification.predictions import (
    Predictions,
    count_other_predictions,
    predictions_of,
    read_cases,
)
from trainlib.report.classification.table import case_table
from trainlib.report.classification.thresholds import thresholds_of
from trainlib.report.curves import Plan
from trainlib.report.notices import Notice, notice_of_one_case, notices_of_pictures
from trainlib.system.files import write_table
from trainlib.words import count, listed


class ClassificationPart(TaskPart):
    """Shows the figures of classes, confusions, curves, calibration, thresholds and the most confident mistakes."""

    templates = "classification"
    styles = ("style.css",)
    gif_caption = "The validation during the training: confusion matrix, probabilities, and the curves so far."
    gif_description = "Animation: the decisions on the validation cases after each validation of the training."

    @staticmethod
    def read_cases(run: Run) -> pd.DataFrame:
        """Read ``cases.csv``."""
        return read_cases(run)

    def own_sections(self) -> Sections:
        """Return the sections on decisions; only a binary task has thresholds."""
        thresholds = (("thresholds", "Thresholds"),) if self.binary else ()
        of_decisions = (("confusion", "Confusion"), ("discrimination", "Curves"), ("calibration", "Calibration"))
        return (*of_decisions, *thresholds, ("mistakes", "Mistakes"))

    @property
    def binary(self) -> bool:
        """Whether there is a positive class."""
        return not self.content.config.multilabel and len(self.content.config.data.classes) == 2

    def purpose(self) -> str:
        """Name the classes."""
        config = self.content.config
        classes = config.data.classes
        names = listed(classes) if len(classes) <= 4 else f"{len(classes)} classes"
        kind = "multi-label classification of" if config.multilabel else "classification into"
        return f"the {config.data.spatial_dims}-D {kind} {names}"

    def plans(self, logged: list[str]) -> Iterator[Plan]:
        """Choose the metrics that get a chart."""
        return metric_plans(self.content.config, logged)

    @cached_property
    def shown(self) -> Predictions | None:
        """The cases of the split that comes first."""
        return self._predictions(self.content.split)

    @cached_property
    def validation(self) -> Predictions | None:
        """The validation cases, where they are not the ones that come first."""
        return self._predictions("valid") if self.content.split == "test" else None

    @cached_property
    def figures(self) -> Figures | None:
        """The figures of the split that comes first."""
        return figures_of(self.content, self.shown) if self.shown else None

    @cached_property
    def validation_figures(self) -> Figures | None:
        """The figures of the validation cases, where they are not the ones that come first."""
        return figures_of(self.content, self.validation) if self.validation else None

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """The most confident mistakes."""
        return worst_mistakes(self.content, self.shown) if self.shown else []

    def notices(self) -> Iterator[Notice]:
        """Tell which figures and pictures are missing."""
        if self.shown and self.figures:
            if self.figures.undefined:
                yield Notice("results", " ".join(self.figures.undefined))
            if other := count_other_predictions(self.content.cases, self.shown):
                what = f"The predictions of {count(other, 'case')} in cases.csv are not those that the probabilities "
                yield Notice("results", what + "lead to. The figures follow the probabilities.")
            yield from notice_of_one_case(self.content)
        pictures = {mistake.case: mistake.picture for mistake in self.mistakes}
        yield from notices_of_pictures("mistakes", pictures, self.content.split)

    def context(self) -> dict[str, Any]:
        """Gather what its templates name."""
        shown = self.shown
        return {
            "figures": self.figures,
            "figure_names": list(FIGURES.values()),
            "validation": self.validation_figures,
            "validation_note": self._positive_note(),
            "binary": self.binary,
            "multilabel": self.content.config.multilabel,
            "classes": self.classes,
            "confusion": confusion_of(shown) if shown else None,
            "label_counts": label_counts_of(shown) if shown else [],
            "discrimination": draw_discrimination(shown) if shown else [],
            "many_curves": len(self.classes) > MANY,
            "without_curve": without_curve(shown) if shown else [],
            "calibration": calibration_of(shown) if shown else None,
            "thresholds": thresholds_of(shown, self.validation) if shown else None,
            "mistakes": self.mistakes,
            "wrong": count_mistakes(shown) if shown else 0,
            "table": case_table([shown, self.validation]),
        }

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self.content.config.data.classes

    def write_tables(self) -> None:
        """Write ``classification_report.csv``."""
        found = [figures for figures in (self.validation_figures, self.figures) if figures]
        if found:
            rows = [row for figures in found for row in table_rows(figures)]
            write_table(self.content.folder.classification_report, rows, table_columns())

    def _positive_note(self) -> str:
        return f"AUROC, average precision and F1 are those of {self.classes[1]}." if self.binary else ""

    def _predictions(self, split: str) -> Predictions | None:
        return predictions_of(self.content.cases, self.content.config, split)
