"""Name the cases that a network, an inferer or a loss failed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from trainlib.build.patches import blame, describe
from trainlib.build.resolve import ComponentError
from trainlib.config.schema import Config
from trainlib.errors import TrainlibError
from trainlib.tasks.memory import is_about_memory

_MOST_CASES = 8  # named before the rest is only counted
# What a component raises where it does not suit its input; anything else keeps its traceback.
_MISFITS = (RuntimeError, ValueError, TypeError, AssertionError, IndexError, ImportError)


def cases_of(batch: Mapping[str, Any]) -> list[str]:
    """Return row and file of each case of a batch, once though it has several crops."""
    return list(dict.fromkeys(map(str, batch.get("where", batch.get("case", [])))))


def listed(names: Iterable[str]) -> str:
    """Write the names of cases in a row; of many the first ones."""
    names = list(names)
    rest = len(names) - _MOST_CASES
    return ", ".join(names[:_MOST_CASES]) + (f" and {rest} more" if rest > 0 else "")


def shape_of(tensor: torch.Tensor) -> str:
    """Write the shape of a tensor."""
    return f"shape {tuple(tensor.shape)}"


@contextmanager
def component(section: str, config: Config, subject: str) -> Iterator[None]:
    """Turn what a component raises into a sentence with its section and what it was given.

    Args:
        section: Where it stands in the config, such as ``model``.
        config: The config.
        subject: What it was given.

    Raises:
        ComponentError: It failed.
    """
    try:
        yield
    except TrainlibError:
        raise
    except _MISFITS as error:
        if is_about_memory(error):
            raise
        cause: BaseException = error
        while cause.__cause__ is not None:  # MONAI wraps what a transform raises
            cause = cause.__cause__
        places = (blame(cause, script) for _, script in config.patch if script)
        line = next((f" ({place})" for place in places if place.rpartition(":")[2].isdigit()), "")
        raise ComponentError([((section,), f"{section}: fails{line} on {subject}: {describe(cause)}.")]) from error


@contextmanager
def named(batch: Mapping[str, Any]) -> Iterator[None]:
    """Name the cases of a batch in what is raised: in a sentence at its beginning, else below the traceback."""
    try:
        yield
    except ComponentError as error:
        mistakes = [(key, f"{listed(cases_of(batch))}: {text}") for key, text in error.mistakes]
        raise ComponentError(mistakes) from error.__cause__
    except TrainlibError:
        raise
    except Exception as error:
        error.add_note(f"It happened with {listed(cases_of(batch))}.")
        raise
