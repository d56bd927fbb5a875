"""A watcher that fails does not end the training."""

from __future__ import annotations

import logging

import pytest

from trainlib.callbacks.harmless import harmless
from trainlib.errors import Interrupted


class Watcher:
    """Counts its calls and fails in the one that it is told to."""

    def __init__(self, failing: int, error: BaseException) -> None:
        self.calls = 0
        self.failing = failing
        self.error = error

    @harmless
    def hook(self, value: int) -> int:
        self.calls += 1
        if self.calls == self.failing:
            raise self.error
        return value


def test_a_hook_that_works_is_left_alone() -> None:
    assert Watcher(0, ValueError()).hook(3) == 3


def test_a_failure_is_told_once_with_its_traceback_and_switches_the_watcher_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watcher = Watcher(2, OSError("No space left on device"))
    with caplog.at_level(logging.WARNING):
        assert [watcher.hook(i) for i in range(5)] == [0, None, None, None, None]
    assert watcher.calls == 2
    [record] = caplog.records
    assert record.getMessage() == "Watcher failed and is switched off: OSError: No space left on device."
    assert record.exc_info is not None


def test_an_interruption_passes() -> None:
    with pytest.raises(Interrupted):
        Watcher(1, Interrupted(2)).hook(0)


def test_a_full_disk_ends_the_training_unless_it_is_ending_anyway(caplog: pytest.LogCaptureFixture) -> None:
    error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        Watcher(1, error).hook(0)
    watcher = Watcher(1, error)
    try:
        raise ValueError
    except ValueError:
        assert watcher.hook(0) is None
    assert watcher.hook(7) == 7  # still there, for the disk may have room again
    assert caplog.records == []
