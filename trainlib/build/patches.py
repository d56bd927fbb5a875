"""Load the user's patch scripts and call what they define."""

from __future__ import annotations

import hashlib
import importlib.util
import os.path
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from trainlib.errors import PatchError, TrainlibError


def load_patch(path: str) -> ModuleType:
    """Import a patch script under a name of its own; `sys.path` is left alone.

    Args:
        path: Absolute path of the script.

    Raises:
        PatchError: The script is missing or fails while it is imported; with the line that failed.
    """
    name = f"trainlib_patch_{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if not os.path.isfile(path):
        raise PatchError(f"patch: there is no script {path}.")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PatchError(f"patch: {path} is not a Python script; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    # Registered first, so that its classes can be pickled and its dataclasses resolved.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PatchError(f"{blame(error, path)}: the patch script cannot be imported: {describe(error)}.") from error
    return module


def patched(path: str, function: str) -> Callable[..., Any] | None:
    """Return a function of a patch script, or None where the script does not define it."""
    target: Callable[..., Any] | None = getattr(load_patch(path), function, None)
    return target


def call_patch(path: str | None, function: str, *arguments: Any) -> Any:
    """Call a function of a patch script.

    Args:
        path: The script, or None where the config names none.
        function: Name of the function.
        arguments: What to call it with.

    Returns:
        What the function returned; None where there is no script or no such function, and the default is to be used.

    Raises:
        PatchError: The script or the function failed, or the function returned None.
    """
    if path is None:
        return None
    target = patched(path, function)
    if target is None:
        return None
    try:
        result = target(*arguments)
    except TrainlibError:
        raise
    except (Exception, SystemExit) as error:
        raise PatchError(f"{blame(error, path)}: {function} failed: {describe(error)}.") from error
    if result is None:
        raise PatchError(f"{path}: {function} returned None. It must return the object it built.")
    return result


def blame(error: BaseException, path: str) -> str:
    """Name the last line of the script at `path` that led to `error`, as ``file:line``."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{path}:{lines[-1]}" if lines else path


def describe(error: BaseException) -> str:
    """Write an error as its type and the first line of its message."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0].rstrip('.')}" if text else type(error).__name__
