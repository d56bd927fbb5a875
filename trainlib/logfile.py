"""The log file of a run: what was told, with the time of each line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainlib.processes import is_first, rank


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Write trainlib's messages to a file for the block, whatever else is done with them; a resumed run appends.

    Of several processes the first writes all, the others their warnings.

    Args:
        path: The file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    which = "" if is_first() else f"process {rank()}: "
    handler.setFormatter(logging.Formatter(f"%(asctime)s  {which}%(message)s", "%Y-%m-%d %H:%M:%S"))
    logger = logging.getLogger("trainlib")
    level = logger.level
    logger.setLevel(min(logging.INFO if is_first() else logging.WARNING, logger.getEffectiveLevel()))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(level)
