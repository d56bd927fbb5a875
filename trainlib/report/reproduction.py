"""What the snapshot holds, and how the run is repeated from it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from trainlib.report.content import Content, resumed_snapshots
from trainlib.report.reading import read_mapping, read_text
from trainlib.words import count

_HELD = {
    "config.yaml": "the complete config that the run was started with",
    "configs": "the config files as they were given",
    "csvs": "the CSV files that list the cases",
    "data.csv": "size and SHA-256 of every image and label file",
    "patches": "the scripts of your own that the config names",
    "trainlib": "the source of trainlib that did the training",
    "requirements.txt": "every installed package with its version",
    "environment.json": "machine, versions and time",
    "components.json": "where each component came from",
    "command.txt": "the command line",
    "git.txt": "commit and changed files of the working directory's repository",
    "git.diff": "the changes that were not committed",
}


@dataclass(frozen=True)
class Reproduction:
    """How a run is repeated.

    Attributes:
        command: The one command.
        environment: Installs the packages and runs the kept source, for another machine or a later year.
        original: The command line with which the run was started.
        resumed: The command lines with which it was continued.
        directory: Where they were given.
        holdings: What the snapshot holds: name, number or size, and what it is.
        missing: What a snapshot should hold and this one does not.
    """

    command: str
    environment: str
    original: str
    resumed: list[str]
    directory: str
    holdings: list[tuple[str, str, str]]
    missing: list[str]


def reproduction_of(content: Content) -> Reproduction:
    """Look into the snapshot of a run."""
    folder = content.folder
    snapshot, config = shlex.quote(str(folder.snapshot)), shlex.quote(str(folder.config))
    always = ("trainlib", "requirements.txt", "environment.json", "command.txt", "csvs")
    environment = [
        f"grep -v '^trainlib==' {snapshot}/requirements.txt | pip install -r /dev/stdin",
        f"PYTHONPATH={snapshot} python -m trainlib fit -c {config}",
    ]
    return Reproduction(
        command=f"trainlib fit -c {config}",
        environment="\n".join(environment),
        original=read_text(folder.snapshot / "command.txt").strip(),
        resumed=[command for path in resumed_snapshots(folder) if (command := read_text(path / "command.txt").strip())],
        directory=str(read_mapping(folder.snapshot / "environment.json").get("working_directory", "")),
        holdings=_holdings(folder.snapshot),
        missing=[name for name in always if not (folder.snapshot / name).exists()],
    )


def _holdings(snapshot: Path) -> list[tuple[str, str, str]]:
    """List what is in the snapshot, what is known of it first."""
    if not snapshot.is_dir():
        return []
    known = list(_HELD)
    found = sorted(
        snapshot.iterdir(),
        key=lambda path: (known.index(path.name) if path.name in known else len(known), path.name),
    )
    return [(path.name + "/" * path.is_dir(), _amount(path), _meaning(path)) for path in found]


def _amount(path: Path) -> str:
    if path.is_dir():
        return count(sum(1 for file in path.rglob("*") if file.is_file()), "file")
    if path.name == "requirements.txt":
        return count(len(read_text(path).splitlines()), "package")
    if path.name == "git.txt":
        return read_text(path).removeprefix("commit ")[:10]
    size = path.stat().st_size
    return f"{size / 1024:.1f} KiB" if size >= 1024 else count(size, "byte")


def _meaning(path: Path) -> str:
    if path.name.startswith("resumed") and path.is_dir():
        return "the same of a time that the run was resumed"
    return _HELD.get(path.name, "")
