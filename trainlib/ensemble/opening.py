"""Begin an ensemble in a folder of its own, or go on with the one that was begun with the same config."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trainlib.checkpoints import _IRRELEVANT
from trainlib.config.differences import differences
from trainlib.config.schema import Config
from trainlib.data.splits import SPLITS_OF, check_splits
from trainlib.ensemble.folds import write_folds
from trainlib.ensemble_folder import Ensemble, EnsembleFolder, Kind, is_ensemble, read_ensemble
from trainlib.errors import ConfigError, DataError, Problem

log = logging.getLogger(__name__)


def open_ensemble(config: Config, kind: Kind, count: int) -> Ensemble:
    """Open the ensemble of the config's name, or begin it; a name that another run has gets a number.

    Args:
        config: A complete config.
        kind: What the members differ in.
        count: Number of members.

    Raises:
        ConfigError: An ensemble of that name was begun with another config; all keys that differ are named.
        DataError: The cases cannot be divided.
    """
    _check(config)
    begun = latest_ensemble(config)
    if begun is None:
        return _begin(config, kind, count)
    if problems := [*_contradictions(begun, config, kind, count)]:
        if not config.run.overwrite:
            raise ConfigError(problems)
        log.info("run.overwrite: %s is deleted, for it was begun with another config.", begun.folder.path)
        shutil.rmtree(begun.folder.path)
        return _begin(config, kind, count)
    return replace(begun, config=config)


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
    devices = config.trainer.get("devices", 1)
    if devices not in (1, "1", "auto") or config.trainer.get("num_nodes", 1) != 1:
        raise ConfigError(
            f"trainer.devices: each member of an ensemble is trained on one device, found {devices!r}. Leave it out; "
            "--parallel trains several members side by side."
        )
    if problems := check_splits(config, SPLITS_OF["fit"]):
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
        ensemble = Ensemble(EnsembleFolder(hidden), kind, _names(config, kind, count), config, _hashes(config))
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


def _hashes(config: Config) -> dict[str, str]:
    """Hash the files that the config names and that decide what the members are."""
    named = {f"data.{split}_csv": getattr(config.data, f"{split}_csv") for split in SPLITS_OF["fit"]}
    files = {key: config.data_path(csv) for key, csv in named.items() if csv}
    files |= {f"patch.{name}": Path(path) for name, path in config.patch if path}
    return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in files.items()}


def _contradictions(begun: Ensemble, config: Config, kind: Kind, count: int) -> Iterator[Problem]:
    """Name every key whose value would make members that do not belong together."""
    remedy = "Give this ensemble a name of its own (run.name=...)."
    was = f"but the ensemble {begun.folder.path} was begun with"
    if (kind, count) != (begun.kind, len(begun.members)):
        yield Problem(f"--{kind} is {count}, {was} --{begun.kind} {len(begun.members)}. {remedy}")
    files = _hashes(config)
    for key, before, now in differences(begun.config.model_dump(mode="json"), config.model_dump(mode="json")):
        if not key.startswith(_IRRELEVANT) and key not in begun.files and key not in files:
            yield Problem(f"{key} is {now}, {was} {before}. {remedy}")
    for key in sorted(begun.files.keys() | files.keys()):
        if key not in files or key not in begun.files:
            yield Problem(f"{key} is {'not set' if key not in files else 'set'}, {was} the opposite. {remedy}")
        elif files[key] != begun.files[key]:
            yield Problem(f"{key}: the file has changed since the ensemble {begun.folder.path} was begun. {remedy}")
