from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Callback

from trainlib import fit, load_config
from trainlib.errors import Interrupted


class Swallow(Callback):
    """Gets a signal in a place that lets no error out, and counts the batches that begin afterwards."""

    def __init__(self) -> None:
        self.later = 0
        self.swallowed = False

    def on_train_batch_end(self, *_: Any) -> None:
        if self.swallowed:
            self.later += 1
            return
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted:
            self.swallowed = True


def test_a_signal_that_a_library_swallows_ends_the_run_at_the_next_batch(write_config: Callable[..., Path]) -> None:
    callback = Swallow()
    with pytest.raises(Interrupted) as caught:
        fit(load_config(write_config()), extra=[callback])
    assert caught.value.exit_status == 128 + signal.SIGTERM
    assert callback.swallowed
    assert callback.later == 0
