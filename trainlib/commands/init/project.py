"""Set a project up, without touching what is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainlib.build.patches import describe
from trainlib.commands.init.data import facts_and_division
from trainlib.commands.init.facts import Facts, facts_of
from trainlib.commands.init.notebooks import notebooks
from trainlib.commands.init.repository import start_repository
from trainlib.commands.init.request import Request
from trainlib.commands.init.templates import texts
from trainlib.commands.split import Division
from trainlib.commands.split.labels import Track
from trainlib.config.load import load_config
from trainlib.errors import ConfigError, InputError, Problem


@dataclass(frozen=True)
class Project:
    """What `init` did.

    Attributes:
        folder: Folder of the project.
        facts: What its files were written from.
        division: How the data were divided; None where they were not.
        written: Files that were written, from the folder of the project.
        kept: Files that were there already, and are as they were.
        git: What came of the repository, in a sentence.
    """

    folder: Path
    facts: Facts
    division: Division | None
    written: list[str]
    kept: list[str]
    git: str


def init(request: Request, track: Track = lambda items, _: items) -> Project:
    """Set a project up.

    A config that is there already is kept, and the other files are written to go with it; then no data are looked at.

    Args:
        request: What is asked for.
        track: Shows how many label maps were read.

    Raises:
        InputError: The options, the data or the config that is there cannot be used, or the folder cannot be
            written to.
    """
    if problems := request.problems():
        raise InputError(problems)
    try:
        facts, division = _prepare(request, track)
        for folder in (request.data_folder, request.folder / "notebooks", request.folder / "patches"):
            folder.mkdir(parents=True, exist_ok=True)
        written, kept = _write_missing(request.folder, {**texts(facts), **notebooks(facts)})
    except OSError as error:
        raise InputError(f"{request.folder}: cannot be written to: {describe(error)}.") from error
    return Project(request.folder, facts, division, written, kept, start_repository(request.folder))


def _prepare(request: Request, track: Track) -> tuple[Facts, Division | None]:
    """Find what the files are to be written from: the config that is there, or the data."""
    if not request.config.exists():
        return facts_and_division(request, run_name(request.folder), track)
    try:
        return facts_of(load_config(request.config)), None
    except ConfigError as error:
        text = "is kept, and the other files go with it, but it cannot be used. Correct it, or move it away."
        raise InputError([*error.problems, Problem(text, str(request.config))]) from error


def run_name(folder: Path) -> str:
    """Name runs after the folder of a project."""
    name = os.path.basename(os.path.abspath(folder)).lstrip(".")
    return "".join(sign if sign.isprintable() and sign not in "/\\" else "_" for sign in name) or "run"


def _write_missing(folder: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Write the files that are not there; return the names of those, and of the others."""
    written, kept = [], []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("x", encoding="utf-8", newline="")
        except FileExistsError:
            kept.append(name)
            continue
        try:
            with file:
                file.write(text)
        except BaseException:  # an interruption too: half a file would be kept the next time
            path.unlink(missing_ok=True)
            raise
        written.append(name)
    return written, kept
