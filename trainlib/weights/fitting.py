"""Weights into a network: those that fit by name and shape are taken, and all others told."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from trainlib.errors import CheckpointError
from trainlib.weights.names import collapsed, is_within
from trainlib.weights.reading import without_prefix
from trainlib.words import count, first_few

log = logging.getLogger(__name__)

MISFITS = "weights.txt"
"""File in the snapshot of a run that lists each tensor that did not fit."""
_MOST = 12  # names, or layers with their shapes, that are told; the snapshot lists all


@dataclass(frozen=True)
class Start:
    """What was taken from a file.

    Attributes:
        setting: The setting that names the file.
        file: The file.
        taken: Names of the weights that were.
        share: How much of all values of the network these are, between 0 and 1.
        reshaped: Weights that have another shape -> the shape in the file and that in the network.
        missing: Weights of the network that the file lacks.
        unknown: Weights of the file that the network lacks.
        random: Weights that are frozen as they were initialised.
        kept: What the others of the network are.
    """

    setting: str
    file: Path
    taken: list[str]
    share: float
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    missing: list[str]
    unknown: list[str]
    random: list[str]
    kept: str = "as initialised"

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
        log.info("%s: %d of %d tensors, %s, from %s.", self.setting, len(self.taken), len(own), share, self.file)
        for line in list(self.misfits())[: min(_MOST, len(self.reshaped))]:
            log.warning("%s: %s, and stays %s.", self.setting, line, self.kept)
        if (rest := len(self.reshaped) - _MOST) > 0:
            log.warning(
                "%s: %s of another shape; snapshot/%s lists all.", self.setting, count(rest, "more tensor"), MISFITS
            )
        for names, among, text in (
            (self.missing, own, f"{self.setting}: not in the file, and {self.kept}"),
            (self.unknown, self.unknown, f"{self.setting}: not in the network, and left out"),
            (self.random, own, "model.freeze: frozen at random values, for the file does not have them"),
        ):
            if names:
                log.warning("%s: %s.", text, first_few(collapsed(names, [*own, *among]), _MOST))


def load_weights(
    network: torch.nn.Module,
    weights: Mapping[str, torch.Tensor],
    file: Path,
    frozen: Sequence[str] = (),
    *,
    setting: str = "model.weights",
    before: Collection[str] | None = None,
) -> Start:
    """Copy the weights that fit by name and shape into a network.

    Args:
        network: The network; on the device ``meta`` its weights are only compared.
        weights: Name -> tensor; a prefix that names have in a checkpoint is left out where that helps.
        file: Where they come from.
        frozen: Patterns of what is not trained.
        setting: The setting that names the file.
        before: Names of the weights that another file has given to the network; None where there was none.

    Raises:
        CheckpointError: No parameter fits, or a weight that does is not finite.
    """
    own = network.state_dict()
    weights = without_prefix(weights, own)
    shapes = {name: (tuple(weights[name].shape), tuple(value.shape)) for name, value in own.items() if name in weights}
    fitting = {name: weights[name] for name, (file_shape, shape) in shapes.items() if file_shape == shape}
    if spoilt := next((name for name, value in fitting.items() if not bool(torch.isfinite(value).all())), None):
        raise CheckpointError(
            f"{spoilt} in {file} is not finite: the training that wrote it had gone wrong. Take weights of an earlier "
            "epoch."
        )
    parameters = [name for name, _ in network.named_parameters()]
    random = [name for name in parameters if name not in fitting and is_within(name, frozen)]
    start = Start(
        setting=setting,
        file=file,
        taken=list(fitting),
        share=sum(own[name].numel() for name in fitting) / max(sum(value.numel() for value in own.values()), 1),
        reshaped={name: pair for name, pair in shapes.items() if name not in fitting},
        missing=[name for name in own if name not in weights],
        unknown=[name for name in weights if name not in own],
        random=[name for name in random if name not in (before or ())],
        kept="as initialised" if before is None else "as before",
    )
    if fitting.keys().isdisjoint(parameters):
        misfit = next(start.misfits(), "it has no weights")
        raise CheckpointError(
            f"nothing in {file} fits the network: {misfit}. Take the network that the weights are of, or other weights."
        )
    network.load_state_dict(fitting, strict=False)
    return start
