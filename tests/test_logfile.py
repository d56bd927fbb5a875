"""The log file of a run."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from trainlib.folders.logfile import logged


def test_it_holds_what_was_told_with_the_time(tmp_path: Path) -> None:
    with logged(tmp_path / "logs" / "run.log"):
        logging.getLogger("trainlib.somewhere").info("epoch %d", 1)
    line = (tmp_path / "logs" / "run.log").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  epoch 1\n", line)


def test_a_second_block_appends_and_what_is_told_outside_is_not_written(tmp_path: Path) -> None:
    log = logging.getLogger("trainlib")
    for text in ("one", "two"):
        with logged(tmp_path / "run.log"):
            log.info(text)
        log.warning("outside")
    assert [line.split("  ")[1] for line in (tmp_path / "run.log").read_text().splitlines()] == ["one", "two"]


def test_the_level_is_given_back_whatever_happens(tmp_path: Path) -> None:
    log = logging.getLogger("trainlib")
    before = log.level, list(log.handlers)
    with pytest.raises(RuntimeError), logged(tmp_path / "run.log"):
        raise RuntimeError
    assert (log.level, list(log.handlers)) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_line_that_finds_no_room_disturbs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with logged(Path("/dev/full")):
        logging.getLogger("trainlib").warning("lost")
    assert "Traceback" not in capsys.readouterr().err
