"""Run a run again with the code of its snapshot, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainlib.commands.reproduce.original import Original
from trainlib.commands.reproduce.process import run_snapshot
from trainlib.commands.reproduce.scratch import scratch
from trainlib.config.model import BUNDLE, Model
from trainlib.config.writing import dump_settings, rewrite
from trainlib.errors import ConfigError, InputError, TrainlibError
from trainlib.folders.naming import free_name
from trainlib.folders.run import RunFolder

_SILENT = ("progress", "report", "emissions", "pushover")
"""Sections that are switched off: they send, measure or draw, and change no figure."""
_CSVS = ("train_csv", "valid_csv", "test_csv", "predict_csv")


def repetition_folder(original: Original, out: Path | None = None) -> Path:
    """Choose the folder of the repetition.

    Args:
        original: The run.
        out: The folder that was asked for; None takes the run's name and ``_reproduced``, with the next free number.

    Raises:
        ConfigError: The folder exists already, or its name is none for a run.
    """
    if out is None:
        run = original.folder.path
        return free_name(run.with_name(f"{run.name}_reproduced"))
    out = out.absolute()
    if out.exists():
        raise ConfigError(f"--out: {out} exists already. Name a new folder.")
    if out.name.startswith("."):
        raise ConfigError(f"--out: {out.name} is no name for a run, for it begins with a dot.")
    return out


def repeat(original: Original, out: Path, *, use_cache: bool = False) -> RunFolder:
    """Train, validate and test as the run did.

    Cases are prepared anew from the data files, in a cache that is deleted afterwards. The number of threads is that
    of the run. Nothing is written into the folder of the run.

    Args:
        original: The run.
        out: Folder of the repetition, as `repetition_folder` chose it.
        use_cache: Whether to take prepared cases from the run's own disk cache where they are in it.

    Returns:
        The folder.

    Raises:
        ConfigError: The folder cannot be made.
        TrainlibError: The repetition failed; it has told why.
        Interrupted: A signal ended it.
    """
    with scratch(out.parent) as place:
        cache = original.config.cache_dir if use_cache else place.path / "cache"
        changes = place.path / "repetition.yaml"
        changes.write_text(dump_settings(changed_settings(original, out, cache)), encoding="utf-8")
        files = [original.start / "config.yaml", changes]
        try:
            status = run_snapshot(original, ["fit", *(word for file in files for word in ("-c", str(file)))], place)
        finally:
            _detach(original, out)
    if status == InputError.exit_status:
        raise InputError("The repetition was refused, for the reasons above. Nothing was compared.")
    if status != 0:
        ended = f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"
        raise TrainlibError(f"The repetition {ended}. Nothing was compared; what it left is in {out}.")
    return RunFolder(out)


def changed_settings(original: Original, out: Path, cache: Path) -> dict[str, Any]:
    """List the settings that differ from those of the snapshot: where things are, and what is switched off.

    A setting that the run's trainlib did not know yet is left out.

    Args:
        original: The run.
        out: Folder of the repetition.
        cache: Folder of the disk cache.
    """
    config = original.config
    wanted: dict[str, Any] = {
        "run": {"name": out.name, "root": str(out.parent), "overwrite": False},
        "data": {name: getattr(config.data, name) for name in ("root", *_CSVS)} | {"cache_dir": str(cache)},
        "patch": {name: path for name, path in config.patch if path},
        "model": _weights(config.model),
        "trainer": {"logger": None},
        **dict.fromkeys(_SILENT),
    }
    return _known(original, wanted)


def _weights(model: Model) -> dict[str, Any]:
    """Name the files that the network starts from by their absolute paths."""
    weights = {"weights": model.weights} if model.weights else {}
    return weights | ({BUNDLE: {"path": model.kwargs["path"]}} if model.name == BUNDLE else {})


def _detach(original: Original, out: Path) -> None:
    """Let the configs of a repetition name what lasts: its own CSVs and scripts, and no cache that is gone."""
    snapshot = RunFolder(out).snapshot
    csvs = {name: getattr(original.config.data, name) for name in _CSVS}
    own = {name: snapshot / "csvs" / Path(csv).name for name, csv in csvs.items() if csv}
    scripts = {name: snapshot / "patches" / Path(path).name for name, path in original.config.patch if path}
    data = {"cache_dir": original.config.data.cache_dir} | _existing(own)
    changes = {"data": data, "patch": _existing(scripts)}
    for file in (RunFolder(out).config, snapshot / "config.yaml"):
        if file.is_file():
            with suppress(OSError, TrainlibError):  # what it left is there all the same
                rewrite(file, _known(original, changes))


def _existing(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(file) for name, file in files.items() if file.is_file()}


def _known(original: Original, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the settings that the run's trainlib did not know yet."""
    changes: dict[str, Any] = {}
    for section, values in wanted.items():
        if section in original.settings:
            known = original.settings[section]
            changes[section] = values and {name: value for name, value in values.items() if name in known}
    return {section: values for section, values in changes.items() if values != {}}
