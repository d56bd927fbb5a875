"""What is sent to processes that are started: they run a program of their own, and must be able to make it anew."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from types import FunctionType
from typing import Any

from trainlib.errors import ConfigError

_ONE = "set trainer.devices and trainer.num_nodes to 1."


class _OfTheProgramError(Exception):
    """A function or class is defined in the program that was started, which the other processes do not run."""


class _Pickler(pickle.Pickler):
    """Pickles what other programs can read."""

    def reducer_override(self, obj: Any) -> Any:
        """Refuse functions and classes of the program itself, of which only the names are pickled."""
        if isinstance(obj, type | FunctionType) and obj.__module__ == "__main__":
            raise _OfTheProgramError(obj.__qualname__)
        return NotImplemented


def pickled(value: Any) -> bytes:
    """Pickle something for a process that runs another program.

    Raises:
        Exception: It cannot be pickled, or another program could not read it.
    """
    stream = io.BytesIO()
    _Pickler(stream).dump(value)
    return stream.getvalue()


def pickled_call(call: Callable[[], Any]) -> bytes:
    """Pickle a call.

    Args:
        call: A function, or a `functools.partial` of one, whose named arguments are told by their names.

    Raises:
        ConfigError: Something in it cannot be sent to another process.
    """
    try:
        return pickled(call)
    except Exception as error:
        named = ((name, _fault(value)) for name, value in getattr(call, "keywords", {}).items())
        name, fault = next(((name, fault) for name, fault in named if fault), ("The call", error))
        raise ConfigError(f"{name}: {_explained(fault)}") from error


def _fault(value: Any) -> Exception | None:
    """Return why a value cannot be sent, None where it can."""
    try:
        pickled(value)
    except Exception as error:  # whatever an object of the user raises
        return error
    return None


def _explained(fault: Exception) -> str:
    if isinstance(fault, _OfTheProgramError):
        return (
            f"{fault} is defined in the program that was started, which the other processes do not run. Define it in "
            f"a module that the program imports, or {_ONE}"
        )
    reason = str(fault).strip().split("\n")[0].rstrip(".")
    return f"this cannot be sent to other processes ({type(fault).__name__}: {reason}). Leave it out, or {_ONE}"
