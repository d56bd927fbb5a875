"""Keep a watcher that fails from ending the training that it watches."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from trainlib.build.patches import describe
from trainlib.system.diskspace import is_full

log = logging.getLogger(__name__)

Hook = TypeVar("Hook", bound=Callable[..., Any])


def harmless(hook: Hook) -> Hook:
    """Decorate a hook of a callback: what it raises is told once, and from then on the callback does nothing.

    The traceback is kept, for this is a bug and not the user's input. A full disk ends the training, so that nothing
    is missing from it once it is continued; in a run that is ending for another reason nobody hears of it.
    """

    @functools.wraps(hook)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(self, "_failed", False):
            return None
        ending = sys.exc_info()[1]
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            if is_full(error):
                if ending is None:
                    raise
                return None
            self._failed = True
            log.warning("%s failed and is switched off: %s.", type(self).__name__, describe(error), exc_info=True)
            return None

    return guarded  # type: ignore[return-value]
