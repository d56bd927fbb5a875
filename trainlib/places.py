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
from trainlib.folders.overwriting import loss, needs, unfit
from trainlib.system.diskspace import TEMPORARY

_LITTLE = 2**20  # free bytes with which nothing can be done
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def unwritable_places(config: Config) -> Iterator[tuple[Key, str]]:
    """Name the settings of folders that cannot be written; nothing is left behind by the trial."""
    wanted = Path(config.run.root) / config.run.name
    unwritable = _cannot_write(Path(config.run.root))
    if unwritable:
        yield ("run", "root"), f"run.root: {unwritable} Choose another run.root."
    # That a name is too long shows only where its folder exists.
    elif odd := _cannot_be_named(_existing(wanted.parent) / config.run.name):
        yield ("run", "name"), f"run.name: {odd} Choose another run.name."
    elif config.run.overwrite and wanted.exists():
        yield from _losses(config, wanted)
    if config.data.cache == "disk" and (config.data.cache_dir is not None or not unwritable):
        yield from _unwritable_cache(config)


def _losses(config: Config, wanted: Path) -> Iterator[tuple[Key, str]]:
    """Say why the run folder `wanted` is not overwritten."""
    if problem := unfit(wanted):
        yield ("run", "overwrite"), f"run.overwrite: {problem} Choose another run.name."
    elif lost := loss(wanted, dict(needs(config))):
        yield ("run", "overwrite"), lost


def _unwritable_cache(config: Config) -> Iterator[tuple[Key, str]]:
    key: Key = ("data", "cache_dir")
    if problem := _cannot_write(config.cache_dir):
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
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix=TEMPORARY))
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
