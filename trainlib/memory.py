"""A lack of memory, and which settings help."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Literal

import torch

from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.config.window import window_setting
from trainlib.device import SINGLE, precision

_CPU = "DefaultCPUAllocator: can't allocate memory"
# What CUDA, cuDNN, cuBLAS and Apple's MPS say; only the first has an exception of its own.
_GPU = ("out of memory", "ALLOC_FAILED")


def lacking(error: BaseException) -> Literal["machine", "GPU"] | None:
    """Tell which memory is used up where an error, or what caused it, says so; None for any other error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or _CPU in str(cause):
            return "machine"
        if isinstance(cause, OSError) and cause.errno == errno.ENOMEM:  # no process can be started
            return "machine"
        if isinstance(cause, torch.OutOfMemoryError) or any(sign in str(cause) for sign in _GPU):
            return "GPU"
        cause = cause.__cause__
    return None


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of Python, NumPy or torch, or its cause, says that the machine has no memory left."""
    return lacking(error) == "machine"


def explain_memory(error: BaseException, config: Config | None = None) -> str | None:
    """Put a lack of memory in the training process into words.

    Args:
        error: What the training ended with.
        config: The config, to tell present values; without, settings are only named.

    Returns:
        What happened, with which cases, and the settings that help; None for any other error.
    """
    where = lacking(error)
    if where is None:
        return None
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = lines[-1 if lines[0].startswith("Caught") else 0]  # what comes from a worker begins with its traceback
    notes = "".join(f" {note}" for note in getattr(error, "__notes__", []))
    of_place = [*_of_workers(config), *_of_cache(config)] if where == "machine" else [*_of_precision(config)]
    remedies = [*_of_batch(config), *_of_window(config), *of_place, *_of_network(config, where)]
    return f"The {where} ran out of memory.{notes} {_sentence(remedies, ', or ')} (The system said: {said})"


def memory_remedy(config: Config | None) -> str:
    """Name the settings that help where cases are prepared without memory; of a config those that can."""
    remedies = [*_of_workers(config), *_of_batch(config), *_of_cache(config)]
    usual = ["make the images smaller in transforms.base (Spacingd)", "use a machine with more memory"]
    return _sentence(remedies or usual, " or ")


def _sentence(remedies: list[str], last: str) -> str:
    text = last.join(filter(None, [", ".join(remedies[:-1]), remedies[-1]]))
    return f"{text[0].upper()}{text[1:]}."


def _of_workers(config: Config | None) -> Iterator[str]:
    if config is None or config.data.num_workers != 0:
        yield f"lower data.num_workers{_now(config and config.data.num_workers)}"


def _of_batch(config: Config | None) -> Iterator[str]:
    if config is None or config.data.batch_size > 1:
        yield f"lower data.batch_size{_now(config and config.data.batch_size)}"


def _of_cache(config: Config | None) -> Iterator[str]:
    if config is None or config.data.cache == "memory":
        yield "set data.cache to disk, which keeps no case in memory"


def _of_window(config: Config | None) -> Iterator[str]:
    if config is None:
        yield "make the window (roi_size) smaller"
        return
    if setting := window_setting(config):
        yield f"make the window smaller, {dotted(setting.key)}{_now(' x '.join(map(str, config.roi_size)))}"
    for i, transform in enumerate(config.transforms.train):
        if (crops := transform.kwargs.get("num_samples", 1)) != 1:
            yield f"lower {dotted(('transforms', 'train', i, transform.name, 'num_samples'))}{_now(crops)}"


def _of_precision(config: Config | None) -> Iterator[str]:
    present = SINGLE if config is None else precision(config)
    if "16" not in present:
        yield f"set trainer.precision to 16-mixed{_now(config and present)}"


def _of_network(config: Config | None, where: str) -> Iterator[str]:
    if config is None:
        return
    inferer = config.inferer
    if (windows := inferer.kwargs.get("sw_batch_size", 1)) != 1:
        yield f"for whole images lower {dotted(('inferer', inferer.name, 'sw_batch_size'))}{_now(windows)}"
    elif where == "GPU" and "Sliding" in inferer.name and "device" not in inferer.kwargs:
        yield f"for whole images set {dotted(('inferer', inferer.name, 'device'))} to cpu"
    yield f"make the network, {dotted(('model', config.model.name))}, smaller"


def _now(value: object) -> str:
    """Write the present value of a setting, as in `` (now 4)``; nothing where none is known."""
    return "" if value is None else f" (now {value})"
