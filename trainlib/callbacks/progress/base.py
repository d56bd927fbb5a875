"""How a network learns: a picture after each validation, and the pictures as a GIF."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

from trainlib.callbacks.harmless import harmless
from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.drawing.animation import write_gif
from trainlib.errors import Interrupted
from trainlib.folders.run import RunFolder
from trainlib.processes import gather, is_first
from trainlib.system.files import atomic_path


class Progress(Callback):
    """Writes a picture at the end of each epoch that had a validation, and all of them as a GIF.

    With several validations in an epoch the picture shows the last. A resumed run goes on from the epoch that it
    continues with. What is drawn depends on the task: `collect` sees each validation batch, `draw` makes the picture.

    Args:
        config: The config.
        folder: The run folder.
    """

    def __init__(self, config: Config, folder: RunFolder) -> None:
        self.config = config
        self.folder = folder
        self.collected: dict[int, Any] = {}

    def collect(self, outputs: Any, batch: Any, cases: Sequence[Case]) -> None:
        """Keep in `collected`, by the index of the case, what the picture of the epoch needs of a validation batch.

        Args:
            outputs: What the task returned for the batch.
            batch: The batch.
            cases: The validation cases.
        """
        raise NotImplementedError

    def draw(self, title: str, last: int) -> Image.Image | None:
        """Draw what was collected, and forget it; None where nothing was.

        Args:
            title: What stands above the picture.
            last: The last epoch of the training.
        """
        raise NotImplementedError

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
        """Collect from a batch."""
        if not trainer.sanity_checking:
            self.collect(outputs, batch, trainer.datamodule.cases["valid"])

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring together what several processes have collected; not `harmless`, for all must take part."""
        parts = gather(self.collected)
        self.collected = {index: part[index] for part in parts for index in part} if is_first() else {}

    @harmless
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the picture of the epoch, once its losses are in the table of epochs."""
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        last = max(trainer.max_epochs or 1, epoch)
        picture = self.draw(f"{self.config.run.name}   epoch {epoch} of {last}", last)
        if picture is None:
            return
        encoded = io.BytesIO()
        picture.save(encoded, "PNG", compress_level=1)
        with atomic_path(self.folder.progress / f"epoch_{epoch:05d}.png") as path:
            path.write_bytes(encoded.getbuffer())
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                # Lightning counts the scalars of an epoch to its last step; so is this.
                _add_png(logger, encoded.getvalue(), picture.size, trainer.global_step - 1)

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


def _add_png(logger: TensorBoardLogger, png: bytes, size: tuple[int, int], step: int) -> None:
    """Show a picture in TensorBoard; `add_image` would decode and encode it once more."""
    image = Summary.Image(width=size[0], height=size[1], colorspace=3, encoded_image_string=png)
    logger.experiment.file_writer.add_summary(Summary(value=[Summary.Value(tag="progress", image=image)]), step)
