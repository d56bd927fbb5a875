"""The exceptions a user may see; every one reads as a sentence and carries the exit status of the command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One mistake in the user's input.

    Attributes:
        text: What was expected, what was found and the remedy, beginning with the key as the user wrote it.
        where: The place that holds the mistake, such as ``config.yaml:14`` or ``train.csv:3``.
    """

    text: str
    where: str = ""

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.text}" if self.where else self.text)


def printable(text: str) -> str:
    """Write a text in one line: a name from the user's files may hold line breaks, or signs that move the cursor."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


class TrainlibError(Exception):
    """Base of all errors that are explained by their message alone."""

    exit_status = 1
    told_by: int | None = None
    """Of several processes that do a run together, the number of the one that tells the error."""


class InputError(TrainlibError):
    """What the user handed in is wrong.

    Args:
        problems: All mistakes that were found, or the text of the only one.
    """

    exit_status = 2

    def __init__(self, problems: str | Iterable[Problem]) -> None:
        self.problems = [Problem(problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ConfigError(InputError):
    """The configuration cannot be used."""


class DataError(InputError):
    """A CSV, an image or a label cannot be used."""


class PatchError(InputError):
    """A patch script cannot be imported, or what it defines failed."""


class CheckpointError(InputError):
    """A checkpoint cannot be read, or does not belong to the configuration."""


class ResourceError(TrainlibError):
    """The machine ran out of something; the message names the settings that help.

    Attributes:
        checkpoint: From where the training can be continued, if it got that far.
    """

    checkpoint: Path | None = None


class DiskFullError(ResourceError):
    """Nothing more can be written to a disk."""


class StepError(ResourceError):
    """A step failed that had worked before: the machine has a fault or a component a bug, and the input is right."""


class ProcessError(TrainlibError):
    """One of several processes that do a run together has ended, or none of the others is reached."""


class Interrupted(BaseException):
    """The run was asked to stop by a signal.

    It derives from ``BaseException``, as ``KeyboardInterrupt`` does, so that no ``except Exception`` swallows it.

    Args:
        signal_number: The signal that arrived, such as ``signal.SIGTERM``.

    Attributes:
        exit_status: What a shell reports for a process that the signal ended.
        checkpoint: From where the training can be continued, if it got that far.
    """

    told_by: int | None = None

    def __init__(self, signal_number: int) -> None:
        self.exit_status = 128 + signal_number
        self.checkpoint: Path | None = None
        super().__init__(f"interrupted by signal {signal_number}")
