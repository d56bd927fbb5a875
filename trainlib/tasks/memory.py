"""Which settings help where a step of the network needs more memory than there is."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.config.window import window_setting

_CPU = "DefaultCPUAllocator: can't allocate memory"
# What CUDA, cuDNN, cuBLAS and Apple's MPS say; only the first has an exception of its own.
_GPU = ("out of memory", "ALLOC_FAILED")


def is_about_memory(error: BaseException) -> bool:
    """Tell whether an error says that the machine or its GPU has no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in str(error) for sign in (_CPU, *_GPU))


def explain_memory(error: BaseException, config: Config | None = None) -> str | None:
    """Put a lack of memory in the training process into words.

    Args:
        error: What the training ended with.
        config: The config, to tell present values; without, settings are only named.

    Returns:
        What happened, with which cases, and the settings that help; None for any other error.
    """
    if not is_about_memory(error):
        return None
    text = str(error).strip()
    on_cpu = isinstance(error, MemoryError) or _CPU in text
    lines = text.splitlines() or [type(error).__name__]
    said = lines[-1 if lines[0].startswith("Caught") else 0]  # what comes from a worker begins with its traceback
    notes = "".join(f" {note}" for note in getattr(error, "__notes__", []))
    remedies = [*_remedies(config, on_cpu)]
    listing = f"{', '.join(remedies[:-1])}, or {remedies[-1]}" if len(remedies) > 1 else remedies[0]
    return (
        f"The {'machine' if on_cpu else 'GPU'} ran out of memory.{notes} {listing[0].upper()}{listing[1:]}. "
        f"(The system said: {said})"
    )


def _remedies(config: Config | None, on_cpu: bool) -> Iterator[str]:
    """Name the settings that make a step smaller; of a config those that can."""
    if config is None:
        yield "lower data.batch_size"
        yield "make the window (roi_size) smaller"
        yield "lower data.num_workers" if on_cpu else "set trainer.precision to 16-mixed"
        return
    if config.data.batch_size > 1:
        yield f"lower data.batch_size (now {config.data.batch_size})"
    if setting := window_setting(config):
        yield f"make the window smaller, {dotted(setting.key)} (now {' x '.join(map(str, config.roi_size))})"
    for i, transform in enumerate(config.transforms.train):
        if (crops := transform.kwargs.get("num_samples", 1)) != 1:
            yield f"lower {dotted(('transforms', 'train', i, transform.name, 'num_samples'))} (now {crops})"
    if on_cpu:
        if config.data.num_workers != 0:
            yield f"lower data.num_workers (now {config.data.num_workers})"
        if config.data.cache == "memory":
            yield "set data.cache to disk, which keeps no case in memory"
    elif "16" not in (precision := str(config.trainer.get("precision", "32-true"))):
        yield f"set trainer.precision to 16-mixed (now {precision})"
    if (windows := config.inferer.kwargs.get("sw_batch_size", 1)) != 1:
        yield f"for whole images lower {dotted(('inferer', config.inferer.name, 'sw_batch_size'))} (now {windows})"
    elif not on_cpu and "Sliding" in config.inferer.name and "device" not in config.inferer.kwargs:
        yield f"for whole images set {dotted(('inferer', config.inferer.name, 'device'))} to cpu"
    yield f"make the network, {dotted(('model', config.model.name))}, smaller"
