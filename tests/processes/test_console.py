"""What a process shows its user is taken over by those that it starts."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainlib.processes.console import Console, only_warnings

STARTING = """
import logging, sys
from functools import partial
from tests.processes import calls
from trainlib.processes.supervisor import Supervisor
logging.basicConfig(level=logging.INFO, format="%(levelname)s of mine: %(message)s")
file = logging.FileHandler(sys.argv[1], mode="w")
file.setLevel(logging.WARNING)
logging.getLogger().addHandler(file)
Supervisor(partial(calls.together, calls.speak), 2).run()
"""


def test_a_program_sees_the_messages_of_all_processes_as_it_has_set_up_logging(tmp_path: Path) -> None:
    file = tmp_path / "mine.log"
    command = [sys.executable, "-c", STARTING, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    warned = ["WARNING of mine: told by each", "process 1: WARNING of mine: told by each"]
    assert sorted(done.stderr.splitlines()) == ["INFO of mine: told once", *warned]
    assert done.stdout == ""
    assert sorted(file.read_text().splitlines()) == ["process 1: told by each", "told by each"]


@pytest.fixture
def loggers() -> Iterator[tuple[logging.Logger, logging.Logger]]:
    """The root logger and trainlib's without handlers, put back afterwards."""
    pair = logging.getLogger(), logging.getLogger("trainlib")
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in pair]
    for logger in pair:
        logger.handlers[:] = []
    yield pair
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
    logging.getLogger("lightning.pytorch").setLevel(logging.NOTSET)


class _OfMain(logging.Formatter):
    """A formatter of the program that was started."""


_OfMain.__module__ = "__main__"


def test_handlers_that_no_other_process_can_make_are_left_out(
    loggers: tuple[logging.Logger, logging.Logger],
) -> None:
    root, _ = loggers
    other, mine = logging.StreamHandler(io.StringIO()), logging.StreamHandler(sys.stderr)
    mine.setFormatter(_OfMain())
    root.handlers[:] = [other, mine, logging.StreamHandler(sys.stdout)]
    Console.of_this_process().take_over(0)
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stdout


def test_a_process_is_numbered_once_however_often_it_is_told_to_warn_alone(
    loggers: tuple[logging.Logger, logging.Logger],
) -> None:
    _, logger = loggers
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.ERROR)
    logger.addHandler(handler)
    only_warnings(2)
    only_warnings(2)
    logger.warning("not even told by the first")
    logger.error("told")
    assert stream.getvalue() == "process 2: told\n"
