"""What is done around a training, however it ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from lightning import Callback

from trainlib.errors import InputError, Interrupted
from trainlib.folder import RunFolder
from trainlib.processes import is_first


@contextmanager
def ended_in_good_order(folder: RunFolder, new: bool) -> Iterator[None]:
    """Take a new folder away where nothing was trained, and tell an interruption where to go on."""
    try:
        yield
    except InputError:
        if new and is_first() and not folder.metrics.exists():
            shutil.rmtree(folder.path)
        raise
    except Interrupted as interruption:
        interruption.checkpoint = folder.last if folder.last.is_file() else None
        raise


@contextmanager
def entered(callbacks: list[Callback]) -> Iterator[None]:
    """Enter the callbacks that watch more than the training: they are context managers, and see how all ends."""
    with ExitStack() as stack:
        for callback in callbacks:
            if isinstance(callback, AbstractContextManager):
                stack.enter_context(callback)
        yield
