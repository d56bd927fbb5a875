"""What a user sees: mistakes, progress, results."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer

from trainlib.errors import Interrupted, Problem, ResourceError, TrainlibError


def tell(problems: list[Problem]) -> None:
    """Print mistakes, a line each."""
    for problem in problems:
        print(problem, file=sys.stderr, flush=True)


def refuse(problems: list[Problem]) -> NoReturn:
    """Print mistakes and leave with the status of wrong input."""
    tell(problems)
    raise typer.Exit(2)


@contextmanager
def told(resume: Callable[[Path], str] | None = None, interrupted: Callable[[], str] | None = None) -> Iterator[None]:
    """Turn errors that speak for themselves into a message and an exit status; others keep their traceback.

    Args:
        resume: Says how to go on from a checkpoint.
        interrupted: Says what there is to say after a signal, where that is not `resume`; nothing is not printed.
    """
    try:
        yield
    except TrainlibError as error:
        print(error, file=sys.stderr)
        if resume and isinstance(error, ResourceError) and error.checkpoint:
            print(resume(error.checkpoint), file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    except Interrupted as error:
        how = f" {resume(error.checkpoint)}" if resume and error.checkpoint else ""
        if text := interrupted() if interrupted else f"Interrupted.{how}":
            print(text, file=sys.stderr)
        raise typer.Exit(error.exit_status) from None


def silence_libraries() -> None:
    """Hide warnings that a user can do nothing about."""
    for message in (
        "Current default value of argument",  # MONAI on its own changes
        ".*does not have many workers.*",
        ".*The number of training batches.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*isinstance.treespec.*",
        "Be aware that when using `ckpt_path`.*",
        ".*pkg_resources.*",
    ):
        warnings.filterwarnings("ignore", message=message)
    warnings.filterwarnings("ignore", category=FutureWarning, module="monai")
    warnings.filterwarnings("ignore", category=DeprecationWarning)


class _LineHandler(logging.Handler):
    """Prints lines above a progress bar, where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message as a line; a terminal that is gone must not end a training."""
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=sys.stdout)
            sys.stdout.flush()
        except OSError:
            self.handleError(record)


def start_logging() -> None:
    """Show trainlib's messages as they are, and only the warnings of the libraries underneath."""
    handler = _LineHandler()
    logger = logging.getLogger("trainlib")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)


def show_results(run: Any) -> None:
    """Print the test metrics, or those of the validation, and where everything is."""
    split = "test" if (run.cases["split"] == "test").any() else "valid"
    show_metrics({f"{split}/{name}": value for name, value in run.scores(split).items()})
    if run.folder.report.is_file():
        print(f"report       {run.folder.report}")
    if run.folder.best.is_file() or run.folder.last.is_file():  # one of another place has nothing left to train
        print(f"checkpoint   {run.checkpoint}")
    print(f"run folder   {run.folder.path}")


def show_metrics(metrics: dict[str, float]) -> None:
    """Print metrics as a table with a row for each class and a column for each score."""
    from rich.console import Console
    from rich.table import Table

    split = next(iter(metrics)).split("/")[0]
    parts = {tuple(name.split("/")[1:]): value for name, value in metrics.items()}
    scores = [key[0] for key in parts if len(key) == 1 and key[0] not in ("missed", "false_positive", "loss")]
    table = Table(split, *scores)
    for name in ("", *dict.fromkeys(key[1] for key in parts if len(key) > 1)):
        values = [parts.get((score, name) if name else (score,)) for score in scores]
        table.add_row(
            name or ("overall" if "auroc" in scores else "mean"),
            *("" if value is None else f"{value:.3f}" for value in values),
        )
    console = Console()
    console.print(table)
    counts = {name: int(parts[(name,)]) for name in ("missed", "false_positive") if parts.get((name,))}
    if counts:
        console.print(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items()))
