"""Read and write checkpoints safely, and compare the config they were trained with to the present one."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from trainlib.build.weights import misfitting_weights
from trainlib.checkpoints.parts import missing_parts
from trainlib.checkpoints.storable import is_readable, plain, refusal
from trainlib.config.defaults import CLASSIFICATION
from trainlib.config.differences import differences
from trainlib.config.model import SETTINGS
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, Problem
from trainlib.system.files import atomic_path
from trainlib.weights.reading import unreadable

log = logging.getLogger(__name__)

# What the weights depend on: a checkpoint cannot be used when these differ.
SHAPING = ("task", "model", "patch.model", "data.classes", "data.spatial_dims")
IRRELEVANT = (
    *("run.", "data.cache", "data.prepare", "data.num_workers", "trainer.devices", "trainer.num_nodes"),
    *("trainer.logger", "lr_monitor", "progress", "report", "emissions", "pushover", "tune"),
)
"""Beginnings of settings that change no figure of a run."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints that are either complete or absent, and executes nothing when it reads them.

    Lightning's own writes to the folder for temporary files; where that is on another disk, its last step is a
    copy over the checkpoint that was there.
    """

    _proven = False

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint beside its final name and rename it.

        Args:
            checkpoint: The content.
            path: The file.
            storage_options: Of no use for files.

        Raises:
            CheckpointError: It holds what is no data, which is found at the first one: nothing could go on from it.
        """
        # Through memory, because torch hides the reason when it cannot write, such as a full disk.
        content = _written(plain(checkpoint), prove=not self._proven)
        self._proven = True
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = lambda storage, _: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint as data alone, whatever `weights_only` is.

        Raises:
            CheckpointError: It is damaged, or holds more than data.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only=True)
        except (FileNotFoundError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise CheckpointError(unreadable(Path(path), error)) from error


def _written(checkpoint: dict[str, Any], *, prove: bool) -> io.BytesIO:
    """Write a checkpoint into memory.

    Raises:
        CheckpointError: A part of it is no data.
    """
    content = io.BytesIO()
    try:
        torch.save(checkpoint, content)
    except Exception as error:
        raise (CheckpointError(text) if (text := refusal(checkpoint)) else error) from error.__cause__
    if prove and not is_readable(content) and (text := refusal(checkpoint)):
        raise CheckpointError(text)
    return content


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without executing anything in it.

    Args:
        path: The checkpoint.

    Raises:
        CheckpointError: There is no such file, it is damaged, or it is none of trainlib's.
    """
    if not path.is_file():
        raise CheckpointError(f"--ckpt_path: there is no checkpoint {path}.")
    try:
        checkpoint: Any = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:
        raise CheckpointError(f"--ckpt_path: {unreadable(path, error)}") from error
    if not isinstance(checkpoint, dict) or "trainlib" not in checkpoint:
        raise CheckpointError(f"--ckpt_path: {path} was not written by trainlib.")
    if missing := missing_parts(checkpoint):
        raise CheckpointError(
            f"--ckpt_path: {path} lacks {', '.join(missing)}, which every checkpoint of trainlib has. It was changed "
            "by something else; take another one."
        )
    return checkpoint


def epochs_in(checkpoint: Mapping[str, Any]) -> int:
    """Return the number of epochs that a checkpoint has behind it."""
    epochs: int = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    return epochs


def planned_epochs(checkpoint: Mapping[str, Any]) -> int:
    """Return the number of epochs that the training of a checkpoint was to have."""
    epochs: int = checkpoint["trainlib"]["horizon"][0]
    return epochs


def compare(checkpoint: Mapping[str, Any], config: Config, path: Path, *, told: bool = True) -> None:
    """Log which settings differ from those the checkpoint was trained with, where its weights can be used.

    Args:
        checkpoint: Its content.
        config: The present config.
        path: The checkpoint.
        told: Whether to log what differs.

    Raises:
        CheckpointError: A setting differs that the weights depend on; all of them are named, of another task only
            the task, from which the rest follows.
    """
    before, now = _comparable(checkpoint["trainlib"]["config"]), _comparable(config.model_dump(mode="json"))
    found = [difference for difference in differences(before, now) if not difference.key.startswith(IRRELEVANT)]
    wrong = {
        difference.key: Problem(
            f"{difference.key} is {difference.now}, but {path} was trained with {difference.before}. "
            "Weights cannot be carried over."
        )
        for difference in found
        if _shapes(difference.key) or _shapes_through_columns(difference.key, before, now)
    }
    if wrong:
        raise CheckpointError([wrong["task"]] if "task" in wrong else wrong.values())
    if misfits := misfitting_weights(checkpoint["state_dict"], config) if "state_dict" in checkpoint else []:
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise CheckpointError(
            f"The weights in {path} do not fit the network: {misfits[0]}{more}. A script that builds the network may "
            "have changed since."
        )
    for difference in found if told else ():
        log.info("%s: now %s, in the checkpoint %s.", difference.key, difference.now, difference.before)


def _shapes(key: str) -> bool:
    """Tell whether weights depend on a setting; of a network all keywords count but the rates of its dropout."""
    if key.startswith(tuple(f"model.{setting}" for setting in SETTINGS)):
        return False
    return key.startswith(SHAPING) and not (key.startswith("model.") and "drop" in key.rpartition(".")[2])


def _shapes_through_columns(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a difference in columns or channels changes what the network takes or means.

    Columns may be renamed: what counts is the number of input channels, and whether classes exclude each other.
    """
    old, new = before["data"], now["data"]
    if key == "data.label_cols":
        return _is_multilabel(before) != _is_multilabel(now)
    if key == "data.image_cols":
        return _in_channels(old) != _in_channels(new) and len(old.get("image_cols") or ()) != len(new["image_cols"])
    if key == "data.channels":
        return _in_channels(old) != _in_channels(new) and (old.get("channels") or 1) != (new["channels"] or 1)
    return False


def _in_channels(data: Mapping[str, Any]) -> int:
    """Return the input channels, as `Config.in_channels` does; older configs know of one per file."""
    return len(data.get("image_cols") or ()) * int(data.get("channels") or 1)


def _is_multilabel(config: Mapping[str, Any]) -> bool:
    return config.get("task") == CLASSIFICATION and len(config["data"].get("label_cols") or ()) > 1


def _comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the folder of the patch script of the network out, for it may have moved with the project."""
    script = config["patch"].get("model")
    return {**config, "patch": {**config["patch"], "model": script and Path(script).name}}
