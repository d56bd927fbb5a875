"""The log file of a run: what was told, with the time of each line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainlib.processes import is_first, rank


class _LogFile(logging.FileHandler):
    """A file whose disk may be full: the run ends with what it cannot write, not with what is told of it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Leave out a line that cannot be written."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, whatever of it could not be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Write trainlib's messages to a file for the block, whatever else is done with them; a resumed run appends.

    Of several processes the first writes all, the others their warnings.

    Args:
        path: The file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, encoding="utf-8")
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
