"""The run that is to be repeated: whether it can be, and what may keep the repetition from being identical."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from trainlib.callbacks.snapshot import names_of_copies
from trainlib.checkpoints.starting import STARTING
from trainlib.commands.reproduce.environment import read_environment
from trainlib.commands.reproduce.starts import changed_settings, changes_between, read_settings
from trainlib.config.load import read_config
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.data.fingerprint import CHANGED, TABLE, read_fingerprints
from trainlib.data.splits import SPLITS, csv_of
from trainlib.errors import ConfigError
from trainlib.folders.run import RunFolder
from trainlib.report.content import Content, resumed_snapshots
from trainlib.report.load import read_content
from trainlib.report.training import ending_of
from trainlib.words import listed


@dataclass(frozen=True)
class Original:
    """A finished run, ready to be repeated.

    Attributes:
        folder: Where it is.
        config: Its config as the snapshot keeps it, with the CSVs and patch scripts there, and absolute paths.
        settings: The same as its file has it, for this version of trainlib may know other settings.
        start: The snapshot of the start whose code, CSVs and scripts are used: the last one.
        directory: The working directory of that start.
        epochs: Number of epochs it was trained.
        remarks: What is worth knowing before it is repeated.
        doubts: Why the repetition cannot be expected to be identical.
    """

    folder: RunFolder
    config: Config
    settings: dict[str, Any]
    start: Path
    directory: Path
    epochs: int
    remarks: list[str]
    doubts: list[str]


def open_original(path: Path, data_root: Path | None = None) -> Original:
    """Open a run to repeat it.

    Args:
        path: The run folder.
        data_root: Where the data are by now, if not where the config says.

    Raises:
        ConfigError: It is no run folder, the run is not finished, or its snapshot lacks what is needed.
    """
    content = read_content(path)
    folder = content.folder
    if not folder.snapshot.is_dir():
        raise ConfigError(f"{path}: nothing was trained in this folder, so that there is nothing to repeat.")
    starts = [folder.snapshot, *resumed_snapshots(folder)]
    content = _as_started(content, starts[-1])
    if reason := _unfit(content):
        raise ConfigError(f"{path}: {reason}")
    settings = yaml.safe_load(content.config_text)
    directory = Path(str(read_environment(starts[-1]).facts.get("working_directory") or Path.cwd()))
    config = _with_absolute_paths(content.config, settings, directory)
    config, copies = _with_copies(config, starts[-1])
    lacking = [str(copy.relative_to(folder.path)) for copy in copies if not copy.is_file()]
    if lacking:
        raise ConfigError(f"{path}: the snapshot lacks {', '.join(lacking)}, without which the run cannot be repeated.")
    if data_root is not None:
        config = _with_data(config, root=os.path.abspath(data_root.expanduser()))
    return Original(
        folder=folder,
        config=config,
        settings=settings,
        start=starts[-1],
        directory=directory,
        epochs=len(content.epochs),
        remarks=list(_remarks(content, starts)),
        doubts=[*changes_between(starts), *_doubts(content)],
    )


def _as_started(content: Content, start: Path) -> Content:
    """Put the config of the snapshot in place of that in the run folder, which may have been edited since."""
    file = start / "config.yaml"
    if not file.is_file():
        lacking = file.relative_to(content.folder.path)
        raise ConfigError(
            f"{content.folder.path}: the snapshot lacks {lacking}, without which the run cannot be repeated."
        )
    loaded = read_config(file)
    if loaded.config is None:
        raise ConfigError(loaded.problems)
    return replace(content, config=loaded.config, config_text=file.read_text(encoding="utf-8"))


def _unfit(content: Content) -> str:
    """Say in a sentence why a run cannot be repeated and compared; nothing where it can."""
    folder = content.folder
    if "--debug" in _command(folder.snapshot) or folder.debug.is_dir():
        return "this is a trial of `fit --debug`, which is no run to repeat."
    ending = ending_of(content)
    if not ending.complete:
        return f"{ending.text} Only a finished run can be repeated and compared; continue it with `{ending.command}`."
    if content.config.data.test_csv and (len(content.cases) == 0 or not (content.cases["split"] == "test").any()):
        continued = shlex.join(["trainlib", "fit", "-c", str(folder.config), "--ckpt_path", str(folder.last)])
        return f"the run has not been tested yet. Only a finished run can be compared; continue it with `{continued}`."
    if not folder.last.is_file():
        return "there is no checkpoints/last.ckpt to compare weights with."
    if (first := int(content.epochs["epoch"].iloc[0])) > 0:
        return (
            f"its first epoch is number {first + 1}: it went on from a checkpoint of elsewhere, which the snapshot "
            "does not keep."
        )
    return ""


def _command(start: Path) -> list[str]:
    try:
        return shlex.split((start / "command.txt").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []


def _with_absolute_paths(config: Config, settings: dict[str, Any], directory: Path) -> Config:
    """Let relative paths, as a config made in Python may have them, start from where the run was started."""

    def absolute(written: str, read: str) -> str:
        return read if os.path.isabs(os.path.expanduser(written)) else os.path.abspath(directory / written)

    scripts = {
        name: absolute(settings["patch"][name], path) for name, path in config.patch if path and settings["patch"][name]
    }
    model = config.model
    if model.weights is not None:
        model = model.model_copy(update={"weights": absolute(settings["model"]["weights"], model.weights)})
    if model.name == BUNDLE:
        path = absolute(settings["model"][BUNDLE]["path"], model.kwargs["path"])
        model = model.model_copy(update={"kwargs": model.kwargs | {"path": path}})
    config = config.model_copy(update={"model": model, "patch": config.patch.model_copy(update=scripts)})
    return _with_data(config, root=absolute(settings["data"].get("root", "."), config.data.root))


def _with_data(config: Config, **values: Any) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update=values)})


def _with_copies(config: Config, start: Path) -> tuple[Config, list[Path]]:
    """Put the snapshot's CSVs and patch scripts in place of the originals.

    Returns:
        The config, and every file of the snapshot that is needed.
    """
    csvs = {split: config.data_path(csv) for split in SPLITS if (csv := csv_of(config, split))}
    scripts = {name: Path(path) for name, path in config.patch if path}
    tables, patches = names_of_copies(csvs.values()), names_of_copies(scripts.values())
    tables_of = {f"{split}_csv": str(start / "csvs" / tables[csv]) for split, csv in csvs.items() if split != "predict"}
    patch = {name: str(start / "patches" / patches[script]) for name, script in scripts.items()}
    config = _with_data(config, **tables_of, predict_csv=None)
    config = config.model_copy(update={"patch": config.patch.model_copy(update=patch)})
    needed = [start / "trainlib" / "__init__.py", *map(Path, tables_of.values()), *map(Path, patch.values())]
    return config, list(dict.fromkeys(needed))


def _remarks(content: Content, starts: list[Path]) -> Iterator[str]:
    if changed := changed_settings(read_settings(starts[-1]), read_settings(content.folder.path), "now"):
        yield f"config.yaml is not as the snapshot keeps it: {changed}. What the snapshot keeps is repeated."
    if (limit := content.config.data.limit_cases) is not None:
        yield f"The run used the first {limit} cases of each split (data.limit_cases), and so does the repetition."
    if len(starts) > 1:
        times = "once" if len(starts) == 2 else f"{len(starts) - 1} times"
        yield f"The run was resumed {times}; the repetition trains from the beginning as it was started last."
    if not _hashed(content, TABLE):
        yield "The snapshot keeps no hashes of the data files, so that it is not known whether they have changed."
    model = content.config.model
    starting = {"the starting weights": model.weights is not None, "the bundle's files": model.name == BUNDLE}
    if (names := [name for name, is_used in starting.items() if is_used]) and not _hashed(content, STARTING):
        yield f"The snapshot keeps no hash of {listed(names)}, so that it is not known whether they have changed."
    lacking = [name for name in ("environment.json", "requirements.txt") if not (starts[-1] / name).is_file()]
    if lacking:
        yield f"The snapshot lacks {' and '.join(lacking)}, so that the environments cannot be compared completely."


def _hashed(content: Content, table: str) -> bool:
    return (content.folder.snapshot / table).is_file()


def _doubts(content: Content) -> Iterator[str]:
    settings = content.config.trainer
    if settings.get("max_time") is not None:
        yield "trainer.max_time ended the run by the clock."
    gpus = content.environment.get("gpus") and settings.get("accelerator", "auto") not in ("cpu", "mps")
    if gpus and not settings.get("deterministic"):
        yield "It was trained on a GPU without trainer.deterministic: true; some kernels add up in any order."
    table = read_fingerprints(content.folder.snapshot / TABLE)
    if names := [row.path for row in table.values() if row.note == CHANGED]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"Data files changed between the starts of the run: {names[0]}{more}."
