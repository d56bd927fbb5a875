"""Begin an ensemble in a folder of its own, or go on with the one that was begun with the same config."""

from __future__ import annotations

import logging
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trainlib.agreement import disagreements, hashes_of
from trainlib.check.quick import quick_check
from trainlib.config.schema import Config
from trainlib.data.splits import SPLITS_OF, check_splits
from trainlib.ensemble.folds import write_folds
from trainlib.ensemble.members import members_of
from trainlib.errors import ConfigError, DataError, Problem
from trainlib.folders.ensemble import Ensemble, EnsembleFolder, Kind, is_ensemble, read_ensemble
from trainlib.start import alone

log = logging.getLogger(__name__)


def open_ensemble(config: Config, kind: Kind, count: int) -> Ensemble:
    """Open the ensemble of the config's name, or begin it; a name that another run has gets a number.

    Args:
        config: A complete config.
        kind: What the members differ in.
        count: Number of members.

    Raises:
        ConfigError: An ensemble of that name was begun with another config; all keys that differ are named.
        DataError: A file cannot be used, or the cases cannot be divided.
    """
    _check(config)
    begun = latest_ensemble(config)
    problems = [] if begun is None else [*_contradictions(begun, config, kind, count)]
    if problems and not config.run.overwrite:
        raise ConfigError(problems)
    if begun is not None and not problems:
        again = replace(begun, config=config)
        if not all(member.finished for member in members_of(again)):
            _check_headers(config)
        return again
    _check_headers(config)
    if begun is not None:
        log.info("run.overwrite: %s is deleted, for it was begun with another config.", begun.folder.path)
        shutil.rmtree(begun.folder.path)
    return _begin(config, kind, count)


def latest_ensemble(config: Config) -> Ensemble | None:
    """Find the ensemble of the config's name that was begun last, None where there is none yet."""
    root, name = Path(config.run.root), config.run.name
    if not root.is_dir():
        return None
    numbered = [path for path in root.iterdir() if re.fullmatch(rf"{re.escape(name)}(_[0-9]+)?", path.name)]
    found = [read_ensemble(path) for path in numbered if is_ensemble(path)]
    found = [ensemble for ensemble in found if ensemble.config.run.name == name]
    return max(found, key=lambda ensemble: ensemble.folder.settings.stat().st_mtime_ns, default=None)


def _check(config: Config) -> None:
    """Refuse what no member could be trained with."""
    alone(config, "trainlib ensemble")
    if problems := check_splits(config, SPLITS_OF["fit"]):
        raise DataError(problems)


def _check_headers(config: Config) -> None:
    """Read the headers of all files, once for all members."""
    if problems := quick_check(config):
        raise DataError(problems)


def _begin(config: Config, kind: Kind, count: int) -> Ensemble:
    """Make the folder under a hidden name first, so that it is complete or absent."""
    root = Path(config.run.root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        hidden = root / f".ensemble-{uuid.uuid4().hex}"
        hidden.mkdir()
    except OSError as error:
        raise ConfigError(f"{root}: the folder cannot be made ({error.strerror}).") from None
    try:
        ensemble = Ensemble(EnsembleFolder(hidden), kind, _names(config, kind, count), config, hashes_of(config))
        if kind == "folds":
            write_folds(config, ensemble.folder, ensemble.members)
        ensemble.write(ensemble.folder.settings)
        return replace(ensemble, folder=EnsembleFolder(_renamed(hidden, root / config.run.name)))
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _renamed(hidden: Path, wanted: Path) -> Path:
    """Give a folder its name, or the next free one with a number."""
    number, path = 1, wanted
    while path.exists() or path.is_symlink():
        number += 1
        path = wanted.with_name(f"{wanted.name}_{number}")
    return hidden.rename(path)


def _names(config: Config, kind: Kind, count: int) -> tuple[str, ...]:
    first = 1 if kind == "folds" else config.seed
    return tuple(f"{kind.removesuffix('s')}_{number % 2**32}" for number in range(first, first + count))


def _contradictions(begun: Ensemble, config: Config, kind: Kind, count: int) -> Iterator[Problem]:
    """Name every key whose value would make members that do not belong together."""
    remedy = "Give this ensemble a name of its own (run.name=...)."
    was = f"but the ensemble {begun.folder.path} was begun with"
    if (kind, count) != (begun.kind, len(begun.members)):
        yield Problem(f"--{kind} is {count}, {was} --{begun.kind} {len(begun.members)}. {remedy}")
    before, now = (begun.config, begun.files), (config, hashes_of(config))
    yield from disagreements(before, now, begun=f"the ensemble {begun.folder.path}", remedy=remedy)
