"""The weights that a training starts from: of a checkpoint, a run, or a plain state dict."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from trainlib.build.freezing import is_frozen
from trainlib.checkpoints.foreign import read_weights, weights_file, without_prefix
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError
from trainlib.words import count, first_few

log = logging.getLogger(__name__)

STARTING = "weights.csv"
"""Table in the snapshot of a run: size and SHA-256 of the files that its training started from."""
MISFITS = "weights.txt"
"""File beside it that lists each tensor that did not fit."""
_MOST = 12  # names, or layers with their shapes, that are told; the snapshot lists all


@dataclass(frozen=True)
class Start:
    """What was taken from a file.

    Attributes:
        file: The file.
        taken: Names of the weights that were.
        share: How much of all values of the network these are, between 0 and 1.
        reshaped: Weights that have another shape -> the shape in the file and that in the network.
        missing: Weights of the network that the file lacks.
        unknown: Weights of the file that the network lacks.
        random: Weights that are frozen without being taken.
    """

    file: Path
    taken: list[str]
    share: float
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: list[str]
    unknown: list[str]
    random: list[str]

    def misfits(self) -> Iterator[str]:
        """Say in a line each what does not fit."""
        for name, (file, network) in self.reshaped.items():
            yield f"{name} has shape {file} in the file, {network} in the network"
        yield from (f"{name} is not in the file" for name in self.missing)
        yield from (f"{name} is not in the network" for name in self.unknown)

    def tell(self) -> None:
        """Log what was taken and what was not, modules of which nothing was as a whole."""
        own = [*self.taken, *self.reshaped, *self.missing]
        share = f"{100 * self.share:.0f} % of all values"
        log.info("model.weights: %d of %d tensors, %s, from %s.", len(self.taken), len(own), share, self.file)
        for line in list(self.misfits())[: min(_MOST, len(self.reshaped))]:
            log.warning("model.weights: %s, and stays as it was initialised.", line)
        if (rest := len(self.reshaped) - _MOST) > 0:
            log.warning(
                "model.weights: %s of another shape; snapshot/%s lists all.", count(rest, "more tensor"), MISFITS
            )
        for names, among, text in (
            (self.missing, own, "model.weights: not in the file, and as initialised"),
            (self.unknown, self.unknown, "model.weights: not in the network, and left out"),
            (self.random, own, "model.freeze: frozen at random values, for the file does not have them"),
        ):
            if names:
                log.warning("%s: %s.", text, first_few(collapsed(names, [*own, *among]), _MOST))


def start_from_weights(network: torch.nn.Module, config: Config) -> Start | None:
    """Load the weights that a config names.

    Args:
        network: The network.
        config: The config; without ``model.weights`` the network stays as it is.

    Returns:
        What was taken; None without weights.

    Raises:
        CheckpointError: There are none, they cannot be read or are not finite, or not one fits.
    """
    if config.model.weights is None:
        return None
    file = weights_file(Path(config.model.weights))
    start = load_weights(network, read_weights(file), file, config.model.freeze)
    if not any(name in start.taken for name, _ in network.named_parameters()):
        raise CheckpointError(
            f"model.weights: nothing in {file} fits the network: {next(start.misfits(), 'it has no weights')}. Take "
            "the network that the weights are of, or leave model.weights out."
        )
    return start


def load_weights(
    network: torch.nn.Module, weights: Mapping[str, torch.Tensor], file: Path, frozen: Sequence[str] = ()
) -> Start:
    """Copy the weights that fit by name and shape into a network.

    Args:
        network: The network.
        weights: Name -> tensor; a prefix that names have in a checkpoint is left out where that helps.
        file: Where they come from.
        frozen: Patterns of what is not trained.

    Raises:
        CheckpointError: A weight that fits is not finite.
    """
    own = network.state_dict()
    weights = without_prefix(weights, own)
    shapes = {name: (tuple(weights[name].shape), tuple(value.shape)) for name, value in own.items() if name in weights}
    fitting = {name: weights[name] for name, (file_shape, shape) in shapes.items() if file_shape == shape}
    if spoilt := next((name for name, value in fitting.items() if not bool(torch.isfinite(value).all())), None):
        raise CheckpointError(
            f"model.weights: {spoilt} in {file} is not finite: the training that wrote it had gone wrong. Take "
            "weights of an earlier epoch."
        )
    network.load_state_dict(fitting, strict=False)
    values = sum(value.numel() for value in own.values())
    return Start(
        file=file,
        taken=list(fitting),
        share=sum(value.numel() for value in fitting.values()) / max(values, 1),
        reshaped={name: pair for name, pair in shapes.items() if name not in fitting},
        missing=[name for name in own if name not in weights],
        unknown=[name for name in weights if name not in own],
        random=[name for name, _ in network.named_parameters() if name not in fitting and is_frozen(name, frozen)],
    )


def collapsed(names: Collection[str], among: Collection[str]) -> list[str]:
    """Name modules as a whole in place of all the tensors in them.

    Args:
        names: Dotted names of tensors.
        among: All tensors that there are.
    """
    chosen = set(names)
    elsewhere = {module for name in among if name not in chosen for module in _upwards(name)[:-1]}
    groups = Counter(next(module for module in _upwards(name) if module not in elsewhere) for name in names)
    return [name if name in chosen else f"{name} ({count(number, 'tensor')})" for name, number in groups.items()]


def _upwards(name: str) -> list[str]:
    """List the modules that a tensor lies in, the outermost first, and its own name."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def starting_files(config: Config, start: Start | None) -> list[Path]:
    """List the files that weights were taken from, with those that a bundle's network is made of."""
    files = [start.file] if start else []
    path = config.model.kwargs.get("path")
    if config.model.brings_weights and isinstance(path, str):
        kinds = ("configs/*", "models/model.pt", "scripts/**/*.py")
        files += sorted(file for kind in kinds for file in Path(path).glob(kind) if file.is_file())
    return files
