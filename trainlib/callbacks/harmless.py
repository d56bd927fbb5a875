"""Keep a watcher that fails from ending the training that it watches."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from trainlib.build.patches import describe

log = logging.getLogger(__name__)

Hook = TypeVar("Hook", bound=Callable[..., Any])


def harmless(hook: Hook) -> Hook:
    """Decorate a hook of a callback: what it raises is told once, and from then on the callback does nothing.

    The traceback is kept, for this is a bug or a full disk and not the user's input.
    """

    @functools.wraps(hook)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "_failed", False):
            return None
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            self._failed = True
            log.warning("%s failed and is switched off: %s.", type(self).__name__, describe(error), exc_info=True)
            return None

    return guarded  # type: ignore[return-value]
