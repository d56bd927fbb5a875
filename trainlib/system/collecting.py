"""Keep Python's search for garbage away from what stays for good."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not look for garbage in the block, and afterwards not among what it has made.

    Libraries make millions of objects when they are imported, and so do tables of many rows when they are read. All of
    them stay, and to go through them again and again takes a tenth of the time.

    Only for the beginning of a command: garbage that there is already, such as that of an earlier training in the same
    process, would stay for good too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
