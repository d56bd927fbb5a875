"""Overwrite an earlier run: it is kept, under another name beside it, until the new one has its first checkpoint."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from trainlib.config.schema import Config
from trainlib.config.sources import dotted
from trainlib.data.splits import SPLITS_OF, csv_of, read_split
from trainlib.errors import ConfigError
from trainlib.folders.run import RunFolder
from trainlib.system.lock import is_held

log = logging.getLogger(__name__)


def aside(path: Path) -> Path:
    """Return where the run is kept that a run in `path` overwrites."""
    return path.with_name(f".{path.name}.overwritten")


def put_aside(path: Path) -> None:
    """Move a run out of the way of a new one, which `settle` then decides between.

    Raises:
        ConfigError: It is no run folder, or is in use, or cannot be moved.
    """
    if problem := unfit(path):
        raise ConfigError(f"run.overwrite: {problem} Choose another run.name.")
    if is_held(RunFolder(path).lock):
        raise ConfigError(f"run.overwrite: another process trains in {path}, so it is not deleted. Wait for its end.")
    try:
        path.rename(aside(path))
    except OSError as error:
        raise ConfigError(
            f"run.overwrite: {path} cannot be deleted ({error.strerror or error}). Choose another run.name."
        ) from None


def unfit(path: Path) -> str:
    """Say why what is at `path` is not deleted; nothing where it may be."""
    if not RunFolder(path).config.is_file():
        return f"{path} exists and is no run folder (it has no config.yaml), so it is not deleted."
    return f"{path} cannot be deleted (it is a symbolic link)." if path.is_symlink() else ""


def settle(path: Path) -> None:
    """Delete the run that was overwritten where the new one has a checkpoint, else put it back in its place.

    Args:
        path: The folder of the new run, which nothing is going to write into any more, or which has its checkpoint.
    """
    kept = aside(path)
    if not kept.is_dir():
        return
    if RunFolder(path).last.is_file():
        shutil.rmtree(kept, ignore_errors=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    try:
        kept.rename(path)
    except OSError as error:
        log.warning("The earlier run is in %s: it cannot be put back (%s).", kept, error.strerror)
    else:
        log.info("%s is the earlier run again, for the one that was to replace it came to no checkpoint.", path)


def recover(path: Path) -> None:
    """Settle what a process has left that was killed while it overwrote the run at `path`."""
    if aside(path).is_dir() and not is_held(RunFolder(path).lock):
        settle(path)


def refuse_loss(config: Config, checkpoint: Path | None) -> None:
    """Refuse to overwrite a run whose folder holds what the new one needs.

    Args:
        config: The config, whose CSVs can be read.
        checkpoint: The checkpoint to continue from in a new folder.

    Raises:
        ConfigError: It does.
    """
    folder = Path(config.run.root) / config.run.name
    if not config.run.overwrite or not folder.is_dir():
        return
    needed = dict(needs(config))
    if checkpoint is not None:
        needed["--ckpt_path"] = checkpoint
    for split in SPLITS_OF["fit"]:
        if csv_of(config, split) is not None:
            for case in read_split(config, split):
                needed |= {f"{case}, file {i}": file for i, file in enumerate((*case.images, case.label), 1) if file}
    if found := loss(folder, needed):
        raise ConfigError(found)


def loss(folder: Path, needed: dict[str, Path]) -> str:
    """Say what of the files that a run needs would be deleted with a folder; nothing where none would.

    Args:
        folder: The run folder.
        needed: Setting -> file or folder.
    """
    inside = [f"{path} ({name})" for name, path in needed.items() if lies_in(path, folder)]
    if not inside:
        return ""
    text = f"{folder} holds {inside[0]}, which this run needs, so it is not deleted."
    return f"run.overwrite: {text} Choose another run.name."


def needs(config: Config) -> Iterator[tuple[str, Path]]:
    """Yield the files and folders that a config names, each with its setting."""
    for name in ("train_csv", "valid_csv", "test_csv", "predict_csv"):
        if (csv := getattr(config.data, name)) is not None:
            yield dotted(("data", name)), config.data_path(csv)
    yield "data.root", config.data_path(".")
    if config.data.cache == "disk":
        yield "data.cache_dir", config.cache_dir
    for name, script in config.patch:
        if script is not None:
            yield f"patch.{name}", Path(script)


def lies_in(path: Path, folder: Path) -> bool:
    """Tell whether a file or folder is, wherever its links lead, in another folder, or is that folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
