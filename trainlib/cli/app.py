"""The application that the commands of this package register with."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import trainlib
from trainlib.errors import Interrupted
from trainlib.system.signals import cut_off, interruptible

app = typer.Typer(
    name="trainlib",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train networks on medical images from three CSV files and one YAML file.",
)

SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Of a command that takes settings such as ``trainer.max_epochs=5`` beside its options."""
Files = Annotated[
    list[Path] | None, typer.Option("-c", "--config", help="Config file; may be given several times, later ones win.")
]


def main() -> NoReturn:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        print(f"trainlib {trainlib.__version__}")
        sys.exit(0)
    try:
        with cut_off(_too_late), interruptible():
            sys.exit(app())
    except Interrupted as error:  # before a command could say more
        print("Interrupted.", file=sys.stderr)
        sys.exit(error.exit_status)
    finally:
        gc.freeze()  # else Python looks for seconds at what torch and MONAI have made, before it ends


def _too_late(number: int) -> None:
    """Tell that a process is cut off, past all that the process may be waiting for."""
    with suppress(OSError):
        os.write(2, b"Interrupted. The ending took too long and was cut off; finished epochs are on disk.\n")
