"""Keep a logger that fails, such as one whose server is gone, from ending the training that it follows."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from trainlib.build.patches import describe
from trainlib.processes import is_first
from trainlib.system.diskspace import is_full

if TYPE_CHECKING:
    from lightning.fabric.loggers.logger import Logger

log = logging.getLogger(__name__)

_METHODS = ("log_hyperparams", "log_metrics", "log_graph", "save", "after_save_checkpoint", "finalize")
"""What Lightning calls of a logger."""
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "WANDB_INIT_TIMEOUT": "30",
}
_LONGEST = 300  # letters of what a library says of a failure


def guard(logger: Logger, name: str) -> Callable[[], bool]:
    """Let a logger work in the first process alone, and do nothing more once it has failed, which is told.

    A full disk ends the training, so that nothing is missing from what the logger wrote once it is continued.

    Args:
        logger: The logger; changed in place, for others ask what class it is of.
        name: What it is called where it is told that it failed.

    Returns:
        Tells whether it works so far.
    """
    failed: list[Exception] = []

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            if failed or not is_first():
                return None
            try:
                return method(*args, **kwargs)
            except Exception as error:
                if is_full(error):
                    raise
                failed.append(error)
                said = describe(error)
                said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]} ..."
                log.warning("%s failed and is switched off: %s. The training goes on without it.", name, said)
                return None

        return call

    for method in _METHODS:
        setattr(logger, method, guarded(getattr(logger, method, _nothing)))
    return lambda: not failed


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stand in for what Lightning calls of a logger that was made for Fabric."""


@contextmanager
def own_runs() -> Iterator[None]:
    """End the run of Weights & Biases that began in the block, or the next training would go on in it."""
    before = _wandb_run()
    try:
        yield
    finally:
        run = _wandb_run()
        if run is not None and run is not before:
            run.finish()


def _wandb_run() -> Any:
    return getattr(sys.modules.get("wandb"), "run", None)


def set_patience() -> None:
    """Let loggers give up a server that does not answer after half a minute.

    By themselves they wait for several minutes. What the user has set in the environment stands.
    """
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
