"""What is done around a training, however it ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from lightning import Callback

from trainlib.errors import InputError, Interrupted, ResourceError
from trainlib.folders.overwriting import settle
from trainlib.folders.run import RunFolder
from trainlib.processes import is_first
from trainlib.system.diskspace import quiet_writers, room_for


@contextmanager
def ended_in_good_order(folder: RunFolder, new: bool) -> Iterator[None]:
    """Take a new folder away where nothing was trained, and tell where a training that was cut short can go on.

    A run that was to be overwritten comes back where the new one has no checkpoint. A lack of room on the disk of the
    folder becomes a sentence.
    """
    try:
        with quiet_writers(), room_for(folder.path):
            yield
    except BaseException as error:
        useless = not folder.metrics.exists() if isinstance(error, InputError) else not folder.snapshot.exists()
        if is_first():
            if new and useless:
                shutil.rmtree(folder.path, ignore_errors=True)
            settle(folder.path)
        if isinstance(error, Interrupted | ResourceError):
            error.checkpoint = folder.last if folder.last.is_file() else None
        raise
    if is_first() and folder.last.is_file():
        settle(folder.path)


@contextmanager
def entered(callbacks: list[Callback]) -> Iterator[None]:
    """Enter the callbacks that watch more than the training: they are context managers, and see how all ends."""
    with ExitStack() as stack:
        for callback in callbacks:
            if isinstance(callback, AbstractContextManager):
                stack.enter_context(callback)
        yield
