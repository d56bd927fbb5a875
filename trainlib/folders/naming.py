"""Which folder a new run gets, and which folders are runs."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, ConfigError
from trainlib.folders.overwriting import put_aside, recover, settle
from trainlib.folders.run import RunFolder
from trainlib.system.files import atomic_path, write_text

log = logging.getLogger(__name__)


def create(config: Config) -> RunFolder:
    """Make the folder of a new run with its config; a name that is taken gets the next free number.

    Raises:
        ConfigError: The folder cannot be made, or `run.overwrite` would delete something that is no run.
        DiskFullError: There is no room for it.
    """
    wanted = Path(config.run.root) / config.run.name
    recover(wanted)
    if config.run.overwrite and wanted.exists():
        put_aside(wanted)
    folder = None
    try:
        folder = RunFolder(unique_folder(wanted))
        write_text(folder.config, dump_config(config))  # at once: a killed run without it would not be known again
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder.path, ignore_errors=True)
        settle(wanted)
        raise
    return folder


def unique_folder(wanted: Path) -> Path:
    """Make the folder `wanted`, or `wanted_2`, `wanted_3`, ... where it exists."""
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for path in _numbered(wanted):
            with suppress(FileExistsError):
                path.mkdir()
                return path
    except FileExistsError:  # above it, as a file or a link that leads nowhere
        raise ConfigError(f"{wanted}: the folder cannot be made ({os.strerror(errno.ENOTDIR)}).") from None
    except OSError as error:
        raise ConfigError(f"{wanted}: the folder cannot be made ({error.strerror}).") from None
    raise AssertionError("there is always another number")


def free_name(wanted: Path) -> Path:
    """Return the first of `wanted`, `wanted_2`, `wanted_3`, ... that does not exist."""
    return next(path for path in _numbered(wanted) if not os.path.lexists(path))


def _numbered(wanted: Path) -> Iterator[Path]:
    yield wanted
    for number in itertools.count(2):
        yield wanted.with_name(f"{wanted.name}_{number}")


def folder_of(checkpoint: Path) -> RunFolder | None:
    """Return the run folder that a checkpoint lies in, None for one that lies elsewhere."""
    folder = RunFolder(checkpoint.absolute().parent.parent)
    return folder if checkpoint.absolute().parent == folder.checkpoints and _has_config(folder) else None


def _has_config(folder: RunFolder) -> bool:
    """Tell whether a folder has its config; one that was lost comes back from the snapshot, with its time."""
    kept = folder.snapshot / folder.config.name
    if not folder.config.is_file() and kept.is_file():
        with suppress(OSError), atomic_path(folder.config) as temporary:
            shutil.copy2(kept, temporary)
        log.info("%s was missing; it is that of the snapshot again.", folder.config)
    return folder.config.is_file()


def _name_of(folder: RunFolder) -> str | None:
    """Read the name that a run was given; `heart_2` may be the second run of `heart` or a run of its own."""
    try:
        name: str = yaml.safe_load(folder.config.read_text(encoding="utf-8"))["run"]["name"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
    return name


def latest(config: Config) -> RunFolder | None:
    """Find the run of the config's name that was started or continued last, None where there is none yet.

    Raises:
        CheckpointError: A folder of that name has a newer checkpoint, but no config that tells whose it is.
    """
    root, name = Path(config.run.root), config.run.name
    if not root.is_dir():
        return None
    if not (root / name).exists():  # a process was killed that was about to overwrite it
        recover(root / name)
    named = [path for path in root.iterdir() if re.fullmatch(rf"{re.escape(name)}(_[0-9]+)?", path.name)]
    folders = [RunFolder(path) for path in sorted(named)]
    unknown = [folder for folder in folders if not _has_config(folder) and folder.last.is_file()]
    runs = [folder for folder in folders if _name_of(folder) == name]
    newest = max(runs, key=lambda folder: folder.config.stat().st_mtime_ns, default=None)
    for folder in unknown:
        if newest is None or folder.last.stat().st_mtime_ns > newest.config.stat().st_mtime_ns:
            raise CheckpointError(
                f"{folder.path} has checkpoints, but no config.yaml, so that it cannot be told whether it is a run of "
                f"{name}. Put its config back as {folder.config}, or name the checkpoint to go on from."
            )
    return newest
