"""Begin a search in a folder of its own, or go on with the one that was begun with the same settings and files."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trainlib.agreement import disagreements, hash_of, hashes_of
from trainlib.checkpoints.checkpoint import IRRELEVANT
from trainlib.config.schema import Config
from trainlib.errors import ConfigError, InputError
from trainlib.folders.naming import unique_folder
from trainlib.folders.search import SearchFolder
from trainlib.folders.searches import Search, latest_search, read_search, wanted_folder
from trainlib.system.files import write_text
from trainlib.system.lock import held

log = logging.getLogger(__name__)

# What may differ when a search is continued; of the search itself only how many trials, and how many at a time.
_FREE = (*(key for key in IRRELEVANT if key != "tune"), "tune.trials", "tune.per_trial")
_SPLITS = ("train", "valid")  # that trials see


@contextmanager
def opened(config: Config, *, resume: bool) -> Iterator[Search]:
    """Open a new search, or the newest one of the config's name to continue it, for this process alone.

    The folder of a search that is refused before its first trial is taken away again.

    Args:
        config: A complete config.
        resume: Whether to continue the newest search; without one, it begins.

    Raises:
        ConfigError: It was begun with other settings, or a file has changed since; all are named.
        ResourceError: Another process works on it.
    """
    if config.tune is None:
        raise ConfigError("tune is missing: it says what to search.")
    folder = latest_search(config) if resume else None
    if resume and folder is None:
        log.info("There is no search of %s to continue yet; it begins.", config.run.name)
    if folder is None:
        folder = SearchFolder(unique_folder(wanted_folder(config).absolute()))
    folder = SearchFolder(folder.path.absolute())
    with held(folder.lock, folder.path.name), _removed_if_refused(folder):
        yield _prepared(folder, config)


def _prepared(folder: SearchFolder, config: Config) -> Search:
    """Compare with what the search was begun with, and write down what it goes on with."""
    search, hashes = Search(folder, config), _hashes(config)
    if folder.settings.is_file():
        before = read_search(folder.path).config
        begun, remedy = f"the search in {folder.path}", "Leave --resume out to begin another one."
        problems = disagreements(
            (before, _read_hashes(folder)), (config, hashes), begun=begun, remedy=remedy, irrelevant=_FREE
        )
        if found := list(problems):
            raise ConfigError(found)
    write_text(folder.hashes, json.dumps(hashes, indent=2) + "\n")
    search.write()
    return search


def _hashes(config: Config) -> dict[str, str]:
    """Hash the files that trials rest on, scripts that only some of them use as well."""
    assert config.tune is not None
    hashes = hashes_of(config, _SPLITS)
    for key, distribution in config.tune.space.items():
        for value in distribution.values if key.startswith("patch.") else ():
            if value is not None:
                hashes[f"tune.space.{key}: {value}"] = hash_of(f"tune.space.{key}", Path(value))
    return hashes


def _read_hashes(folder: SearchFolder) -> Mapping[str, str]:
    try:
        hashes: dict[str, str] = json.loads(folder.hashes.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder.hashes} cannot be read: {type(error).__name__}: {error}.") from None
    return hashes


@contextmanager
def _removed_if_refused(folder: SearchFolder) -> Iterator[None]:
    begun = folder.settings.is_file()
    try:
        yield
    except InputError:
        if not begun and not any(folder.records.glob("trial_*.json")):
            shutil.rmtree(folder.path)
        raise
