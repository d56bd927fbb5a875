"""End a run at the next batch where a library has swallowed what a signal raised."""

from __future__ import annotations

from typing import Any

from lightning import Callback

from trainlib.system.signals import raise_if_swallowed


class SwallowedSignals(Callback):
    """Looks before every batch whether a signal has arrived that nothing came of."""

    def on_train_batch_start(self, *_: Any) -> None:
        """Look.

        Raises:
            Interrupted: There was one.
        """
        raise_if_swallowed()

    on_validation_batch_start = on_test_batch_start = on_predict_batch_start = on_train_batch_start
