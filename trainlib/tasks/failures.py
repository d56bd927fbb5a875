"""Name the cases that a network, an inferer or a loss failed on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from trainlib.build.patches import blame, describe
from trainlib.build.resolve import ComponentError
from trainlib.config.schema import Config
from trainlib.errors import StepError, TrainlibError
from trainlib.memory import lacking
from trainlib.tasks.compiling import CompilerError, compiler_error
from trainlib.words import first_few

log = logging.getLogger(__name__)

_MOST_CASES = 8  # named before the rest is only counted
# What a component raises where it does not suit its input; anything else keeps its traceback.
_MISFITS = (RuntimeError, ValueError, TypeError, AssertionError, IndexError, ImportError)
# What a component is not to blame for: another process has ended, or the GPU has a fault.
_ELSEWHERE = ("DataLoader worker", "NCCL", "gloo")
_FAULTS = ("CUDA error", "cuDNN")
_LIBRARIES = ("torch", "monai", "trainlib")


def cases_of(batch: Mapping[str, Any]) -> list[str]:
    """Return row and file of each case of a batch, once though it has several crops."""
    return list(dict.fromkeys(map(str, batch.get("where", batch.get("case", [])))))


def listed_cases(names: Iterable[str]) -> str:
    """Write the names of cases in a row; of many the first ones."""
    return first_few(names, _MOST_CASES)


def shape_of(tensor: torch.Tensor) -> str:
    """Write the shape of a tensor."""
    return f"shape {tuple(tensor.shape)}"


@contextmanager
def component(
    section: str,
    config: Config,
    subject: str,
    made: Sequence[object] = (),
    worked: set[tuple[str, str]] | None = None,
) -> Iterator[None]:
    """Turn what a component raises into a sentence with its section and what it was given.

    Args:
        section: Where it stands in the config, such as ``model``.
        config: The config.
        subject: What it was given.
        made: The components that are called, to name a line of their own files.
        worked: Sections and subjects for which the block has come to its end before; it is added to them.

    Raises:
        ComponentError: It failed, and does not suit its input.
        CompilerError: torch cannot compile the network.
        StepError: It failed where it had worked before, or the GPU has a fault.
    """
    try:
        yield
    except TrainlibError:
        raise
    except Exception as error:
        # A worker that was killed is told by a signal, which may arrive inside any component.
        if lacking(error) or any(sign in str(error) for sign in _ELSEWHERE):
            raise
        if refused := compiler_error(error, config.model.compile):
            raise refused from error
        if not isinstance(error, _MISFITS):
            raise
        cause: BaseException = error
        while cause.__cause__ is not None:  # MONAI wraps what a transform raises
            cause = cause.__cause__
        text = f"{section}: fails{_line(cause, config, made)} on {subject}: {describe(cause)}."
        faulty = any(sign in str(error) for sign in _FAULTS)
        if faulty or (section, subject) in (worked or ()):
            log.error("%s", text, exc_info=True)
            why = "The GPU reports a fault" if faulty else "It had worked on such an input before"
            raise StepError(f"{text} {why}; the log has the traceback.") from error
        raise ComponentError([((section,), text)]) from error
    else:
        if worked is not None:
            worked.add((section, subject))


def _line(cause: BaseException, config: Config, made: Sequence[object]) -> str:
    """Name the last line of the user's own code that led to an error; nothing where none did."""
    scripts = [script for _, script in config.patch if script]
    for component in made:
        name = getattr(component, "__module__", "")
        if name.partition(".")[0] not in _LIBRARIES and (file := getattr(sys.modules.get(name), "__file__", None)):
            scripts.append(file)
    places = (blame(cause, script) for script in scripts)
    return next((f" ({place})" for place in places if place.rpartition(":")[2].isdigit()), "")


@contextmanager
def named(batch: Mapping[str, Any]) -> Iterator[None]:
    """Name the cases of a batch in what is raised: in a sentence at its beginning, else below the traceback."""
    try:
        yield
    except CompilerError:
        raise
    except ComponentError as error:
        mistakes = [(key, f"{listed_cases(cases_of(batch))}: {text}") for key, text in error.mistakes]
        raise ComponentError(mistakes) from error.__cause__
    except StepError as error:
        raise StepError(f"{listed_cases(cases_of(batch))}: {error}") from error.__cause__
    except TrainlibError:
        raise
    except Exception as error:
        error.add_note(f"It happened with {listed_cases(cases_of(batch))}.")
        raise
