"""Networks with their weights from MONAI bundles, whoever made them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainlib.build.patches import describe
from trainlib.errors import ConfigError

if TYPE_CHECKING:
    import torch

_CONFIGS = ("inference", "evaluate", "train")
_SUFFIXES = (".yaml", ".yml", ".json")
_NETWORKS = ("network_def", "network", "net", "model")
_WEIGHTS = ("model", "state_dict", "network", "net")  # under which weights lie in a checkpoint
_SCRIPTS = "scripts"  # package in which bundles have code of their own


def bundled_network(path: str) -> torch.nn.Module:
    """Build the network of a bundle by its own config, and load its weights.

    A bundle's config is code: it can call anything that Python can import, as a patch script does. The weights are
    read as data alone.

    Args:
        path: The folder of the bundle.

    Raises:
        ConfigError: It is no bundle, its network cannot be built, or its weights do not fit.
    """
    root = Path(path)
    config = _config_of(root)
    network = _build(root, config)
    _load(network, root / "models" / "model.pt")
    return network


def _config_of(root: Path) -> Path:
    if not root.is_dir():
        raise ConfigError(f"there is no folder {root}.")
    for name in _CONFIGS:
        for suffix in _SUFFIXES:
            if (found := root / "configs" / f"{name}{suffix}").is_file():
                return found
    raise ConfigError(f"{root} is no MONAI bundle: it has no configs/inference.yaml (or .json, or train).")


def _build(root: Path, config: Path) -> torch.nn.Module:
    """Let MONAI's parser build the one item of the config that is the network."""
    from monai.bundle import ConfigParser
    from torch import nn

    try:
        with _importable(root):
            parser = ConfigParser()
            parser.read_config(str(config))
            metadata = root / "configs" / "metadata.json"
            if metadata.is_file():
                parser.read_meta(str(metadata))
            parser["bundle_root"] = str(root)
            name = next((name for name in _NETWORKS if name in parser), None)
            network = None if name is None else parser.get_parsed_content(name)
    except Exception as error:  # whatever the bundle's own code raises
        raise ConfigError(f"the network of {config} cannot be built: {_cause(error)}.") from error
    if name is None:
        raise ConfigError(f"{config} names no network: there is none of {', '.join(_NETWORKS)} in it.")
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{config}: {name} is {type(network).__name__}, expected a torch.nn.Module.")
    return network


def _cause(error: BaseException) -> str:
    """Describe the first of several errors that were raised one because of the other: the parser hides it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return describe(error)


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Let a bundle import its own scripts, which have the same name in every bundle, and nobody else."""

    def ours() -> dict[str, Any]:
        own = (_SCRIPTS, f"{_SCRIPTS}.")
        return {name: sys.modules[name] for name in list(sys.modules) if name == own[0] or name.startswith(own[1])}

    others, path = ours(), list(sys.path)
    for name in others:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in ours():
            del sys.modules[name]
        sys.modules.update(others)


def _load(network: torch.nn.Module, path: Path) -> None:
    import torch

    if not path.is_file():
        raise ConfigError(f"there are no weights {path}.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ConfigError(f"the weights {path} cannot be read: {describe(error)}.") from error
    for name in _WEIGHTS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ConfigError(f"{path} holds no weights by name.")
    try:
        network.load_state_dict(content)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise ConfigError(f"the weights {path} do not fit the network: {lines[0].rstrip('.')}.") from error
