"""How a segmentation appears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from trainlib.callbacks.progress.base import Progress
from trainlib.callbacks.progress.charts import CHART, draw_losses
from trainlib.callbacks.series import Series, read_series
from trainlib.callbacks.views import WIDTH, View, preprocessed_view
from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.drawing.colours import TEXT, class_colour
from trainlib.drawing.curves import Curve, draw_curves
from trainlib.drawing.sheet import stack
from trainlib.folders.run import RunFolder
from trainlib.metrics.summary import summarise


class SegmentationProgress(Progress):
    """Draws the first validation cases with label and prediction, and the curves so far.

    Args:
        config: The config.
        folder: The run folder.
        cases: Number of cases.
    """

    def __init__(self, config: Config, folder: RunFolder, cases: int) -> None:
        super().__init__(config, folder)
        self.cases = cases
        self._views: dict[int, View] = {}

    def collect(self, outputs: Any, batch: Any, cases: Sequence[Case]) -> None:
        """Draw the cases of a batch that are followed."""
        for item, index in enumerate(batch["index"]):
            if index < self.cases:
                rows = [row for row in outputs["rows"] if row["case"] == batch["case"][item]]
                picture = self._draw_case(batch, item, cases[index], outputs["label_maps"][item])
                self.collected[index] = picture, caption(batch["case"][item], rows)

    def _draw_case(self, batch: Any, item: int, case: Case, prediction: Any) -> Image.Image:
        """Draw a case; its image and label, which are the same in every epoch, are prepared only once."""
        index = batch["index"][item]
        if index not in self._views:
            self._views[index] = preprocessed_view(batch, item, case)
        return self._views[index].draw(prediction)

    def draw(self, title: str, last: int) -> Image.Image | None:
        """Put the cases above the curves."""
        cases = [self.collected[index] for index in sorted(self.collected)]
        self.collected = {}
        if not cases:
            return None
        charts = self._charts(read_series(self.folder.metrics), last)
        pictures = [picture for picture, _ in cases] + charts
        captions = [text for _, text in cases] + ["" for _ in charts]
        return stack(pictures, captions, title, self.config.data.classes, width=WIDTH)

    def _charts(self, series: Series, last: int) -> list[Image.Image]:
        """Draw the losses, and the Dice of the validation: the mean and each class in its colour."""
        dice = [Curve("valid/dice", series.get("valid/dice", []), TEXT)]
        classes = list(enumerate(self.config.data.classes))[1:]
        if len(classes) > 1:  # the mean says the same as the only class
            dice += [Curve(name, series.get(f"valid/dice/{name}", []), class_colour(value)) for value, name in classes]
        return [draw_losses(series, last), draw_curves(dice, CHART, last_x=last, limits=(0, 1))]


def caption(case: str, rows: list[dict[str, Any]]) -> str:
    """Write the Dice of a case: mean, and of each class where there are several."""
    dice = summarise(rows, ["dice"])
    classes = {name.split("/", 1)[1]: value for name, value in dice.items() if name.startswith("dice/")}
    parts = [case, f"Dice {dice['dice']:.3f}" if "dice" in dice else "Dice: nothing to find"]
    if len(rows) > 1:
        parts += [f"{name} {value:.2f}" for name, value in classes.items()]
    return "   ".join(parts)
