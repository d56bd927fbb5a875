"""Train as `fit` does, with a callback that measures."""

from __future__ import annotations

from lightning import Callback

from trainlib.callbacks import build_callbacks
from trainlib.config.schema import Config
from trainlib.data.module import CSVDataModule
from trainlib.ending import entered
from trainlib.folders.run import RunFolder
from trainlib.tasks import TASKS
from trainlib.trainer import make_trainer, tensorboard


def train(config: Config, module: CSVDataModule, folder: RunFolder, clock: Callback, *, watched: bool = True) -> None:
    """Train, with everything that `fit` switches on or with no other callback than the one that measures.

    Args:
        config: The config.
        module: Where the data come from.
        folder: The run folder, which is not there yet.
        clock: Measures.
        watched: Whether all callbacks act, in folder and TensorBoard.
    """
    folder.path.mkdir(parents=True)
    callbacks = build_callbacks("fit", config, folder) if watched else []
    loggers = [tensorboard(folder, None)] if watched else []
    trainer = make_trainer(config, [*callbacks, clock], loggers)
    with entered(callbacks):
        trainer.fit(TASKS[config.task](config), datamodule=module)
