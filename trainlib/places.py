"""Find before a training that its results or its cache cannot be written where the config says."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted
from trainlib.folder import RunFolder

_LITTLE = 2**20  # free bytes with which nothing can be done
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def unwritable_places(config: Config) -> Iterator[tuple[Key, str]]:
    """Name the settings of folders that cannot be written; nothing is left behind by the trial."""
    wanted = Path(config.run.root) / config.run.name
    # That a name is too long shows only where its folder exists.
    elsewhere = _existing(wanted.parent) / config.run.name
    if problem := _cannot_write(Path(config.run.root)):
        yield ("run", "root"), f"run.root: {problem} Choose another run.root."
    elif problem := _cannot_be_named(elsewhere):
        yield ("run", "name"), f"run.name: {problem} Choose another run.name."
    elif config.run.overwrite and wanted.exists() and not RunFolder(wanted).config.is_file():
        text = f"{wanted} exists and is no run folder (it has no config.yaml), so it is not deleted."
        yield ("run", "overwrite"), f"run.overwrite: {text} Choose another run.name."
    own = config.data.cache_dir is not None
    if config.data.cache == "disk" and (own or not problem) and (problem := _cannot_write(config.cache_dir)):
        key: Key = ("data", "cache_dir")
        yield key, f"{dotted(key)}: {problem} Choose another data.cache_dir, or set data.cache to memory or none."


def _existing(folder: Path) -> Path:
    """Return the folder, or else the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))


def _cannot_write(folder: Path) -> str:
    """Say why a folder cannot be made or written into; nothing where it can."""
    existing = _existing(folder)
    if not existing.is_dir():
        return f"{existing} is no folder."
    try:
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix=".writing-"))
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror})."
    if shutil.disk_usage(existing).free < _LITTLE:
        return f"the disk of {folder} is full. Free some space."
    return ""


def _cannot_be_named(path: Path) -> str:
    """Say why there can be no file of a name; nothing where there can."""
    try:
        os.lstat(path)
    except OSError as error:
        return "" if error.errno in _ABSENT else f"no folder can have this name ({error.strerror})."
    return ""
