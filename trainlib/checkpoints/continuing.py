"""Where a training goes on: the checkpoint of a run, and what to do when it is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainlib.checkpoints.checkpoint import epochs_in, read_checkpoint
from trainlib.errors import CheckpointError
from trainlib.folders.naming import folder_of
from trainlib.folders.run import RunFolder
from trainlib.system.files import read_rows


def checkpoint_of(folder: RunFolder, which: str) -> Path | None:
    """Return the checkpoint of a run to go on from, None where the run has not come that far yet.

    Args:
        folder: The run.
        which: ``last`` or ``best``.

    Raises:
        CheckpointError: The run had a checkpoint and has lost it: beginning again would write over what it has.
    """
    wanted, other = (folder.last, folder.best) if which == "last" else (folder.best, folder.last)
    if wanted.is_file():
        return wanted
    # The row of an epoch is written before its checkpoints, and `best` before `last`: with a kill in between, one
    # epoch may be in either.
    rows = len(read_rows(folder.metrics, lambda row: row.get("epoch", "").isdigit()))
    if max(rows, _epochs_of(other)) <= 1 and not folder.last.is_file():
        return None
    raise CheckpointError(f"--ckpt_path {which}: there is no checkpoint {wanted}. {_remedy(folder, other)}")


def read_to_continue(path: Path) -> dict[str, Any]:
    """Read the checkpoint to go on from, as `read_checkpoint` does.

    Raises:
        CheckpointError: It cannot be read. Where it is that of a run, the message says from where else that can go on.
    """
    try:
        return read_checkpoint(path)
    except CheckpointError as error:
        folder = folder_of(path)
        if folder is None or path.name not in (folder.last.name, folder.best.name):
            raise
        other = folder.best if path.name == folder.last.name else folder.last
        raise CheckpointError(f"{error} {_remedy(folder, other)}") from error


def _remedy(folder: RunFolder, other: Path) -> str:
    """Say from where a run can go on that has lost a checkpoint."""
    anew = "leave --ckpt_path out to train anew in a new folder"
    if epochs := _epochs_of(other):
        return f"Go on after epoch {epochs}, which is whole, with --ckpt_path {other}; or {anew}."
    return f"{folder.path} has no other checkpoint that can be read: {anew}."


def _epochs_of(checkpoint: Path) -> int:
    """Return the number of epochs that a checkpoint has behind it, 0 where it cannot be read."""
    try:
        return epochs_in(read_checkpoint(checkpoint))
    except CheckpointError:
        return 0
