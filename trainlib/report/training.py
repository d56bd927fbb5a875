"""How far the training got, how it ended, and what was logged in its epochs."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass

import numpy as np

from trainlib.report.content import Content
from trainlib.words import count

_LINE = re.compile(r"^\S+ \S+  (?:epoch \d+/|Run folder: |Stopped early: (?P<reason>.*))", re.MULTILINE)


@dataclass(frozen=True)
class Ending:
    """How the training ended.

    Attributes:
        epochs: Number of finished epochs.
        planned: Number of epochs asked for; None where there is no such limit.
        text: How it ended, in a sentence.
        complete: Whether it ended as the config says.
        command: How to go on where it did not.
    """

    epochs: int
    planned: int | None
    text: str
    complete: bool
    command: str = ""


@dataclass(frozen=True)
class Best:
    """The epoch with the best value of the monitored metric.

    Attributes:
        monitor: The metric.
        epoch: The epoch, counted from 1.
        value: Its value.
    """

    monitor: str
    epoch: int
    value: float


def ending_of(content: Content) -> Ending:
    """Tell whether the training reached its end."""
    epochs, planned = _epochs(content), _planned(content)
    if not content.trained:
        return Ending(0, planned, "Nothing was trained in this folder: it holds the scores of a checkpoint.", True)
    if epochs == 0:
        return Ending(0, planned, "The training ended before its first epoch was finished.", False, _command(content))
    done = f"after {count(epochs, 'epoch')}"
    if reason := _stopped_early(content.log):
        return Ending(epochs, planned, f"Stopped early {done}: {reason}", True)
    if planned is not None and epochs >= planned:
        return Ending(epochs, planned, f"Complete {done}.", True)
    settings = content.config.trainer
    limits = [name for name in ("max_time", "max_steps", "fast_dev_run") if settings.get(name) not in (None, -1, False)]
    if limits:
        return Ending(epochs, planned, f"Ended {done}; trainer.{limits[0]} sets a limit.", True)
    of = f" of {planned}" if planned else ""
    text = f"The training has not reached its end: it was cut off, or still runs, after epoch {epochs}{of}."
    return Ending(epochs, planned, text, False, _command(content))


def best_of(content: Content) -> Best | None:
    """Find the epoch of the best checkpoint in ``metrics.csv``; None where the metric was not logged."""
    monitor = content.config.checkpoint.monitor
    if monitor not in content.epochs:
        return None
    values = content.epochs[monitor].to_numpy(dtype=float)
    if not np.isfinite(values).any():
        return None
    smaller_is_better = content.config.monitor_mode == "min"
    worst = math.inf if smaller_is_better else -math.inf
    usable = np.where(np.isfinite(values), values, worst)
    place = int(usable.argmin() if smaller_is_better else usable.argmax())
    return Best(monitor, int(content.epochs["epoch"].iloc[place]) + 1, float(values[place]))


def lost_epochs(content: Content) -> int:
    """Count the epochs whose training loss is no number: the training diverged."""
    if "train/loss" not in content.epochs:
        return 0
    return int((~np.isfinite(content.epochs["train/loss"].to_numpy(dtype=float))).sum())


def _epochs(content: Content) -> int:
    return int(content.epochs["epoch"].max()) + 1 if len(content.epochs) else 0


def _planned(content: Content) -> int | None:
    """Read the number of epochs that the config asks for; Lightning's own default is 1000."""
    epochs = content.config.trainer.get("max_epochs")
    if epochs is None:
        return 1000
    return epochs if isinstance(epochs, int) and epochs >= 0 else None


def _stopped_early(log: str) -> str:
    """Return why the training was stopped early, unless it went on after that."""
    last = None
    for last in _LINE.finditer(log):  # noqa: B007 - the last one is wanted
        pass
    return (last.group("reason") or "") if last else ""


def _command(content: Content) -> str:
    """Write the command that continues the run in its folder, or begins it again where it has no checkpoint."""
    words = ["trainlib", "fit", "-c", str(content.folder.config)]
    if content.folder.last.is_file():
        words += ["--ckpt_path", str(content.folder.last)]
    return shlex.join(words)
