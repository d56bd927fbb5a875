"""Try a bundle before it is handed on: its own config must build the network that the weights belong to."""

from __future__ import annotations

from pathlib import Path

from trainlib.build.bundles import bundled_network
from trainlib.bundle.trained import Trained, first
from trainlib.errors import ConfigError, InputError


def try_bundle(folder: Path, trained: Trained) -> None:
    """Build the network of a bundle from its files alone, and compare its output with that of the run.

    Args:
        folder: The bundle.
        trained: The run that it was made of.

    Raises:
        ConfigError: The network cannot be built without trainlib, or gives something else.
    """
    import torch

    try:
        network = bundled_network(str(folder)).eval()
        with torch.inference_mode():
            found = first(network(trained.example))
    except InputError as error:
        raise ConfigError(
            f"The bundle cannot build its network: {error} A `get_model(config)` gets the settings as plain values "
            "there, without the methods of trainlib."
        ) from error
    if not torch.equal(found, trained.logits(trained.example)):
        raise ConfigError("The network that the bundle builds gives other outputs than that of the run.")
