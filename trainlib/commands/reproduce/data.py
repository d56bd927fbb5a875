"""Whether the data files, and the weights it started from, are still those that a run was trained on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trainlib.checkpoints.starting import STARTING
from trainlib.commands.reproduce.original import Original
from trainlib.config.model import BUNDLE
from trainlib.data.fingerprint import TABLE, Fingerprint, data_files, fingerprint, read_fingerprints
from trainlib.data.splits import SPLITS_OF, check_splits, read_split
from trainlib.errors import ConfigError, DataError, Problem

_READERS = 4
_MOST_NAMES = 10
_ELSEWHERE = "Put them back, or say with --data-root where the data are now."
_AS_THEY_ARE = "Put them back, say with --data-root where they are, or repeat the run with them as they are by --force."


@dataclass(frozen=True)
class DataCheck:
    """What became of the data files.

    Attributes:
        files: How many there are.
        bytes: Their size together.
        missing: A sentence for each that is gone.
        changed: A sentence for each that is another than it was.
        unknown: Those whose hash the snapshot does not keep.
    """

    files: int
    bytes: int
    missing: list[Problem]
    changed: list[Problem]
    unknown: list[str]

    def refuse(self, force: bool = False) -> None:
        """Name the files that are missing or changed.

        Args:
            force: Whether changed files are accepted; without missing ones nothing can be trained.

        Raises:
            DataError: There are some.
        """
        if self.missing or (self.changed and not force):
            remedy = Problem(_ELSEWHERE if self.missing else _AS_THEY_ARE)
            raise DataError([*_first(self.missing), *_first(self.changed), remedy])


def _first(problems: list[Problem]) -> list[Problem]:
    rest = len(problems) - _MOST_NAMES
    return [*problems[:_MOST_NAMES], Problem(f"... and {rest} more files.")] if rest > 0 else problems


def check_data(original: Original, progress: Callable[[int, int], None] = lambda done, total: None) -> DataCheck:
    """Hash all data files, and those of starting weights, and compare them with the snapshot.

    Args:
        original: The run.
        progress: Told after each file how many bytes of how many were read.

    Raises:
        ConfigError: There is no data root.
        DataError: A file whose hash is not known is missing, or the CSVs of the snapshot cannot be used.
    """
    config = original.config
    root = Path(config.data.root)
    if not root.is_dir():
        raise ConfigError(f"data.root: there is no folder {root}. Say with --data-root where the data are now.")
    kept = read_fingerprints(original.folder.snapshot / TABLE)
    known = {name: row for name, row in kept.items() if row.sha256}
    if config.model.weights or config.model.name == BUNDLE:
        start = read_fingerprints(original.folder.snapshot / STARTING)  # whose paths are absolute
        known |= {name: row for name, row in start.items() if row.sha256}
    missing = [name for name in known if not (root / name).is_file()]
    present = [name for name in known if (root / name).is_file()]
    changed = _changed(root, [known[name] for name in present], progress)
    files = {name: root / name for name in present}
    if not missing:
        if problems := check_splits(config, SPLITS_OF["fit"]):
            raise DataError(problems)
        limit = config.data.limit_cases
        files |= data_files({split: read_split(config, split)[:limit] for split in SPLITS_OF["fit"]}, str(root))
    return DataCheck(
        files=len(files) + len(missing),
        bytes=sum(file.stat().st_size for file in files.values()),
        missing=[Problem(f"{root / name} is missing.") for name in missing],
        changed=changed,
        unknown=[name for name in files if name not in known],
    )


def _changed(root: Path, rows: list[Fingerprint], progress: Callable[[int, int], None]) -> list[Problem]:
    """Read files and name those that are not what they were."""
    total, done = sum(row.bytes for row in rows), 0
    changed = []
    with ThreadPoolExecutor(_READERS) as pool:
        for row, problem in zip(rows, pool.map(lambda row: _compare(root / row.path, row), rows), strict=True):
            done += row.bytes
            progress(done, total)
            changed += [problem] if problem else []
    return changed


def _compare(file: Path, kept: Fingerprint) -> Problem | None:
    """Compare a file with what the snapshot keeps of it; one of another size need not be read."""
    size = file.stat().st_size
    if size != kept.bytes:
        return Problem(f"{file} has changed since the run: it had {kept.bytes} bytes and has {size}.")
    now = fingerprint(file, kept.path)
    assert now is not None
    if now.note:
        return Problem(f"{file} {now.note}.")
    if now.sha256 != kept.sha256:
        return Problem(f"{file} has changed since the run: it is as long as it was, but its SHA-256 is another.")
    return None
