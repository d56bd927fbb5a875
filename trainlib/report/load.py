"""Read a run folder for the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from trainlib.config.load import read_config
from trainlib.errors import ConfigError
from trainlib.folders.results import Run
from trainlib.folders.run import RunFolder
from trainlib.report.content import Content, latest_snapshot
from trainlib.report.reading import UnreadableError, read_mapping, read_picture, read_table, read_text
from trainlib.report.tasks import TASK_PARTS


def read_content(path: Path) -> Content:
    """Read a run folder.

    Raises:
        ConfigError: It is no run folder, or its ``config.yaml`` is no config at all.
    """
    folder = RunFolder(path.absolute())
    if not folder.config.is_file():
        raise ConfigError(f"{path} is not a run folder: it has no config.yaml.")
    loaded = read_config(folder.config)
    if loaded.config is None:
        raise ConfigError(loaded.problems)
    run = Run(folder, loaded.config)
    epochs, no_epochs = _or_why_not(lambda: read_table(lambda: run.metrics, "logs/metrics.csv", ("epoch",), _is_logged))
    cases, no_cases = _or_why_not(lambda: TASK_PARTS[run.config.task].read_cases(run))
    emissions, no_emissions = _or_why_not(lambda: _read_emissions(run))
    latest = latest_snapshot(folder)
    components = {str(kind): str(origin) for kind, origin in read_mapping(latest / "components.json").items()}
    return Content(
        folder=folder,
        config=loaded.config,
        config_text=read_text(folder.config),
        problems=[problem.text for problem in loaded.problems],
        epochs=epochs,
        no_epochs=no_epochs,
        cases=cases,
        no_cases=no_cases,
        emissions=emissions,
        no_emissions=no_emissions,
        log=read_text(folder.log),
        gif=read_picture(folder.gif, folder.path, "image/gif"),
        environment=read_mapping(latest / "environment.json"),
        components=components,
    )


def _read_emissions(run: Run) -> pd.DataFrame:
    sums = ("total_duration_s", "total_energy_kwh", "total_emissions_kg")
    return read_table(lambda: run.emissions, run.folder.emissions.name, sums, lambda name: name in sums)


def _is_logged(column: str) -> bool:
    return column in ("epoch", "step", "seconds") or column.startswith(("train/", "valid/", "lr-"))


def _or_why_not(read: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, str]:
    """Read a table, or say why there is none."""
    try:
        return read(), ""
    except UnreadableError as error:
        return pd.DataFrame(), str(error)
