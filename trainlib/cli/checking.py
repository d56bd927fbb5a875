"""Read a config and tell everything that is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from trainlib.cli.arguments import existing
from trainlib.cli.output import leave, silence_libraries, speaks, start_logging, tell, told
from trainlib.errors import InputError, Problem
from trainlib.words import count

if TYPE_CHECKING:
    from trainlib.config.load import Loaded
    from trainlib.config.schema import Config

Check = Callable[["Loaded"], list[Problem]]


def checked(
    files: list[Path],
    overrides: list[str],
    command: str,
    *,
    csv: Path | None = None,
    checkpoint: str | None = None,
    continued: bool = False,
    print_config: bool = False,
    also_quick: Check | None = None,
    also: Check | None = None,
) -> Config:
    """Read a config and tell the mistakes in it: what needs no library to see; where there is nothing, the rest.

    What needs a library takes seconds: whether components can be made with their values. It is tried in the same run
    only where not even their names could be looked up without one.

    Args:
        files: The config files.
        overrides: Settings of the command line.
        command: What is to be done with the config.
        csv: Another CSV to predict.
        checkpoint: A checkpoint, which knows what the config leaves to the training data.
        continued: Whether a run is continued.
        print_config: Whether to print the complete config and leave.
        also_quick: Finds what else is wrong without any library.
        also: Finds what else is wrong with the components, where all else is right.
    """
    from trainlib.config.load import dump_config, read_config
    from trainlib.preflight import component_problems, quick_problems, spelling_problems

    if not print_config:
        start_logging()
    loaded = completed(read_config(files, overrides), checkpoint)
    if csv is not None:
        loaded = _with_csv(loaded, csv, overrides)
    problems = loaded.problems + quick_problems(loaded, command, continued=continued)
    problems += also_quick(loaded) if also_quick else []
    misspelt = spelling_problems(loaded)
    problems += misspelt or []
    tell(problems)
    tried = loaded.config is None or not problems or misspelt is None
    if tried:
        silence_libraries()
        more = component_problems(loaded, told=problems)
        if also is not None and not problems and not more:
            more = also(loaded)
        tell(more)
        problems += more
    if problems or loaded.config is None:
        _refuse(problems, "" if tried else " The values of components are tried once these are right.")
    if print_config:
        if speaks():
            print(dump_config(loaded.config), end="")
        raise typer.Exit
    return loaded.config


def _refuse(problems: list[Problem], more: str) -> NoReturn:
    """Say how many mistakes were told, and leave."""
    if speaks():
        print(f"{count(len(problems), 'mistake')}; nothing was started.{more}", file=sys.stderr)
    leave(problems)


def completed(loaded: Loaded, checkpoint: str | None = None) -> Loaded:
    """Fill in what the config leaves to the training data, which a checkpoint knows better."""
    from trainlib.data.complete import complete

    config = loaded.config
    if config is None or ("data", "classes") in loaded.wrong:
        return loaded
    trained = None
    if checkpoint is not None and (config.data.channels is None or not config.data.classes):
        from trainlib.checkpoints.checkpoint import read_checkpoint

        with told():
            trained = read_checkpoint(Path(existing(checkpoint, config) or checkpoint))["trainlib"]["config"]
    try:
        return replace(loaded, config=complete(config, trained))
    except InputError as error:
        where = loaded.sources.locate(("data", "label_cols"))
        problems = [Problem(problem.text, problem.where or where) for problem in error.problems]
        return replace(loaded, problems=[*loaded.problems, *problems], wrong=loaded.wrong | {("data", "classes")})


def _with_csv(loaded: Loaded, csv: Path, overrides: list[str]) -> Loaded:
    """Let `predict` read another CSV, whose relative paths start from its own folder unless data.root is given."""
    if loaded.config is None:
        return loaded
    update = {"predict_csv": str(csv.absolute())}
    if not any(override.lstrip("-").startswith("data.root=") for override in overrides):
        update["root"] = str(csv.absolute().parent)
    data = loaded.config.data.model_copy(update=update)
    return replace(loaded, config=loaded.config.model_copy(update={"data": data}))
