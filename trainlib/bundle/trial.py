"""Try a bundle before it is handed on: its configs must build what they describe, and the network of the run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainlib.build.bundles import bundled_network, first_cause, hidden, parsed
from trainlib.bundle.trained import Trained, first
from trainlib.errors import ConfigError, InputError

_BUILT = {
    "inference": ("preprocessing", "inferer", "postprocessing"),
    "train": ("train#preprocessing", "train#inferer", "loss", "optimizer"),
}
"""Config -> what is built of it, beside the network: all that reads no data."""


def try_bundle(folder: Path, trained: Trained) -> None:
    """Build what a bundle describes from its files alone, and compare the output of its network with that of the run.

    Args:
        folder: The bundle.
        trained: The run that it was made of.

    Raises:
        ConfigError: Something cannot be built without trainlib, or the network gives something else.
    """
    import torch

    try:
        with _without_trainlib():
            network = bundled_network(str(folder)).eval()
    except InputError as error:
        raise ConfigError(
            f"The bundle cannot build its network: {error} A `get_model(config)` gets the settings as plain values "
            "there, without the methods of trainlib."
        ) from error
    with torch.inference_mode():
        found = first(network(trained.example))
    if not torch.allclose(found, trained.logits(trained.example), rtol=0, atol=0, equal_nan=True):
        raise ConfigError("The network that the bundle builds gives other outputs than that of the run.")
    for name, items in _BUILT.items():
        config = folder / "configs" / f"{name}.yaml"
        for item in items if config.is_file() else ():
            _try_item(folder, config, item)


def _try_item(folder: Path, config: Path, item: str) -> None:
    try:
        with _without_trainlib(), parsed(folder, config) as parser:
            parser.get_parsed_content(item)
    except Exception as error:  # of many kinds
        raise ConfigError(f"configs/{config.name} of the bundle cannot build {item}: {first_cause(error)}.") from error


class _Refuses:
    """A finder that finds no trainlib, as where it is not installed."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "trainlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def _without_trainlib() -> Iterator[None]:
    """Let an import of trainlib fail in the block; what has been imported goes on working."""
    finder: Any = _Refuses()
    with hidden("trainlib"):
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
