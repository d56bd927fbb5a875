"""What changed between the starts of a run that was resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from trainlib.commands.reproduce.environment import compare_environments, read_environment
from trainlib.config.differences import differences
from trainlib.words import listed

_IRRELEVANT = ("run.", "data.cache", "data.num_workers", "progress", "report", "emissions", "pushover")
"""Settings that change no figure of a run."""
_INPUTS = {"csvs": "the CSV files", "patches": "the patch scripts", "trainlib": "trainlib itself"}
_MOST = 6  # settings that are named


def changes_between(starts: list[Path]) -> list[str]:
    """Say in a sentence each what of settings, inputs and environment changed from one start to the next.

    Args:
        starts: The snapshots of the starts, in their order.
    """
    return [sentence for pair in pairwise(starts) for sentence in _changes(*pair)]


def _changes(before: Path, after: Path) -> Iterator[str]:
    if keys := changed_settings(read_settings(before), read_settings(after), "then"):
        yield f"It was resumed with other settings: {keys}."
    inputs = [name for folder, name in _INPUTS.items() if digest(before / folder) != digest(after / folder)]
    if inputs:
        yield f"Before it was resumed, {listed(inputs)} changed."
    found = compare_environments(
        read_environment(before), read_environment(after), ("cpu", "instructions", "gpus", "cuda", "cudnn", "threads")
    )
    if decisive := [f"{other.what} ({other.then}, then {other.now})" for other in found if other.decisive]:
        yield f"It was resumed in another environment: {', '.join(decisive)}."


def changed_settings(one: Mapping[str, Any], other: Mapping[str, Any], then: str) -> str:
    """Name the settings that differ and change figures, with both values; nothing where one config is not known.

    Args:
        one: A config as its file has it.
        other: The other.
        then: The word between two values.
    """
    found = differences(one, other) if one and other else ()
    named = [f"{key} ({old}, {then} {new})" for key, old, new in found if not key.startswith(_IRRELEVANT)]
    return ", ".join(named[:_MOST]) + (f" and {len(named) - _MOST} more" if len(named) > _MOST else "")


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the ``config.yaml`` of a start, or of a run; a missing or damaged one is empty."""
    try:
        content = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def digest(folder: Path) -> str:
    """Hash names and contents of all files below a folder."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{file.relative_to(folder).as_posix()}\n{content}\n".encode())
    return whole.hexdigest()
