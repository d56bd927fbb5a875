"""How a classification sharpens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from trainlib.callbacks.progress.base import Progress
from trainlib.callbacks.progress.charts import CHART, draw_losses
from trainlib.callbacks.series import read_series
from trainlib.callbacks.views import WIDTH
from trainlib.data.splits import Case
from trainlib.drawing.colours import MUTED, TEXT, class_colour
from trainlib.drawing.confusion import draw_confusion
from trainlib.drawing.curves import Curve, draw_curves
from trainlib.drawing.distributions import draw_distributions
from trainlib.drawing.sheet import stack
from trainlib.metrics.confusion import confusion_matrix

_HEIGHT = 300


class ClassificationProgress(Progress):
    """Draws the validation's confusion matrix and the distribution of its probabilities, and the curves so far.

    Args:
        config: The config.
        folder: The run folder.
    """

    def collect(self, outputs: Any, batch: Any, cases: Sequence[Case]) -> None:
        """Keep the rows of the cases; of several validations in an epoch the last counts."""
        self.collected.update(zip(batch["index"], outputs["rows"], strict=True))

    def draw(self, title: str, last: int) -> Image.Image | None:
        """Put matrix and distributions above the curves."""
        rows, self.collected = list(self.collected.values()), {}
        if not rows:
            return None
        classes, series = self.config.data.classes, read_series(self.folder.metrics)
        probabilities = np.array([[row[f"probability_{name}"] for name in classes] for row in rows])
        if self.config.multilabel:
            labelled = np.array([[row[f"label_{name}"] for name in classes] for row in rows], dtype=bool)
            decisions = [draw_distributions(probabilities, labelled, classes, (WIDTH, _HEIGHT))]
        else:
            true, predicted = ([classes.index(row[key]) for row in rows] for key in ("label", "prediction"))
            matrix = confusion_matrix(np.array(predicted), np.array(true), len(classes))
            labelled = np.array(true)[:, None] == np.arange(len(classes))
            size = (CHART[0], _HEIGHT)
            decisions = [
                draw_confusion(matrix, classes, size),
                draw_distributions(probabilities, labelled, classes, size),
            ]
        metrics = (("auroc", TEXT), ("accuracy", class_colour(2)), ("f1", MUTED))
        curves = [Curve(name, series.get(f"valid/{name}", []), tone) for name, tone in metrics]
        charts = [draw_losses(series, last), draw_curves(curves, CHART, last_x=last, limits=(0, 1))]
        return stack([*decisions, *charts], [""] * (len(decisions) + 2), title, width=WIDTH)
