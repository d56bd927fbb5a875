"""Read and write checkpoints safely, and compare the config they were trained with to the present one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from trainlib.config.defaults import CLASSIFICATION
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, Problem
from trainlib.files import atomic_path

log = logging.getLogger(__name__)

# What the weights depend on: a checkpoint cannot be used when these differ.
_SHAPING = ("task", "model", "patch.model", "data.classes", "data.spatial_dims")
# What changes no figure of a run.
_IRRELEVANT = (
    *("run.", "data.cache", "data.num_workers", "trainer.devices", "trainer.num_nodes"),
    *("lr_monitor", "progress", "report", "emissions", "pushover"),
)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints that are either complete or absent, and executes nothing when it reads them.

    Lightning's own writes to the folder for temporary files; where that is on another disk, its last step is a
    copy over the checkpoint that was there.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint beside its final name and rename it.

        Args:
            checkpoint: The content.
            path: The file.
            storage_options: Of no use for files.
        """
        # Through memory, because torch hides the reason when it cannot write, such as a full disk.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = lambda storage, _: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint as data alone, whatever `weights_only` is."""
        return super().load_checkpoint(path, map_location, weights_only=True)


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
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"--ckpt_path: {path} cannot be read as a checkpoint; it is damaged or of another kind ({first})."
        ) from error
    if not isinstance(checkpoint, dict) or "trainlib" not in checkpoint:
        raise CheckpointError(f"--ckpt_path: {path} was not written by trainlib.")
    return checkpoint


def epochs_in(checkpoint: Mapping[str, Any]) -> int:
    """Return the number of epochs that a checkpoint has behind it."""
    epochs: int = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    return epochs


def compare(checkpoint: Mapping[str, Any], config: Config, path: Path) -> None:
    """Log which settings differ from those the checkpoint was trained with, where its weights can be used.

    Raises:
        CheckpointError: A setting differs that the weights depend on; all of them are named, of another task only
            the task, from which the rest follows.
    """
    before = _comparable(checkpoint["trainlib"]["config"])
    now = _comparable(config.model_dump(mode="json"))
    keys = sorted(before.keys() | now.keys())
    differing = [key for key in keys if before.get(key) != now.get(key) and not key.startswith(_IRRELEVANT)]
    wrong = [key for key in differing if key.startswith(_SHAPING) or _shapes_through_columns(key, before, now)]
    if wrong:
        raise CheckpointError(
            Problem(
                f"{key} is {_show(now.get(key))}, but {path} was trained with {_show(before.get(key))}. "
                "Weights cannot be carried over."
            )
            for key in (["task"] if "task" in wrong else wrong)
        )
    for key in differing:
        log.info("%s: now %s, in the checkpoint %s.", key, _show(now.get(key)), _show(before.get(key)))


def _shapes_through_columns(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a difference in columns or channels changes what the network takes or means.

    Columns may be renamed: what counts is the number of input channels, and whether classes exclude each other.
    """
    if key == "data.label_cols":
        return _is_multilabel(before) != _is_multilabel(now)
    if key == "data.image_cols":
        return _in_channels(before) != _in_channels(now) and len(before.get(key) or ()) != len(now.get(key) or ())
    if key == "data.channels":
        return _in_channels(before) != _in_channels(now) and (before.get(key) or 1) != (now.get(key) or 1)
    return False


def _in_channels(flat: Mapping[str, Any]) -> int:
    """Return the input channels of a flat config, as `Config.in_channels` does; older ones know of one per file."""
    return len(flat.get("data.image_cols") or ()) * int(flat.get("data.channels") or 1)


def _is_multilabel(flat: Mapping[str, Any]) -> bool:
    return flat.get("task") == CLASSIFICATION and len(flat.get("data.label_cols") or ()) > 1


def _show(value: Any) -> str:
    return "not set" if value is None else repr(value)


def _comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write a config with dotted keys; of a patch script the name counts, for it may have moved with the project."""
    flat = dict(_walk(config, ""))
    script = flat["patch.model"]
    return flat | {"patch.model": script and Path(script).name}


def _walk(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from _walk(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, node
