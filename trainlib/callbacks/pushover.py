"""Messages to a phone: what a training begins with, gains and ends with."""

from __future__ import annotations

import logging
import math
import platform
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple

from lightning import Callback, LightningModule, Trainer

from trainlib.build.patches import describe
from trainlib.callbacks.delivery import ATTACHMENT_LIMIT, Message
from trainlib.callbacks.harmless import harmless
from trainlib.callbacks.outbox import Outbox
from trainlib.callbacks.series import read_series
from trainlib.config.credentials import read_credentials
from trainlib.config.schema import Config
from trainlib.errors import Interrupted
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder

log = logging.getLogger(__name__)


class _Score(NamedTuple):
    """A value of the monitored metric, and its epoch, counted from 1."""

    value: float
    epoch: int


class Pushover(Callback, AbstractContextManager["Pushover"]):
    """Tells by Pushover how a training begins, improves and ends; entered around training, validation and test.

    The training neither waits for a message nor fails for one; only the last ones get a moment to be delivered.

    Args:
        config: The config, with a section `pushover`.
        folder: The run folder.
    """

    pause = 5.0  # seconds between two tries to deliver a message
    patience = 2.0  # seconds for the last messages
    patience_when_interrupted = 1.0

    def __init__(self, config: Config, folder: RunFolder) -> None:
        assert config.pushover is not None
        self.config = config
        self.settings = config.pushover
        self.folder = folder
        self._best: _Score | None = None
        self._announced: _Score | None = None  # the best when the last message was sent
        self._announced_at = -math.inf
        self._began = 0.0
        self._epochs = ""

    def __enter__(self) -> Pushover:
        """Read the credentials and start the thread that sends.

        Raises:
            ConfigError: The credentials cannot be used.
        """
        self._began = monotonic()
        self._outbox = Outbox(self.settings.api, read_credentials(self.settings.credentials), pause=self.pause)
        self._outbox.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell how all ended, and give the last messages some time."""
        interrupted = isinstance(error, Interrupted | KeyboardInterrupt)
        try:
            self._outbox.put(self._ending(error, interrupted))
        except Exception as failure:
            log.warning("The last message to Pushover could not be written: %s.", describe(failure), exc_info=True)
        self._outbox.close(self.patience_when_interrupted if interrupted else self.patience)

    @harmless
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell that training begins, or from where it goes on."""
        self._best = self._announced = self._best_until(trainer.current_epoch)
        self._count(trainer)
        cases = trainer.datamodule.cases
        begun = f"continued at epoch {trainer.current_epoch + 1}" if trainer.current_epoch else "started"
        lines = [
            f"{trainer.max_epochs} epochs on {platform.node()}",
            f"{len(cases['train'])} training and {len(cases['valid'])} validation cases",
            *self._best_line(),
        ]
        self._outbox.put(Message(self._title(begun), "\n".join(lines)))

    @harmless
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell an improvement as the best checkpoint sees it; one that came too early is told when it is time."""
        self._count(trainer, finished=1)
        value = trainer.callback_metrics.get(self.config.checkpoint.monitor)
        if value is not None:
            # Rounded as in the table of epochs, from which a resumed run takes the best so far.
            self._consider(_Score(float(f"{float(value):.9g}"), trainer.current_epoch + 1))
        if self._best != self._announced and monotonic() - self._announced_at >= self.settings.min_interval:
            self._announce()

    def _announce(self) -> None:
        assert self._best is not None
        monitor, before = self.config.checkpoint.monitor, self._announced
        text = f"{monitor} {self._best.value:.4g} in epoch {self._best.epoch}"
        text += f", before {before.value:.4g} in epoch {before.epoch}" if before else ""
        title = self._title(f"{monitor} {self._best.value:.4g}")
        picture = self._first_that_fits([self.folder.progress / f"epoch_{self._best.epoch:05d}.png"])
        self._outbox.put(Message(title, f"{text}\n{self._epochs}", picture, passing=True))
        self._announced, self._announced_at = self._best, monotonic()

    def _ending(self, error: BaseException | None, interrupted: bool) -> Message:
        time = _duration(monotonic() - self._began)
        after = f"after {time} on {platform.node()}, {self._epochs or 'before the training'}"
        best = self._best_line()
        if interrupted:
            return Message(self._title("interrupted"), "\n".join([f"Interrupted {after}", *best]))
        if error is not None:
            return Message(self._title("failed"), "\n".join([describe(error), f"Failed {after}", *best]), urgent=True)
        lines = [f"Finished {after}", *best, *self._test_lines()]
        picture = self._first_that_fits([self.folder.gif, *self.folder.frames[-1:]])
        return Message(self._title("finished"), "\n".join(lines), picture)

    def _first_that_fits(self, pictures: list[Path]) -> Path | None:
        """Return the first picture that exists and is not too large to attach, None where none is wanted."""
        there = [path for path in pictures if self.settings.pictures and path.is_file()]
        return next((path for path in there if path.stat().st_size <= ATTACHMENT_LIMIT), None)

    def _title(self, what: str) -> str:
        return f"{self.folder.path.name}: {what}"

    def _count(self, trainer: Trainer, finished: int = 0) -> None:
        self._epochs = f"{trainer.current_epoch + finished} of {trainer.max_epochs} epochs done"

    def _consider(self, score: _Score) -> None:
        """Keep a score that is better than any before."""
        sign = 1 if self.config.monitor_mode == "max" else -1
        if not math.isnan(score.value) and (self._best is None or sign * score.value > sign * self._best.value):
            self._best = score

    def _best_until(self, epochs: float) -> _Score | None:
        """Return the best score of the first epochs in the table, None where there is none."""
        for epoch, value in read_series(self.folder.metrics).get(self.config.checkpoint.monitor, []):
            if epoch <= epochs:
                self._consider(_Score(value, int(epoch)))
        return self._best

    def _best_line(self) -> list[str]:
        best = self._best or self._best_until(math.inf)  # a run resumed when all was done trains nothing
        return [f"Best {self.config.checkpoint.monitor} {best.value:.4g} (epoch {best.epoch})"] if best else []

    def _test_lines(self) -> list[str]:
        """Write the scores of the test cases, where there are any: the means, then the Dice of each class."""
        if self.config.data.test_csv is None or not self.folder.cases.is_file():
            return []
        run = Run(self.folder, self.config)
        scores, cases = run.scores("test"), run.cases
        count = cases.loc[cases["split"] == "test", "case"].nunique()
        overall = {name: value for name, value in scores.items() if "/" not in name}
        means = [f"{name} {value:.4g}" for name, value in overall.items() if name not in ("missed", "false_positive")]
        classes = [f"{name[5:]} {value:.3f}" for name, value in scores.items() if name.startswith("dice/")]
        lines = [f"Test, {count} cases: {', '.join(means)}"] if means else []
        return lines + ([f"Dice: {', '.join(classes)}"] if len(classes) > 1 else [])


def _duration(seconds: float) -> str:
    """Write a duration with its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
