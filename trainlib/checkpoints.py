"""Read and write checkpoints safely, and compare the config they were trained with to the present one."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, Problem
from trainlib.files import atomic_path

log = logging.getLogger(__name__)

# What the weights depend on: a checkpoint cannot be used when these differ.
_SHAPING = ("task", "model", "patch.model", "data.classes", "data.spatial_dims", "data.image_cols")
# What changes no figure of a run.
_IRRELEVANT = (
    *("run.", "data.cache", "data.num_workers"),
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
    """Log which settings differ from those the checkpoint was trained with.

    Raises:
        CheckpointError: A setting differs that the weights depend on; all of them are named.
    """
    before = _comparable(checkpoint["trainlib"]["config"])
    now = _comparable(config.model_dump(mode="json"))
    problems = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old == new or key.startswith(_IRRELEVANT):
            continue
        # Columns may be renamed; their number is that of the network's input channels.
        renamed = key == "data.image_cols" and len(old or ()) == len(new or ())
        if key.startswith(_SHAPING) and not renamed:
            text = f"{key} is {_show(new)}, but {path} was trained with {_show(old)}. Weights cannot be carried over."
            problems.append(Problem(text))
        else:
            log.info("%s: now %s, in the checkpoint %s.", key, _show(new), _show(old))
    if problems:
        raise CheckpointError(problems)


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
