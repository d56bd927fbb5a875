"""The command that looks at the data of a config: check."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainlib.cli.app import SETTINGS, Files, app
from trainlib.cli.arguments import arguments
from trainlib.cli.checking import completed
from trainlib.cli.output import silence_libraries, start_logging, tell, told
from trainlib.errors import Problem
from trainlib.system.collecting import uncollected

if TYPE_CHECKING:
    from trainlib.check.checks import Report
    from trainlib.config.load import Loaded
    from trainlib.config.schema import Config

# Settings without which the data cannot be looked at.
_NEEDED = {("task",), ("data",)}
_NEEDED_DATA = (
    "root", "train_csv", "valid_csv", "test_csv", "predict_csv", "image_cols", "label_cols", "group_col", "classes",
    "label_map", "channels", "spatial_dims",
)  # fmt: skip


@app.command(context_settings=SETTINGS)
def check(
    ctx: typer.Context,
    config: Files = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as one JSON document.")] = False,
) -> None:
    """Read every file of every split and tell what is wrong. Settings follow as KEY=VALUE, as in data.root=DIR."""
    from trainlib.data.once import reading_once

    files, overrides = arguments(ctx, config)
    if not as_json:  # log lines go to standard output
        start_logging()
    with reading_once():
        with uncollected():
            loaded, mistakes = _read(files, overrides)
        report = None
        if loaded.config is not None and not _lacks_data(loaded):
            report = _look(loaded.config)
    from trainlib.cli.findings import document, show

    if as_json:
        print(json.dumps(document(report, mistakes), indent=2, allow_nan=False))
    else:
        show(report, len(mistakes))
    if mistakes or report is None or any(finding.severity == "error" for finding in report.findings):
        raise typer.Exit(2)


def _read(files: list[Path], overrides: list[str]) -> tuple[Loaded, list[Problem]]:
    """Read the config and tell its mistakes: at once what needs no library to see, then the components."""
    from trainlib.config.load import read_config
    from trainlib.preflight import component_problems, spelling_problems

    loaded = completed(read_config(files, overrides))
    problems = [*loaded.problems, *_setting_problems(loaded), *(spelling_problems(loaded) or [])]
    tell(problems)
    silence_libraries()
    more = component_problems(loaded, told=problems)
    tell(more)
    return loaded, problems + more


def _setting_problems(loaded: Loaded) -> list[Problem]:
    """Find what is wrong with the settings; what is wrong with the rows of the CSVs, the table tells."""
    from trainlib.data.splits import SPLITS_OF, check_splits
    from trainlib.preflight import quick_problems

    rows = set(check_splits(loaded.config, SPLITS_OF["fit"])) if loaded.config is not None else set()
    return [problem for problem in quick_problems(loaded) if problem not in rows]


def _lacks_data(loaded: Loaded) -> bool:
    """Tell whether a setting is wrong without which the data cannot be looked at."""
    needed = _NEEDED | {("data", name) for name in _NEEDED_DATA}
    return any(key in needed or key[:2] in needed or key[0] == "transforms" for key in loaded.wrong)


def _look(config: Config) -> Report:
    """Check the data, with a progress bar where somebody sees it."""
    from tqdm import tqdm

    from trainlib.check.checks import check_data

    with told(), ExitStack() as stack:

        def begin(files: int) -> Callable[[], Any]:
            bar = tqdm(
                desc="reading",
                total=files,
                leave=False,
                dynamic_ncols=True,
                file=sys.stderr,
                disable=not sys.stderr.isatty(),
                bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left",
            )
            return stack.enter_context(bar).update

        return check_data(config, progress=begin)
