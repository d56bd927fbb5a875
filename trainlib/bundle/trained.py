"""What is handed on of a run: its config, and the network with its best weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from trainlib.build.components import build_model
from trainlib.checkpoints.checkpoint import read_checkpoint
from trainlib.config.schema import Config
from trainlib.errors import ConfigError
from trainlib.folders.results import Run, load_run
from trainlib.run.evaluation import trained_as
from trainlib.seeding import derive_seed, isolated_random_state

_PREFIX = "network."  # of the network's weights among all that a checkpoint holds


@dataclass(frozen=True)
class Trained:
    """A run that is handed on.

    Attributes:
        run: The run.
        config: Its config, complete.
        checkpoint: Where the weights come from.
        network: The network with them, in evaluation mode, on the CPU.
    """

    run: Run
    config: Config
    checkpoint: Path
    network: torch.nn.Module

    @property
    def example(self) -> torch.Tensor:
        """Noise in the shape of the window that the network sees, shape (2, channels, ...); always the same.

        There are two, so that what takes one alone is found.
        """
        generator = torch.Generator().manual_seed(derive_seed(self.config.seed, 0))
        return torch.randn(2, self.config.in_channels, *self.config.roi_size, generator=generator)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits for preprocessed images; of networks that return more, the first output."""
        with torch.inference_mode():
            return first(self.network(image))


def first(output: torch.Tensor | tuple[torch.Tensor, ...] | list[torch.Tensor]) -> torch.Tensor:
    """Return the first output of a network that may have several."""
    return output[0] if isinstance(output, tuple | list) else output


def open_trained(folder: str | Path) -> Trained:
    """Open a run, and build its network with the weights of its best checkpoint.

    Args:
        folder: The run folder.

    Raises:
        ConfigError: It is no run folder, or that of an ensemble.
        CheckpointError: It has no checkpoint, or one that does not fit.
    """
    if (Path(folder) / "ensemble.yaml").is_file():
        raise ConfigError(f"{folder} is an ensemble. Name one of its members.")
    run = load_run(folder)
    config = trained_as(run.config, run.checkpoint)
    with isolated_random_state(config.seed):
        network = build_model(config)
    state = read_checkpoint(run.checkpoint)["state_dict"]
    weights = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    network.load_state_dict(weights)
    return Trained(run, config, run.checkpoint, network.float().eval())
