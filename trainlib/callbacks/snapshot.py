"""The snapshot: all that is needed to know what a run did, and to do it again."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lightning import Callback, LightningModule, Trainer

import trainlib
from trainlib.build.check import origins
from trainlib.callbacks.environment import describe_environment, installed_packages
from trainlib.callbacks.masking import mask_credentials
from trainlib.checkpoints.starting import STARTING, starting_files
from trainlib.config.credentials import read_credentials
from trainlib.config.load import dump_config
from trainlib.config.schema import Config
from trainlib.data.fingerprint import fingerprint, write_fingerprints
from trainlib.data.splits import SPLITS, csv_of
from trainlib.folders.naming import free_name
from trainlib.folders.run import RunFolder
from trainlib.system.files import atomic_folder, write_text
from trainlib.weights.fitting import MISFITS, Start


@dataclass(frozen=True)
class Record:
    """How a run was started.

    Attributes:
        command: The command line.
        configs: The config files as given.
        starts: The weights it began with; none where they were random, or those of the run itself.
    """

    command: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()
    starts: tuple[Start, ...] = ()


class Snapshot(Callback):
    """Writes ``config.yaml`` and the folder ``snapshot``; a resumed run adds ``snapshot/resumed``.

    Args:
        config: The complete config.
        folder: The run folder.
        record: How the run was started.
    """

    def __init__(self, config: Config, folder: RunFolder, record: Record) -> None:
        self.config = config
        self.folder = folder
        self.record = record

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the snapshot before anything is trained."""
        if not trainer.is_global_zero:
            return
        write_text(self.folder.config, dump_config(self.config))  # replaced when the run is resumed
        target = self.folder.snapshot
        if target.exists():
            target = free_name(target / "resumed")
        with atomic_folder(target) as temporary:
            self._write(temporary)

    def _write(self, target: Path) -> None:
        write_text(target / "config.yaml", dump_config(self.config))
        self._copy_inputs(target)
        self._note_weights(target)
        packages = "".join(f"{name}=={version}\n" for name, version in installed_packages().items())
        write_text(target / "requirements.txt", packages)
        write_text(target / "environment.json", json.dumps(describe_environment(self.config), indent=2) + "\n")
        write_text(target / "components.json", json.dumps(origins(self.config), indent=2) + "\n")
        write_text(target / "command.txt", shlex.join(self.record.command) + "\n")
        pushover = self.config.pushover
        _write_git_state(target, Path.cwd(), Path(pushover.credentials) if pushover else None)

    def _copy_inputs(self, target: Path) -> None:
        """Copy configs, CSVs, patch scripts and trainlib itself."""
        patches = [Path(path) for _, path in self.config.patch if path]
        csvs = [self.config.data_path(csv) for split in SPLITS if (csv := csv_of(self.config, split))]
        for name, files in (("configs", self.record.configs), ("patches", patches), ("csvs", csvs)):
            for file, copy in names_of_copies(files).items():
                _copy(file, target / name / copy)
        source = Path(trainlib.__file__).parent
        shutil.copytree(source, target / "trainlib", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)

    def _note_weights(self, target: Path) -> None:
        """Note the files that the training starts from by their hashes, and what of them did not fit."""
        starts = self.record.starts
        rows = [fingerprint(file, str(file)) for file in starting_files(self.config, starts)]
        if rows:
            write_fingerprints(target / STARTING, (row for row in rows if row is not None))
        if misfits := [f"{start.setting}: {line}" for start in starts for line in start.misfits()]:
            write_text(target / MISFITS, "".join(f"{line}\n" for line in misfits))


def names_of_copies(files: Iterable[Path]) -> dict[Path, str]:
    """Name the copies of files in one folder of a snapshot; of those that share a name the later ones get a number."""
    distinct = list(dict.fromkeys(files))
    return {
        file: f"{i}_{file.name}" if any(file.name == other.name for other in distinct[:i]) else file.name
        for i, file in enumerate(distinct)
    }


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy2(source, target)


def _write_git_state(target: Path, folder: Path, credentials: Path | None) -> None:
    """Keep commit, status and uncommitted changes of the git repository that `folder` is in, if it is in one.

    The file of credentials is left out, and so is what it holds wherever else it was written. Credentials in other
    files, and former ones, are masked.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is not None:
        status = _git(folder, "status", "--short") or ""
        write_text(target / "git.txt", f"commit {commit}\n{status}")
        plain = ("--no-color", "--no-ext-diff")  # what git.diff is, whatever the user has set for the terminal
        diff = mask_credentials(_git(folder, "diff", *plain, "HEAD", "--", *_without(credentials, folder)) or "")
        write_text(target / "git.diff", read_credentials(credentials).hide(diff) if credentials else diff)


def _without(file: Path | None, folder: Path) -> list[str]:
    """Write the pathspec that leaves out a file, and what it links to, where they lie in the repository of `folder`."""
    top = Path((_git(folder, "rev-parse", "--show-toplevel") or "").removesuffix("\n"))
    places = {file.parent.resolve() / file.name, file.resolve()} if file else set()
    return [f":(top,exclude,literal){place.relative_to(top)}" for place in places if place.is_relative_to(top)]


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, timeout=20, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
