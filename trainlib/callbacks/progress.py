"""How the segmentation appears: a picture after each validation, and the pictures as a GIF."""

from __future__ import annotations

import io
import re
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

from trainlib.callbacks.harmless import harmless
from trainlib.callbacks.series import read_series
from trainlib.callbacks.views import WIDTH, View, preprocessed_view
from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.drawing.animation import write_gif
from trainlib.drawing.colours import MUTED, TEXT, class_colour
from trainlib.drawing.curves import Curve, draw_curves
from trainlib.drawing.sheet import MARGIN, stack
from trainlib.errors import Interrupted
from trainlib.files import atomic_path
from trainlib.folder import RunFolder
from trainlib.metrics.summary import summarise


class Progress(Callback):
    """Draws the first validation cases with label and prediction, and the curves so far.

    A picture is drawn at the end of each epoch that had a validation; with several validations in an epoch it
    shows the last. A resumed run draws on from the epoch that it continues with.

    Args:
        config: The config.
        folder: The run folder.
        cases: Number of cases.
    """

    def __init__(self, config: Config, folder: RunFolder, cases: int) -> None:
        self.config = config
        self.folder = folder
        self.cases = cases
        self._views: dict[int, View] = {}
        self._drawn: dict[int, tuple[Image.Image, str]] = {}

    @harmless
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the pictures of epochs that will be trained again."""
        for frame in self.folder.frames:
            if trainer.is_global_zero and int(re.sub(r"\D", "", frame.stem)) > trainer.current_epoch:
                frame.unlink()

    @harmless
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *_: Any, **__: Any
    ) -> None:
        """Draw the cases of a batch that are followed."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        for item, index in enumerate(batch["index"]):
            if index < self.cases:
                rows = [row for row in outputs["rows"] if row["case"] == batch["case"][item]]
                case = trainer.datamodule.cases["valid"][index]
                picture = self._draw(batch, item, case, outputs["label_maps"][item])
                self._drawn[index] = picture, _caption(batch["case"][item], rows)

    def _draw(self, batch: Any, item: int, case: Case, prediction: Any) -> Image.Image:
        """Draw a case; its image and label, which are the same in every epoch, are prepared only once."""
        index = batch["index"][item]
        if index not in self._views:
            self._views[index] = preprocessed_view(batch, item, case)
        return self._views[index].draw(prediction)

    @harmless
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the picture of the epoch, once its losses are in the table of epochs."""
        if not self._drawn:
            return
        cases = [self._drawn[index] for index in sorted(self._drawn)]
        self._drawn = {}
        epoch, last = trainer.current_epoch + 1, max(trainer.max_epochs or 1, trainer.current_epoch + 1)
        charts = _charts(read_series(self.folder.metrics), self.config, last)
        sheet = stack(
            [picture for picture, _ in cases] + charts,
            [caption for _, caption in cases] + ["" for _ in charts],
            f"{self.config.run.name}   epoch {epoch} of {last}",
            self.config.data.classes,
            width=WIDTH,
        )
        encoded = io.BytesIO()
        sheet.save(encoded, "PNG", compress_level=3)
        with atomic_path(self.folder.progress / f"epoch_{epoch:05d}.png") as path:
            path.write_bytes(encoded.getbuffer())
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                # Lightning counts the scalars of an epoch to its last step; so is this.
                add_png(logger, encoded.getvalue(), sheet.size, trainer.global_step - 1)

    @harmless
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the GIF."""
        self._animate(trainer)

    @harmless
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the GIF of a training that fails; one that is interrupted shall end at once."""
        if not isinstance(exception, Interrupted | KeyboardInterrupt):
            self._animate(trainer)

    def _animate(self, trainer: Trainer) -> None:
        if trainer.is_global_zero and (frames := self.folder.frames):
            write_gif(frames, self.folder.gif)


def add_png(logger: TensorBoardLogger, png: bytes, size: tuple[int, int], step: int) -> None:
    """Show a picture in TensorBoard; `add_image` would decode and encode it once more."""
    image = Summary.Image(width=size[0], height=size[1], colorspace=3, encoded_image_string=png)
    logger.experiment.file_writer.add_summary(Summary(value=[Summary.Value(tag="progress", image=image)]), step)


def _caption(case: str, rows: list[dict[str, Any]]) -> str:
    """Write the Dice of a case: mean, and of each class where there are several."""
    dice = summarise(rows, ["dice"])
    classes = {name.split("/", 1)[1]: value for name, value in dice.items() if name.startswith("dice/")}
    parts = [case, f"Dice {dice['dice']:.3f}" if "dice" in dice else "Dice: nothing to find"]
    if len(rows) > 1:
        parts += [f"{name} {value:.2f}" for name, value in classes.items()]
    return "   ".join(parts)


def _charts(series: dict[str, list[tuple[float, float]]], config: Config, last: int) -> list[Image.Image]:
    """Draw the losses, and the Dice of the validation: the mean and each class in its colour."""
    losses = [Curve(name, series.get(name, []), tone) for name, tone in (("valid/loss", TEXT), ("train/loss", MUTED))]
    dice = [Curve("valid/dice", series.get("valid/dice", []), TEXT)]
    classes = list(enumerate(config.data.classes))[1:]
    if len(classes) > 1:  # the mean says the same as the only class
        dice += [Curve(name, series.get(f"valid/dice/{name}", []), class_colour(value)) for value, name in classes]
    size = ((WIDTH - MARGIN) // 2, 150)
    return [
        draw_curves(losses, size, last_x=last),
        draw_curves(dice, size, last_x=last, limits=(0, 1)),
    ]
