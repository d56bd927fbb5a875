"""The progress of many runs: one table that is updated, or without a terminal a line for each finished epoch."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from trainlib.folders.standing import Epoch, Standing

Ask = Callable[[], "list[Standing]"]

_INTERVAL = 1.0  # seconds between two looks at the run folders
_STYLES = {"waiting": "dim", "training": "", "testing": "", "finished": "green", "stopped": "dim", "failed": "red"}


@contextmanager
def shown(ask: Ask, *, what: str = "run", parallel: int = 1) -> Iterator[None]:
    """Show how far many runs are, for the block.

    Args:
        ask: Tells how far they are.
        what: What one of them is called.
        parallel: How many of them are trained at a time.
    """
    with _only_from("trainlib.ensemble", "trainlib.tune", "trainlib.cluster"):
        if sys.stdout.isatty():
            with _live(ask, what, parallel):
                yield
        else:
            with _lines(ask):
                yield


@contextmanager
def _live(ask: Ask, what: str, parallel: int) -> Iterator[None]:
    from rich.live import Live

    with Live(table_of(ask(), what, parallel), refresh_per_second=4) as live:
        with _repeated(lambda: live.update(table_of(ask(), what, parallel))):
            yield
        live.update(table_of(ask(), what, parallel))


@contextmanager
def _lines(ask: Ask) -> Iterator[None]:
    told = {standing.name: standing.epoch for standing in ask()}

    def tell() -> None:
        for standing in ask():
            for epoch in standing.history[told.get(standing.name, 0) :]:
                print(line_of(standing, epoch), flush=True)
            told[standing.name] = standing.epoch

    with _repeated(tell):
        yield
    tell()


@contextmanager
def _repeated(act: Callable[[], None]) -> Iterator[None]:
    """Do something again and again in a thread, for the block; a look that fails must not end a training."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(_INTERVAL):
            try:
                act()
            except Exception:
                logging.getLogger("trainlib").debug("The progress could not be shown.", exc_info=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def table_of(standings: Sequence[Standing], what: str, parallel: int) -> Table:
    """Make the table: a row for each run, and below it the time that is left for all."""
    from rich.table import Table

    names = dict.fromkeys(name for standing in standings for name in standing.figures)
    metric = next((name for name in names if name != "train/loss"), "")
    left = seconds_left(standings, parallel)
    caption = f"about {duration(left)} left" if left > 0 else None
    table = Table(what, "", "epoch", "train/loss", *([metric, "best"] if metric else []), "left", caption=caption)
    for column in table.columns[2:]:
        column.justify = "right"
    for standing in standings:
        values = [standing.figures.get("train/loss", math.nan)]
        values += [standing.figures.get(metric, math.nan), standing.best] if metric else []
        style = _STYLES[standing.state]
        table.add_row(
            standing.name,
            standing.state,
            f"{standing.epoch}/{standing.epochs}",
            *("" if math.isnan(value) else f"{value:.4g}" for value in values),
            duration(standing.seconds_left) if standing.state == "training" else "",
            style=style,
        )
    return table


def line_of(standing: Standing, epoch: Epoch) -> str:
    """Tell of a finished epoch in a line."""
    figures = "  ".join(f"{name} {value:.4g}" for name, value in epoch.figures.items())
    return f"{standing.name}  epoch {epoch.number}/{standing.epochs}  {figures}  {epoch.seconds:.1f} s"


def seconds_left(standings: Sequence[Standing], parallel: int) -> float:
    """Estimate the time that all remaining epochs take, from those so far; nan before the first."""
    known = [standing.seconds for standing in standings if not math.isnan(standing.seconds)]
    if not known:
        return math.nan
    mean = sum(known) / len(known)
    left = [
        (s.epochs - s.epoch) * (mean if math.isnan(s.seconds) else s.seconds)
        for s in standings
        if s.state in ("waiting", "training")
    ]
    return max(sum(left) / max(parallel, 1), max(left, default=0))


def duration(seconds: float) -> str:
    """Write a duration, such as ``1:05:09``; nothing where it is not known."""
    if math.isnan(seconds):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def _only_from(*names: str) -> Iterator[None]:
    """Leave what each run tells to its own log file; warnings and what is told of all of them stay."""

    def passes(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.name.startswith(names)

    handlers = list(logging.getLogger("trainlib").handlers)
    for handler in handlers:
        handler.addFilter(passes)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(passes)
