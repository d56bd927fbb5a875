"""The weights that a training starts from: of a checkpoint, a run, a plain state dict or a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from trainlib.build.bundles import bundled_start
from trainlib.config.model import BUNDLE
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError
from trainlib.folders.run import RunFolder
from trainlib.weights.fitting import Start, load_weights
from trainlib.weights.reading import read_weights

STARTING = "weights.csv"
"""Table in the snapshot of a run: size and SHA-256 of the files that its training started from."""


def weights_file(path: Path) -> Path:
    """Find the file with the weights that a path stands for.

    Args:
        path: A file, or a run folder, of which the best checkpoint is taken, or else the last.

    Raises:
        CheckpointError: There is none.
    """
    if not path.exists():
        raise CheckpointError(f"there is no file or run folder {path}.")
    if not path.is_dir():
        return path
    folder = RunFolder(path)
    found = next((file for file in (folder.best, folder.last) if file.is_file()), None)
    if found is None:
        raise CheckpointError(f"{path} is no run folder with a checkpoint: it has no checkpoints/best.ckpt.")
    return found


def start_from_weights(network: torch.nn.Module, config: Config) -> list[Start]:
    """Load the weights of the bundle that a network is of, and over them those that a config names.

    Args:
        network: The network; without a bundle and ``model.weights`` it stays as it is.
        config: The config.

    Returns:
        What was taken, file by file.

    Raises:
        CheckpointError: There are none, they cannot be read or are not finite, or not one fits.
    """
    bundled = bundled_start(network, config)
    starts = [] if bundled is None else [bundled]
    if config.model.weights is not None:
        try:
            file = weights_file(Path(config.model.weights))
            before = None if bundled is None else bundled.taken
            starts.append(load_weights(network, read_weights(file), file, config.model.freeze, before=before))
        except CheckpointError as error:
            raise CheckpointError(f"model.weights: {error}") from error
    return starts


def starting_files(config: Config, starts: Sequence[Start]) -> list[Path]:
    """List the files that weights were taken from, with those that a bundle's network is made of."""
    files = [start.file for start in starts]
    path = config.model.kwargs.get("path")
    if config.model.name == BUNDLE and isinstance(path, str):
        kinds = ("configs/*", "models/model.pt", "scripts/**/*.py")
        files += sorted(file for kind in kinds for file in Path(path).glob(kind) if file.is_file())
    return list(dict.fromkeys(file.absolute() for file in files))
