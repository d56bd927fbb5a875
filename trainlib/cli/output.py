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

from trainlib.errors import InputError, Interrupted, Problem, ResourceError, TrainlibError
from trainlib.processes import place
from trainlib.processes.console import only_warnings


def speaks() -> bool:
    """Tell whether this process tells what all processes of a run know."""
    here = place()
    return here is None or here.rank == 0


def tell(problems: list[Problem]) -> None:
    """Print mistakes, a line each."""
    for problem in problems if speaks() else ():
        print(problem, file=sys.stderr, flush=True)


def refuse(problems: list[Problem]) -> NoReturn:
    """Print mistakes and leave with the status of wrong input."""
    tell(problems)
    leave(problems)


def leave(problems: list[Problem]) -> NoReturn:
    """Leave with the status of wrong input, all processes of the run together; each tells what it alone has found."""
    here = place()
    if here is not None:
        from trainlib.processes.refusal import only_here

        if only_here(here, problems):
            for problem in problems:
                print(f"process {here.rank}: {problem}", file=sys.stderr, flush=True)
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
    except InputError as error:
        if error.told_by is None:  # the processes have not met yet
            refuse(error.problems)
        if _is_told_here(error):
            print(error, file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    except TrainlibError as error:
        if _is_told_here(error):
            print(error, file=sys.stderr)
            if resume and isinstance(error, ResourceError) and error.checkpoint:
                print(resume(error.checkpoint), file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    except Interrupted as error:
        how = f" {resume(error.checkpoint)}" if resume and error.checkpoint else ""
        text = interrupted() if interrupted else f"Interrupted.{how}"
        if text and _is_told_here(error):
            print(text, file=sys.stderr)
        raise typer.Exit(error.exit_status) from None


def _is_told_here(error: TrainlibError | Interrupted) -> bool:
    """Tell whether it is for this process to tell an error; those that a process was started by are told by it."""
    here = place()
    return here is None or error.told_by in (None, here.rank)


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

    def __reduce__(self) -> tuple[type[_LineHandler], tuple[()]]:
        """Let the processes of a run have one each."""
        return _LineHandler, ()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message as a line; a terminal that is gone must not end a training."""
        from tqdm import tqdm

        try:
            # At once with its end: several processes may write at the same time.
            tqdm.write(f"{self.format(record)}\n", file=sys.stdout, end="")
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
    if (here := place()) is not None and here.rank:
        only_warnings(here.rank)


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
