"""Whether what was begun can go on: the settings and files that it was begun with, against those of now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from trainlib.checkpoints.checkpoint import IRRELEVANT
from trainlib.config.differences import differences
from trainlib.config.schema import Config
from trainlib.data.splits import SPLITS_OF
from trainlib.errors import ConfigError, Problem


def hashes_of(config: Config, splits: Iterable[str] = SPLITS_OF["fit"]) -> dict[str, str]:
    """Hash the files that a config names and that decide what comes of it: CSVs and patch scripts.

    Args:
        config: The config.
        splits: The splits whose CSVs count.

    Returns:
        Setting that names a file -> hash of its content.

    Raises:
        ConfigError: A file cannot be read.
    """
    named = {f"data.{split}_csv": getattr(config.data, f"{split}_csv") for split in splits}
    files = {key: config.data_path(csv) for key, csv in named.items() if csv}
    files |= {f"patch.{name}": Path(path) for name, path in config.patch if path}
    return {key: hash_of(key, path) for key, path in files.items()}


def hash_of(key: str, path: Path) -> str:
    """Hash the file that a setting names.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be read ({error.strerror}).") from None


def disagreements(
    before: tuple[Config, Mapping[str, str]],
    now: tuple[Config, Mapping[str, str]],
    *,
    begun: str,
    remedy: str,
    irrelevant: tuple[str, ...] = IRRELEVANT,
) -> Iterator[Problem]:
    """Name every setting that differs, and every file whose content does, so that what comes would not fit together.

    A file counts by its content, not by its name.

    Args:
        before: The config that was begun with, and the hashes of its files.
        now: The config of now, and the hashes of its files.
        begun: What was begun, such as ``the ensemble runs/heart``.
        remedy: What to do instead, in a sentence.
        irrelevant: Beginnings of keys that may differ.
    """
    (old, old_files), (new, new_files) = before, now
    for key, was, value in differences(old.model_dump(mode="json"), new.model_dump(mode="json")):
        if not key.startswith(irrelevant) and key not in old_files and key not in new_files:
            yield Problem(f"{key} is {value}, but {begun} was begun with {was}. {remedy}")
    for key in sorted(old_files.keys() | new_files.keys()):
        if key not in new_files or key not in old_files:
            state = "not set" if key not in new_files else "set"
            yield Problem(f"{key} is {state}, but {begun} was begun with the opposite. {remedy}")
        elif new_files[key] != old_files[key]:
            yield Problem(f"{key}: the file has changed since {begun} was begun. {remedy}")
